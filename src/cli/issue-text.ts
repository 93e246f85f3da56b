import { formatMs } from "../core/duration.ts";
import { timeText } from "../core/time-text.ts";
import type { IssueResult } from "../issuer/request.ts";
import { abridge, align } from "./table.ts";

/** More nameservers than this would push the paths of the files off a small screen. */
const mostServers = 8;

/** The result of `dns01 issue` for people: timeline, nameservers, and last what most readers want: the files. */
export function issueText(result: IssueResult): string {
  const t = result.timings;
  const head = result.reused
    ? `${result.name}: unchanged, valid until ${whenText(result.notAfter)}, renews after ${whenText(result.renewAfter)}`
    : result.dryRun === true
      ? `${result.name}: dry run, everything up to finalize succeeded; nothing was stored`
      : `${result.name}: issued by ${result.issuer}, valid until ${whenText(result.notAfter)}, renews after ${whenText(result.renewAfter)}`;
  const files = Object.entries(result.files ?? {}).map(([what, path]) => [what, path]);
  const timeline = [
    ["order", formatMs(t.orderMs)],
    ["present", formatMs(t.presentMs)],
    ["propagation", `${formatMs(t.propagationMs)} (${result.propagation.queries} queries)`],
    ["validation", formatMs(t.validationMs)],
    ["finalize", formatMs(t.finalizeMs)],
    ["cleanup", formatMs(t.cleanupMs)],
    ["total", formatMs(t.totalMs)],
  ];
  const servers = serverRows(result.propagation.servers);
  return [
    head,
    ...(result.reused ? [] : ["", "timeline", ...align(timeline)]),
    ...(servers.length === 0
      ? []
      : [
          "",
          "nameservers",
          ...abridge(
            align([["name", "address", "zone", "confirmed"], ...servers]),
            mostServers + 1,
            "; --json lists all",
          ),
        ]),
    ...(files.length === 0 ? [] : ["", "files", ...align(files)]),
    "",
  ].join("\n");
}

type Server = IssueResult["propagation"]["servers"][number];

/** A row per nameserver address and zone, by the name that it served last; the slowest first where there are many. */
function serverRows(servers: readonly Server[]): readonly (readonly string[])[] {
  const timeOf = ({ confirmedAfterMs = Number.POSITIVE_INFINITY }: Server) => confirmedAfterMs;
  const slowest = new Map<string, Server>();
  for (const server of servers) {
    const key = `${server.name} ${server.address} ${server.zone}`;
    const known = slowest.get(key);
    if (known === undefined || timeOf(server) > timeOf(known)) slowest.set(key, server);
  }
  const rows = [...slowest.values()];
  const sorted = rows.length <= mostServers ? rows : rows.toSorted((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
  return sorted.map(({ name, address, zone, confirmedAfterMs, state = "" }) => [
    name,
    address,
    zone,
    confirmedAfterMs === undefined ? state : `✔ ${formatMs(confirmedAfterMs)}`,
  ]);
}

/** A dry run has no certificate, and no times of one. */
function whenText(time: string | undefined): string {
  return time === undefined ? "unknown" : timeText(time);
}
