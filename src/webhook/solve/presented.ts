import type { Clock } from "../../core/clock.ts";
import type { ConnectionRequest } from "./connections.ts";

/**
 * With which credentials a value was presented, for a while: when a namespace is deleted its Secrets may go before its
 * Challenges do, and a clean-up that cannot end would hold the namespace for ever.
 */
export interface Presented {
  add(subject: string, request: ConnectionRequest): void;
  get(subject: string): ConnectionRequest | undefined;
  delete(subject: string): void;
}

const keptForMs = 24 * 3_600_000;
const mostKept = 5_000;

export function createPresented(clock: Clock): Presented {
  const entries = new Map<string, { readonly request: ConnectionRequest; readonly until: number }>();
  return {
    add(subject, request) {
      entries.delete(subject);
      entries.set(subject, { request, until: clock.now() + keptForMs });
      for (const [oldest, { until }] of entries) {
        if (entries.size <= mostKept && until > clock.now()) break;
        entries.delete(oldest);
      }
    },
    get(subject) {
      const entry = entries.get(subject);
      return entry !== undefined && entry.until > clock.now() ? entry.request : undefined;
    },
    delete: (subject) => void entries.delete(subject),
  };
}
