import { timeText } from "../core/time-text.ts";
import type { CheckResult } from "./health.ts";

export interface StatusFacts {
  readonly version: string;
  readonly startedAt: Date;
  readonly groups: readonly string[];
  readonly solvers: readonly string[];
  readonly checks: readonly CheckResult[];
  readonly certificateEnd: Date;
  readonly underWay: number;
}

/** For people at the metrics address: what runs here and whether it is ready. Holds no domain and no setting. */
export function statusPage(facts: StatusFacts): string {
  const { version, startedAt, groups, solvers, checks, certificateEnd, underWay } = facts;
  const ready = checks.every(({ fault }) => fault === undefined);
  const rows: readonly (readonly [string, string])[] = [
    ["Version", version],
    ["Started", timeText(startedAt)],
    ["Ready", ready ? "yes" : "no"],
    ...checks.map(({ name, fault }) => [`Check ${name}`, fault ?? "ok"] as const),
    ["API groups", groups.join(", ")],
    ["Solvers", solvers.join(", ")],
    ["Serving certificate ends", timeText(certificateEnd)],
    ["Requests under way", String(underWay)],
  ];
  const cells = rows.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dns01 webhook</title>
<style>body{font-family:sans-serif;margin:2em}th{text-align:left;padding-right:2em}td{font-family:monospace}</style></head>
<body><h1>dns01 webhook</h1>
<table>
${cells}
</table>
<p><a href="/metrics">metrics</a> · <a href="/readyz">readyz</a> · <a href="/healthz">healthz</a></p>
</body></html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
