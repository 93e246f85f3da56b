import { timeText } from "../core/time-text.ts";
import { decodeFileName, encodeFileName } from "./file-name.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** Who holds a lock; safe to show. */
export interface Holder extends ProcessIdentity {
  /** What it does, for example "issue". */
  readonly purpose: string;
  /** RFC 3339. */
  readonly since: string;
}

export const freeToken = "free";

/** The file name that says that this process holds the lock; `nonce` makes each taking unique. */
export function heldToken(identity: ProcessIdentity, purpose: string, nonce: string): string {
  const { pid, start, space, host } = identity;
  const short = (text: string) => encodeFileName(text.slice(0, 40) || "-").slice(0, 60);
  const since = Math.floor(Date.now() / 1000);
  return `held,pid=${pid},host=${short(host)},for=${short(purpose)},since=${since},start=${start},space=${space},id=${nonce}`;
}

/** Reads the name back; undefined when it is none of ours, so that nothing is known but its heartbeat. */
export function holderOf(token: string): Holder | undefined {
  const fields = new Map(token.split(",").map((f) => [f.slice(0, f.indexOf("=")), f.slice(f.indexOf("=") + 1)]));
  const text = (key: string) => fields.get(key) ?? "";
  const pid = Number(text("pid"));
  const since = new Date(Number(text("since")) * 1000);
  if (!Number.isSafeInteger(pid) || pid < 1 || text("space") === "" || Number.isNaN(since.getTime())) return undefined;
  const plain = (key: string) => decodeFileName(text(key)) ?? text(key);
  return {
    pid,
    start: text("start"),
    space: text("space"),
    host: plain("host"),
    purpose: plain("for"),
    since: since.toISOString(),
  };
}

/** "process 4711 on web1 (issue, since 2026-11-24 14:52 UTC)". */
export function textOf(holder: Holder | undefined): string {
  if (holder === undefined) return "an unknown process";
  return `process ${holder.pid} on ${holder.host} (${holder.purpose}, since ${timeText(holder.since)})`;
}
