import assert from "node:assert/strict";
import { ConfigError } from "../../../src/core/errors.ts";
import { type Field, fieldsOf, resolveConfig } from "../../../src/core/fields.ts";
import { expectServed } from "./lab.ts";
import type { AdapterFake, Check, Lab } from "./subject.ts";

const owner = "_acme-challenge.example.com";

export const configChecks: readonly Check[] = [
  {
    id: "config.fields",
    title: "describes every field, and can be pointed at another endpoint by a field and an environment name",
    async run({ trial: { provider } }) {
      const fields = fieldsOf(provider);
      const bare = fields.filter(({ description }) => description === "").map(({ name }) => name);
      assert.deepEqual(bare, [], "fields without a description");
      const endpoint = endpointOf(fields);
      assert.ok(endpoint, "there is a field endpoint");
      const name = `${provider.id.replaceAll("-", "_").toUpperCase()}_${endpoint.name.toUpperCase()}`;
      assert.ok(endpoint.env.includes(name), `${endpoint.name} can be given as ${name}`);
    },
  },
  {
    id: "config.environment",
    title: "takes from the environment what it takes from the configuration",
    async run(lab) {
      const { provider } = lab.trial;
      const fake = await lab.start();
      const fields = fieldsOf(provider);
      const expected = await resolveConfig(provider, { config: fake.config });
      for (const which of [0, -1]) {
        const env = Object.fromEntries(
          Object.entries(fake.config).map(([key, value]) => {
            const field = fields.find(({ name, aliases }) => name === key || aliases.includes(key));
            return [field?.env.at(which) ?? "", String(value)];
          }),
        );
        const got = await resolveConfig(provider, { env });
        assert.deepEqual(got.config, expected.config, `from ${Object.keys(env).join(", ")}`);
      }
    },
  },
  {
    id: "config.trimmed",
    title: "drops line ends behind secrets",
    async run(lab) {
      const fake = await lab.start();
      const secrets = secretsIn(lab, fake);
      const config = { ...fake.config, ...Object.fromEntries(secrets.map(([key, value]) => [key, `${value}\r\n`])) };
      const parsed = await Promise.all(
        [config, fake.config].map((given) => resolveConfig(lab.trial.provider, { config: given })),
      );
      assert.deepEqual(parsed[0]?.config, parsed[1]?.config, "the adapter is given what it would be given without");
      const instance = await lab.connect(fake, { config, once: true });
      await instance.present(owner, "value");
      expectServed(fake, "example.com", owner, ["value"], "the service accepted the credentials");
    },
  },
  {
    id: "config.faults",
    title: "tells every fault at once, each with its place, before any call",
    async run(lab) {
      const { provider } = lab.trial;
      const fake = await lab.start();
      const fields = fieldsOf(provider).filter(({ name }) => name !== "ttl");
      const endpoint = endpointOf(fields)?.name;
      const secrets = new Map(secretsIn(lab, fake));
      const wrong = (field: Field): unknown => {
        if (field.name === endpoint) return "no URL at all";
        if (secrets.has(field.name)) return "";
        return field.type === "string" ? 42 : "many";
      };
      const broken = Object.fromEntries(
        fields.filter(({ name }) => name in fake.config).map((field) => [field.name, wrong(field)]),
      );
      const config = { ...broken, ttl: "soon", zzz: "unknown" };
      const issues = await issuesOf(lab, config);
      const told = issues.map(({ path }) => path);
      const untold = Object.keys(config).filter((key) => !told.includes(`here.${key}`));
      assert.deepEqual(untold, [], `faults that were not told; told were ${JSON.stringify(issues)}`);
      assert.equal(fake.http.calls.length, 0, "nothing was called");
    },
  },
  {
    id: "config.exclusive",
    title: "refuses both of two exclusive ways, beside every other fault",
    async run(lab) {
      const fake = await lab.start();
      for (const { config, names } of lab.trial.exclusive ?? []) {
        const both = { ...fake.config, ...config };
        for (const [what, given] of Object.entries({ alone: both, "beside an unknown field": { ...both, zzz: 1 } })) {
          const issues = await issuesOf(lab, given);
          const text = JSON.stringify(issues);
          for (const name of names) assert.ok(text.includes(name), `${what}: no fault names ${name}: ${text}`);
          assert.equal(text.includes("zzz"), "zzz" in given, `${what}: ${text}`);
        }
        const endpoint = endpointOf(fieldsOf(lab.trial.provider))?.name;
        if (endpoint === undefined) continue;
        const text = JSON.stringify(await issuesOf(lab, { ...both, [endpoint]: "no URL at all" }));
        for (const name of [...names, `here.${endpoint}`]) {
          assert.ok(text.includes(name), `beside a wrong endpoint: no fault names ${name}: ${text}`);
        }
      }
      assert.equal(fake.http.calls.length, 0, "nothing was called");
    },
  },
];

function endpointOf(fields: readonly Field[]): Field | undefined {
  return fields.find(({ name }) => name === "endpoint");
}

function secretsIn({ trial }: Lab, { config }: AdapterFake): readonly (readonly [string, string])[] {
  return fieldsOf(trial.provider).flatMap(({ name, secret }) => {
    const value = config[name];
    return secret && typeof value === "string" ? [[name, value] as const] : [];
  });
}

async function issuesOf({ trial }: Lab, config: Readonly<Record<string, unknown>>): Promise<ConfigError["issues"]> {
  const error = await resolveConfig(trial.provider, { config, configPath: "here" }).then(
    () => assert.fail(`accepted: ${JSON.stringify(Object.keys(config))}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.issues;
}
