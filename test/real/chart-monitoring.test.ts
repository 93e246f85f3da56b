import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { chart } from "../charts/helm.ts";
import { render, valuesFolder } from "../charts/rendering.ts";
import { describeWithHelm } from "../charts/suite.ts";
import { serviceFile, whyNot } from "./lab/services.ts";

/** Every metric with its labels, by a scrape after one of each has happened. */
async function scraped(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const metrics = createMetrics({ version: "1" });
  metrics.observer({ type: "call", provider: "p", operation: "list", code: "OK", durationMs: 1 });
  metrics.observer({ type: "retry", what: "list", code: "TRANSIENT", attempt: 1, waitMs: 1, message: "" });
  metrics.observer({ type: "rate.wait", provider: "p", waitMs: 1 });
  metrics.observer({ type: "warning", code: "W_PROVIDER", text: "" });
  metrics.challenge({ action: "Present", provider: "p", code: "OK", durationMs: 1 });
  metrics.request("solver", 201);
  metrics.refused("certificate");
  metrics.inFlight(1);
  metrics.servingCertificate(1);
  metrics.servingCertificateReload("ok");
  metrics.frontProxy(1);
  metrics.apiService("acme.dns01.io", true);
  metrics.propagation("p", 1);
  metrics.leftover("p");
  metrics.breakerOpened("p");
  metrics.background("p", "begun");
  const found = new Map<string, Set<string>>();
  for (const line of (await metrics.text()).split("\n")) {
    const [, name = "", labels = ""] = /^([a-z]\w*)(?:\{(.*)\})? /.exec(line) ?? [];
    // What Prometheus adds when it reads them from a ServiceMonitor.
    const all = found.get(name) ?? new Set(["namespace", "pod"]);
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) all.add(label);
    found.set(name, all);
  }
  return found;
}

/** Metrics and labels that an expression names and that no scrape has. */
function unknownIn(expr: string, known: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const names = [...expr.matchAll(/\b(?:dns01|process|nodejs)_\w+/g)].map(([name]) => name);
  const own = new Set(names.flatMap((name) => [...(known.get(name) ?? [])]));
  const lists = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
  const matchers = [...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = ""]) => label);
  return [
    ...(names.length === 0 ? [`no metric in ${expr}`] : []),
    ...names.filter((name) => !known.has(name)),
    ...[...lists, ...matchers].filter((label) => !own.has(label)).map((label) => `label ${label} in ${expr}`),
  ];
}

const rulesSchema = z.looseObject({
  groups: z.array(z.looseObject({ rules: z.array(z.looseObject({ alert: z.string(), expr: z.string() })) })),
});

await describeWithHelm("monitoring of the chart", (helm) => {
  let rules: z.infer<typeof rulesSchema>;
  let known: ReadonlyMap<string, ReadonlySet<string>>;

  beforeAll(async () => {
    const { objects } = await render(helm, "--values", join(valuesFolder, "monitoring.yaml"));
    rules = rulesSchema.parse(objects.find((o) => o.kind === "PrometheusRule")?.["spec"]);
    known = await scraped();
  });

  test("alerts ask for metrics and labels that there are", () => {
    const alerts = rules.groups.flatMap((group) => group.rules);
    expect(alerts.length).toBeGreaterThan(7);
    expect(alerts.flatMap(({ expr }) => unknownIn(expr, known))).toEqual([]);
  });

  test("the check sees a metric and a label that there are not", () => {
    expect(unknownIn('sum by (zone) (dns01_leftover{namespace="a"})', known)).toEqual([
      "dns01_leftover",
      'label zone in sum by (zone) (dns01_leftover{namespace="a"})',
      'label namespace in sum by (zone) (dns01_leftover{namespace="a"})',
    ]);
  });

  test("so does the dashboard, whose panels do not overlap", async () => {
    const dashboard = z
      .looseObject({
        panels: z.array(
          z.looseObject({
            title: z.string(),
            description: z.string().min(1),
            gridPos: z.strictObject({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
            targets: z.array(z.looseObject({ expr: z.string(), legendFormat: z.string() })),
          }),
        ),
      })
      .parse(JSON.parse(readFileSync(join(chart, "files/dashboard.json"), "utf8")));
    const targets = dashboard.panels.flatMap((panel) => panel.targets);
    expect(targets.flatMap(({ expr }) => unknownIn(expr, known))).toEqual([]);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    const { objects } = await render(helm, "--values", join(valuesFolder, "monitoring.yaml"));
    const rendered = objects.find((o) => o.kind === "ConfigMap");
    expect(JSON.parse(Object(rendered?.["data"])["dns01.json"])).toEqual(dashboard);
  });

  const missing = whyNot(["promtool"]);
  describe.skipIf(missing !== undefined)(missing === undefined ? "promtool" : `promtool (${missing})`, () => {
    test("takes the rules, and each alert comes when it should and not otherwise", async () => {
      const folder = await mkdtemp(join(tmpdir(), "dns01-rules-"));
      try {
        await writeFile(join(folder, "rules.yaml"), stringify(rules));
        await copyFile(fileURLToPath(new URL("../charts/alerts.yaml", import.meta.url)), join(folder, "alerts.yaml"));
        const promtool = (...args: readonly string[]) => promisify(execFile)(serviceFile("promtool"), [...args]);
        await promtool("check", "rules", join(folder, "rules.yaml"));
        await promtool("test", "rules", join(folder, "alerts.yaml"));
        const tried = readFileSync(join(folder, "alerts.yaml"), "utf8");
        for (const { alert } of rules.groups.flatMap((group) => group.rules)) expect(tried).toContain(alert);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});
