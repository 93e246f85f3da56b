import type { Clock } from "../../core/clock.ts";
import type { ConnectionRequest } from "./connections.ts";

/** What became of the Presents of the last day, by the subject of their question. */
export interface Presented {
  /**
   * With which credentials a value was presented: when a namespace is deleted its Secrets may go before its Challenges do,
   * and a clean-up that cannot end would hold the namespace for ever.
   */
  readonly requests: Recent<ConnectionRequest>;
  /** Presents that this process rejected before any write: their clean-up leaves nothing over. */
  readonly refused: Recent<true>;
}

export interface Recent<T> {
  add(subject: string, value: T): void;
  get(subject: string): T | undefined;
  delete(subject: string): void;
}

const keptForMs = 24 * 3_600_000;
const mostKept = 5_000;

export function createPresented(clock: Clock): Presented {
  return { requests: createRecent(clock), refused: createRecent(clock) };
}

function createRecent<T>(clock: Clock): Recent<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>();
  return {
    add(subject, value) {
      entries.delete(subject);
      entries.set(subject, { value, until: clock.now() + keptForMs });
      for (const [oldest, { until }] of entries) {
        if (entries.size <= mostKept && until > clock.now()) break;
        entries.delete(oldest);
      }
    },
    get(subject) {
      const entry = entries.get(subject);
      return entry !== undefined && entry.until > clock.now() ? entry.value : undefined;
    },
    delete: (subject) => void entries.delete(subject),
  };
}
