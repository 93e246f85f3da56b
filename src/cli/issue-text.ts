import { formatMs } from "../core/duration.ts";
import type { IssueResult } from "../issuer/request.ts";
import { align } from "./table.ts";

/** The result of `dns01 issue` for people: files, timeline, nameservers. */
export function issueText(result: IssueResult): string {
  const t = result.timings;
  const head = result.reused
    ? `${result.name}: unchanged, valid until ${result.notAfter}, renews after ${result.renewAfter}`
    : result.dryRun === true
      ? `${result.name}: dry run, everything up to finalize succeeded; nothing was stored`
      : `${result.name}: issued by ${result.issuer}, valid until ${result.notAfter}, renews after ${result.renewAfter}`;
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
  const servers = result.propagation.servers.map((s) => [
    s.name,
    s.address,
    s.zone,
    s.confirmedAfterMs === undefined ? (s.state ?? "") : `✔ ${formatMs(s.confirmedAfterMs)}`,
  ]);
  return [
    head,
    ...(files.length === 0 ? [] : ["", "files", ...align(files)]),
    ...(result.reused ? [] : ["", "timeline", ...align(timeline)]),
    ...(servers.length === 0
      ? []
      : ["", "nameservers", ...align([["name", "address", "zone", "confirmed"], ...servers])]),
    "",
  ].join("\n");
}
