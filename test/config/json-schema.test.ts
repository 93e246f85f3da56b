import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { providers } from "../../providers/index.ts";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { readPlan } from "../../src/config/plan.ts";
import { createRegistry } from "../../src/providers.ts";
import { check } from "./json-schema-check.ts";
import { openWorld } from "./world.ts";

const schema = configJsonSchema(await createRegistry(providers).all());
const example = /```yaml\n(.*?)```/s.exec(readFileSync(new URL("../../docs/config.md", import.meta.url), "utf8"))?.[1];

test("it says which draft it is, and describes every key", () => {
  expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" });
  const undescribed: string[] = [];
  const walk = (node: unknown, path: string) => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key !== "properties" || path.endsWith(".if")) walk(value, `${path}.${key}`);
      else
        for (const [name, property] of Object.entries(value as Record<string, unknown>)) {
          const { description, $ref } = property as { description?: string; $ref?: string };
          if (description === undefined && $ref === undefined && !["env", "file"].includes(name))
            undescribed.push(`${path}.${name}`);
          walk(property, `${path}.${name}`);
        }
    }
  };
  walk(schema, "");
  expect(undescribed).toEqual([]);
});

test("the example of docs/config.md is good for the schema and for the program", async () => {
  expect(example).toBeDefined();
  expect(check(schema, parse(example ?? ""))).toEqual([]);
  const world = await openWorld(example ?? "", {
    env: {
      ZEROSSL_HMAC_KEY: "c2VjcmV0LXNlY3JldA",
      TENCENTCLOUD_SECRET_ID: "AKIDxxxxxxxxxxxxxxxxxxxxxxxx",
      LAB_TSIG_SECRET: "c2VjcmV0LXNlY3JldA==",
      CLOUDFLARE_API_TOKEN: "a-token-of-forty-characters-0123456789ab",
    },
    files: { "dnspod-key": { text: "a-key-of-32-characters-012345678\n" }, "pfx-password": { text: "long enough\n" } },
  });
  const plan = await readPlan(world);
  expect(plan.issues).toEqual([]);
  expect(plan.complete().certificates.map((c) => c.name)).toEqual(["example.com", "intranet"]);
});

test("every key that the example shows only in a comment exists", () => {
  const keys = [...(example ?? "").matchAll(/^\s*# (\w+): /gm)].map((m) => m[1]);
  expect(keys.length).toBeGreaterThan(5);
  for (const key of keys) expect(JSON.stringify(schema)).toContain(`"${key}":`);
});

test.each([
  ["acmee: {}", ".acmee false"],
  ["acme: { ca: letsencript }", ".acme.ca anyOf"],
  ["certificates: [{ domains: [a.example], ca: buypass }]", ".certificates[0].ca anyOf"],
  ["solvers: [{ provider: rfc2136x }]", ".solvers[0].provider enum"],
  ["solvers: [{ provider: rfc2136, config: { nameservr: x } }]", ".solvers[0].config.nameservr false"],
  ["solvers: [{ provider: rfc2136, config: { tsigSecret: written-out } }]", ".solvers[0].config.tsigSecret anyOf"],
  ["solvers: [{ provider: rfc2136, config: { tsigSecret: { fil: x } } }]", ".solvers[0].config.tsigSecret anyOf"],
  [
    "credentials: { a: { provider: dnspod, config: { secretKy: { env: X } } } }",
    ".credentials.a.config.secretKy false",
  ],
  ["certificates: [{ domains: example.com }]", ".certificates[0].domains type"],
  ["certificates: [{ deploy: {} }]", ".certificates[0].deploy required command"],
  ["certificates: [{ pfx: { password: x } }]", ".certificates[0].pfx.password anyOf"],
  ["certificates: [{ out: { dir: x, mode: '0999' } }]", ".certificates[0].out anyOf"],
  ["dns: { propagationTimeout: '90' }", ".dns.propagationTimeout pattern"],
])("it refuses %s", (text, said) => {
  expect(check(schema, parse(text))).toEqual([said]);
});

test.each([
  "solvers: [{ provider: rfc2136 }]",
  "solvers: [{ provider: rfc2136, config: { nameserver: { env: NS }, dnsTimeout: 5, tsigSecret: { file: f } } }]",
  "solvers: [{ credentials: a, config: { anything: 1 } }]",
  "certificates: [{ csr: x, out: dir }]",
  "acme: { ca: zerossl, fallback: [{ ca: 'https://ca.example/dir' }] }",
  "{}",
])("it takes %s", (text) => {
  expect(check(schema, parse(text))).toEqual([]);
});
