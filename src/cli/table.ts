import { formatMs } from "../core/duration.ts";
import type { ServerProgress } from "../core/events.ts";
import type { ServerVerdict } from "../dns/types.ts";

/** Nameserver × value, as lines. */
export function serverTable(servers: readonly ServerProgress[]): readonly string[] {
  const values = [...new Set(servers.flatMap((s) => [...s.values, ...s.missing]))].sort();
  const name = column(servers.map((s) => s.name));
  const address = column(servers.map((s) => s.address));
  return servers.map((s) => {
    const cells = values.map((v) => `${s.values.includes(v) ? "✔" : "·"} ${shorten(v)}`).join("  ");
    const took = s.agreedAfterMs === undefined ? s.state : formatMs(s.agreedAfterMs);
    return `    ${s.name.padEnd(name)}  ${s.address.padEnd(address)}  ${cells}  ${took}`;
  });
}

/** The servers that have not agreed yet, a line each and at most so many lines. */
export function waitingTable(
  owners: readonly { readonly owner: string; readonly servers: readonly ServerProgress[] }[],
  lines: number,
): readonly string[] {
  const rows = owners.flatMap(({ owner, servers }) =>
    servers.flatMap((s) =>
      s.missing.length === 0 ? [] : [[owner.replace(/^_acme-challenge\./, ""), s.name, s.address, s.state]],
    ),
  );
  return abridge(align(rows), lines);
}

/** The first of these lines, and how many more there are. */
export function abridge(lines: readonly string[], most: number, more = ""): readonly string[] {
  if (lines.length <= most) return lines;
  const kept = lines.slice(0, Math.max(0, most - 1));
  return [...kept, `  … and ${lines.length - kept.length} more${more}`];
}

/** What each server last said; for a check that failed or has been asked for. */
export function verdictTable(servers: readonly ServerVerdict[]): readonly string[] {
  const head = ["nameserver", "address", "answer", "rcode", "aa", "via", "serial", "seen", "note"];
  const rows = servers.map((s) => [
    s.name,
    s.address,
    s.excused ? `${s.class} (excused)` : s.class,
    s.rcode ?? "",
    s.aa === undefined ? "" : s.aa ? "yes" : "no",
    s.transport ?? "",
    s.soaSerial === undefined ? "" : String(s.soaSerial),
    s.seen.map(shorten).join(" "),
    s.error ?? (s.agreedAfterMs === undefined ? "" : `after ${formatMs(s.agreedAfterMs)}`),
  ]);
  return align([head, ...rows]);
}

/** Columns padded to the widest cell. */
export function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => column(rows.map((r) => r[i] ?? "")));
  return rows.map((r) => `  ${r.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd());
}

function column(cells: readonly string[]): number {
  return Math.max(0, ...cells.map((c) => c.length));
}

function shorten(value: string): string {
  return value.length > 10 ? `${value.slice(0, 8)}…` : value;
}
