import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { filled, type SchemaNode, withValue } from "../charts/filled-values.ts";
import { chart } from "../charts/helm.ts";
import { describeWithHelm } from "../charts/suite.ts";

const schema: SchemaNode = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** A text that YAML takes for nothing else; the second one for API groups, which need a dot. */
const plain = ["sentinel", "sen.tinel"];
/** Texts that one version of YAML or another takes for a number, a boolean, nothing, or a date. */
const odd = ["123", "on", "null", "1e3", "0x1f", "yes", "2020-01-01"];

/** The two halves of the chart that exclude each other, with every string set to the first text that fits. */
function halves(texts: readonly string[]): readonly unknown[] {
  const name = texts[0];
  const special = {
    // Names of objects change with their first letter: the other test tries those.
    fullnameOverride: "fixed",
    nameOverride: name,
    plugins: {
      sourced: { source: name },
      mapped: { configMap: { name, key: name } },
      secret: { secret: { name, key: name } },
    },
    extraEnv: [{ name: "X", value: name }],
    // Objects of Kubernetes' own and arguments, which are passed on as they are.
    ...{ extraVolumes: [], extraVolumeMounts: [], extraArgs: [], resources: {} },
  };
  const all = { ...Object(filled(schema, texts)), ...special };
  const image = withValue(all, "image.digest", "");
  const tls = withValue(withValue(image, "tls.existingSecret", ""), "tls.caBundle", "");
  const generated = withValue(tls, "existingPolicyConfigMap", "");
  const own = withValue(withValue(image, "policy", {}), "tls", { existingSecret: name, caBundle: pem });
  return [generated, own];
}

await describeWithHelm("types of what the chart renders", (helm) => {
  let folder: string;
  let count = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dns01-chart-types-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Parsed as the stricter of both versions: in YAML 1.1 more texts are something else. */
  const render = async (values: unknown, namespace: string, release = "dns01") => {
    count += 1;
    const file = join(folder, `${count}.yaml`);
    await writeFile(file, JSON.stringify(values));
    const text = await helm.run("template", release, chart, "--namespace", namespace, "--values", file);
    const documents = parseAllDocuments(text, { version: "1.1" });
    return Array.isArray(documents) ? documents.map((document): unknown => document.toJS()) : [];
  };

  test("a string stays a string, whatever YAML could take it for", async () => {
    const expected = await Promise.all(halves(plain).map((values) => render(values, plain[0] ?? "")));
    expect(JSON.stringify(expected).split("sentinel").length).toBeGreaterThan(150);
    for (const text of odd) {
      const texts = [text, "1.5"];
      for (const [half, values] of halves(texts).entries()) {
        const rendered = await render(values, text);
        expect(withoutHashes(rendered), `${text}, half ${half}`).toEqual(withoutHashes(replaced(expected[half], text)));
      }
    }
  });

  test.each(["a.b", "1st", "123", "on", "0.1.2", `${"a".repeat(51)}.b`])(
    "release %s: the Service has a name that Kubernetes takes, and labels are strings",
    async (release) => {
      const documents = (await render({}, "dns", release)).filter(isObject);
      const service = documents.find(({ kind }) => kind === "Service");
      // RFC 1035, as Kubernetes holds Services to it.
      expect(Object(service?.["metadata"]).name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
      expect(namesOf(documents).filter((name) => !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name))).toEqual([]);
      for (const { metadata } of documents) expect(Object(metadata).labels["app.kubernetes.io/instance"]).toBe(release);
      const api = documents.find(({ kind }) => kind === "APIService");
      expect(Object(api?.["spec"]).service.name).toBe(Object(service?.["metadata"]).name);
    },
  );

  test("a name of its own stays what it is, also where YAML takes it for a boolean", async () => {
    for (const name of ["on", "null", "acme-solver"]) {
      expect(namesOf(await render({ fullnameOverride: name }, "dns"))).toContain(name);
    }
    expect(namesOf(await render({}, "dns", "my-dns01"))).toContain("my-dns01");
    expect(namesOf(await render({}, "dns", "acme"))).toContain("acme-dns01");
  });
});

function namesOf(documents: readonly unknown[]): readonly string[] {
  return documents.filter(isObject).map(({ metadata }) => String(Object(metadata).name));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function replaced(value: unknown, text: string): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll("sen.tinel", "1.5").replaceAll("sentinel", text));
}

function withoutHashes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replace(/"[0-9a-f]{64}"/g, '"hash"'));
}
