import { distanceText, timeText } from "../core/time-text.ts";
import type { InventoryEntry } from "./inventory.ts";
import { align } from "./table.ts";
import { clip } from "./width.ts";

const width = 80;
const head = ["name", "state", "expires", "renews", "names"] as const;

/** Returns the table of `dns01 list`, at most 80 columns wide; what failed stands below its row. */
export function listText(entries: readonly InventoryEntry[], now: number): readonly string[] {
  if (entries.length === 0) return ["no certificates"];
  const facts = entries.map((entry) => [entry.state, expiresOf(entry, now), renewsOf(entry, now)] as const);
  const widthOf = (title: string, cells: readonly string[]) => Math.max(title.length, ...cells.map((c) => c.length));
  const taken = [0, 1, 2].map((i) =>
    widthOf(
      head[i + 1] ?? "",
      facts.map((row) => row[i] ?? ""),
    ),
  );
  // Two columns of indent, and two between each of the five.
  const room = taken.reduce((left, one) => left - one, width - 10);
  const least = widthOf(
    "",
    entries.map((entry) => namesOf(entry, 0)),
  );
  const nameWidth = Math.min(
    widthOf(
      "name",
      entries.map(({ name }) => name),
    ),
    room - least,
  );
  const rows = entries.map((entry, i) => [
    clip(entry.name, nameWidth),
    ...(facts[i] ?? []),
    namesOf(entry, room - nameWidth),
  ]);
  const [title = "", ...lines] = align([head, ...rows]);
  return [title, ...lines.flatMap((line, i) => [line, ...faultOf(entries[i])])];
}

function expiresOf({ issued, state }: InventoryEntry, now: number): string {
  if (issued === undefined) return "";
  const distance = distanceText(Date.parse(issued.stored.meta.notAfter), now);
  return state === "expired" ? `EXPIRED ${distance}` : distance;
}

function renewsOf({ issued }: InventoryEntry, now: number): string {
  if (issued === undefined) return "";
  const { at, isDue } = issued.renewal;
  return at === undefined ? "never" : isDue ? "due" : distanceText(Date.parse(at), now);
}

/** As many names besides the certificate's own as fit, and how many more there are. */
function namesOf({ name, domains }: InventoryEntry, room: number): string {
  const others = domains.filter((domain) => domain !== name);
  for (let shown = others.length; shown > 0; shown--) {
    const rest = others.length - shown;
    const text = [...others.slice(0, shown), ...(rest === 0 ? [] : [`+${rest} more`])].join(" ");
    if (text.length <= room) return text;
  }
  if (others.length === 0) return "";
  return others.length < domains.length ? `+${others.length} more` : `${others.length} in all`;
}

function faultOf(entry: InventoryEntry | undefined): readonly string[] {
  const fault = entry?.lastError ?? entry?.deployError;
  if (fault === undefined) return [];
  const times = fault.count === 1 ? "" : `, ${fault.count} times in a row`;
  return [clip(`    ${fault.code} at ${timeText(fault.at)}${times}: ${fault.message.split("\n")[0] ?? ""}`, width)];
}
