import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isMap, parse, parseDocument } from "yaml";
import { chart } from "../charts/helm.ts";
import { render, valuesFiles, valuesFolder } from "../charts/rendering.ts";
import { describeWithHelm } from "../charts/suite.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const schema: Node = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
const defaults: unknown = parse(readFileSync(join(chart, "values.yaml"), "utf8"));

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
}

/** Paths of the values that the schema describes: those that the chart's README explains. */
function leaves(node: Node, path: readonly string[] = []): readonly (readonly string[])[] {
  if (node.description !== undefined || node.properties === undefined) return [path];
  return Object.entries(node.properties).flatMap(([key, child]) => leaves(child, [...path, key]));
}
const paths = leaves(schema).filter((path) => !["enabled", "global"].includes(path[0] ?? ""));
const at = (value: unknown, path: readonly string[]) => path.reduce<unknown>((v, key) => Object(v)[key], value);

test("what the chart takes from the providers and from its own comments is up to date", async () => {
  const script = join(root, "scripts/chart.mjs");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, "--check"]);
  expect(`${stdout}${stderr}`).toBe("");
});

test("chart and program have one version", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  expect(parse(readFileSync(join(chart, "Chart.yaml"), "utf8"))).toMatchObject({ version, appVersion: version });
});

test("every value is in values.yaml, in the schema and in the README, with words", () => {
  const readme = readFileSync(join(chart, "README.md"), "utf8");
  expect(paths.length).toBeGreaterThan(80);
  for (const path of paths) {
    expect(at(defaults, path), path.join(".")).toBeDefined();
    expect(readme).toContain(`| \`${path.join(".")}\` | `);
  }
});

test("every object of the schema is closed, but those that are Kubernetes' own", () => {
  const own = [...["affinity", "podSecurityContext", "securityContext", "global"]];
  const open = (node: Node, path: string): readonly string[] => [
    ...(node.properties !== undefined && node.additionalProperties !== false ? [path] : []),
    ...(node.type === "object" && node.properties === undefined && node.additionalProperties === undefined
      ? [path]
      : []),
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
      open(child, path === "" ? key : `${path}.${key}`),
    ),
  ];
  expect([...open(schema, "")].sort()).toEqual([...own].sort());
});

await describeWithHelm("the chart's values", (helm) => {
  let folder: string;
  let count = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dns01-chart-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const refusal = async (values: unknown) => {
    count += 1;
    const file = join(folder, `${count}.yaml`);
    await writeFile(file, JSON.stringify(values));
    return await render(helm, "--values", file).then(
      () => "",
      (error: Error) => error.message,
    );
  };

  test.each([
    [{ replicas: 3 }, "replicas"],
    [{ image: { repo: "x" } }, "repo"],
    [{ certManager: { serviceAccount: "x" } }, "serviceAccount"],
    [{ secretAccess: { namespaces: [{ name: "a", secrets: [] }] } }, "secrets"],
    [{ networkPolicy: { egress: { ports: [] } } }, "ports"],
    [{ plugins: { mine: { file: "x" } } }, "file"],
    [{ replicaCount: "2" }, "replicaCount"],
    [{ propagationGate: "true" }, "propagationGate"],
    [{ providers: ["dnspot"] }, "providers"],
    [{ providers: ["exec"] }, "providers"],
    [{ extraGroups: ["no_group"] }, "extraGroups"],
    [{ callTimeout: "60s" }, "callTimeout"],
    [{ callTimeout: "1m" }, "callTimeout"],
    [{ image: { digest: "sha256:12" } }, "digest"],
    [{ logLevel: "trace" }, "logLevel"],
    [{ policy: { namespaces: { a: { zone: ["example.com"] } } } }, "zone"],
    [{ plugins: { mine: { source: "x", secret: { name: "x" } } } }, "plugins"],
    [{ plugins: { Mine: { source: "x" } } }, "Mine"],
    [{ podLabels: { a: 1 } }, "podLabels"],
  ])("%j is refused by name", async (values, name) => {
    const said = await refusal(values);
    expect(said).toContain("values don't meet the specifications of the schema");
    expect(said).toContain(name);
  });

  test("a value that is left empty is taken, as the API server takes it", async () => {
    const values = {
      extraEnv: [{ name: "A", value: null }],
      tolerations: [{ key: "a", operator: "Exists", value: null }],
    };
    expect(await refusal(values)).toBe("");
  });

  test("faults that a schema cannot see are told together", async () => {
    const said = await refusal({
      tls: { existingSecret: "x" },
      policy: { namespaces: {} },
      existingPolicyConfigMap: "y",
      autoscaling: { enabled: true, minReplicas: 9 },
      terminationGracePeriodSeconds: 30,
      metrics: { port: 8443 },
      plugins: { dnspod: { source: "x" } },
    });
    for (const line of [
      "tls.caBundle: is missing",
      "policy: give either policy or existingPolicyConfigMap",
      "autoscaling.minReplicas: is more than",
      "terminationGracePeriodSeconds: has to be more than callTimeout and shutdownDelay together (30)",
      "metrics.port: is the same as securePort",
      "plugins.dnspod: dns01 has a provider of that id",
    ]) {
      expect(said).toContain(line);
    }
    expect(await refusal({ tls: { caBundle: "TUlJ" } })).toMatch(/tls\.existingSecret: is missing.*has to be PEM/s);
  });

  test("no value is without effect: each file of values says something with each line", async () => {
    const switched = new Set<string>();
    const silent: string[] = [];
    const runs = valuesFiles.map((file) => async () => {
      const text = readFileSync(join(valuesFolder, file), "utf8");
      const whole = (await render(helm, "--values", join(valuesFolder, file))).text;
      const given = paths.filter((path) => parseDocument(text).hasIn(path));
      for (const path of given) {
        switched.add(path.join("."));
        const without = parseDocument(text);
        without.deleteIn(path);
        const cut = join(folder, `${path.join(".")}-${file}`);
        await writeFile(cut, isMap(without.contents) && without.contents.items.length > 0 ? String(without) : "{}");
        // What cannot be left out alone has an effect.
        const rest = await render(helm, "--values", cut).then(
          (rendered) => rendered.text,
          () => "",
        );
        if (rest === whole) silent.push(`${file}: ${path.join(".")}`);
      }
    });
    const work = runs.values();
    await Promise.all(
      [1, 2, 3].map(async () => {
        for (const run of work) await run();
      }),
    );
    expect(silent).toEqual([]);
    expect(paths.map((path) => path.join(".")).filter((path) => !switched.has(path))).toEqual([]);
  });

  test("values that docs/kubernetes.md shows are values", async () => {
    const page = readFileSync(join(root, "docs/kubernetes.md"), "utf8");
    const shown = [...page.matchAll(/^```yaml\n(.*?)^```/gms)]
      .map(([, block = ""]) => block)
      .filter((block) => !/^(apiVersion|- |#)/m.test(block));
    expect(shown.length).toBeGreaterThan(2);
    for (const block of shown) expect(await refusal(parse(block))).toBe("");
    const switches = [...page.matchAll(/`((?:[a-z][A-Za-z0-9]*\.)+[A-Za-z]+)`/g)].map(([, path = ""]) => path);
    const known = paths.map((path) => path.join("."));
    const ours = switches.filter((path) => known.some((one) => one.split(".")[0] === path.split(".")[0]));
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.filter((path) => !known.includes(path))).toEqual([]);
  });

  test("is packed without what does not belong to it", async () => {
    await helm.run("package", chart, "--destination", folder);
    const { stdout } = await promisify(execFile)("tar", ["tzf", join(folder, "dns01-0.1.0.tgz")]);
    const files = stdout.trim().split("\n");
    expect(files).toContain("dns01/values.schema.json");
    expect(
      files.filter((file) => !/^dns01\/(Chart|values|README|\.helmignore|files\/|templates\/)/.test(file)),
    ).toEqual([]);
  });
});
