import type { ServerResponse } from "node:http";

/** One condition of being ready; a fault is a line without secrets. */
export interface Check {
  readonly name: string;
  fault(): string | undefined;
}

export interface CheckResult {
  readonly name: string;
  readonly fault: string | undefined;
}

export function runChecks(checks: readonly Check[]): readonly CheckResult[] {
  return checks.map((check) => ({ name: check.name, fault: check.fault() }));
}

/** As Kubernetes' own servers answer: "ok", or a line for each check. */
export function sendHealth(res: ServerResponse, results: readonly CheckResult[]): void {
  const ready = results.every(({ fault }) => fault === undefined);
  const lines = results.map(({ name, fault }) =>
    fault === undefined ? `[+]${name} ok` : `[-]${name} failed: ${fault}`,
  );
  const body = ready ? "ok" : `${lines.join("\n")}\n`;
  res.writeHead(ready ? 200 : 503, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  res.end(body);
}
