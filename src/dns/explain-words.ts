import type { DomainName } from "../core/name.ts";
import type { ServerVerdict, Verdict } from "./types.ts";

/** What an explanation is made of. */
export interface Situation {
  readonly status: Verdict["status"];
  readonly elapsedMs: number;
  readonly owners: readonly {
    readonly owner: DomainName;
    readonly zone: DomainName | undefined;
    readonly discoveryError: string | undefined;
    readonly unresolved: readonly DomainName[];
  }[];
  readonly servers: readonly ServerVerdict[];
  /** Milliseconds a resolver will still keep its wrong answer, by its label and owner. */
  readonly cachedForMs: (server: ServerVerdict) => number | undefined;
}

/** The nameserver addresses, each once: with the worst that any owner's question met there. */
export function addressesOf(servers: readonly ServerVerdict[]): readonly ServerVerdict[] {
  const byAddress = new Map<string, ServerVerdict>();
  for (const s of authoritative(servers)) {
    const known = byAddress.get(s.address);
    if (known === undefined || (known.class === "match" && s.class !== "match")) byAddress.set(s.address, s);
  }
  return [...byAddress.values()];
}

export function authoritative(servers: readonly ServerVerdict[]): readonly ServerVerdict[] {
  return servers.filter((s) => s.resolver !== true);
}

export function nameOf(server: ServerVerdict): string {
  return String(server.name) === server.address ? server.address : `${server.name} (${server.address})`;
}

/** "a", "a and b", "a, b and 3 more". */
export function list(items: readonly string[]): string {
  const shown = items.length <= 4 ? items : [...items.slice(0, 3), `${items.length - 3} more`];
  return shown.length <= 1 ? (shown[0] ?? "") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

export function inSeconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000).toLocaleString("en-US")} s`;
}
