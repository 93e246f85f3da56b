import { expect, test } from "vitest";
import { secret, z } from "../../src/index.ts";
import { checkDefinition } from "../../src/plugins/definition.ts";

const file = "/etc/dns01/acmehost.mjs";
const good = {
  id: "acmehost",
  title: "Acmehost",
  config: z.strictObject({ token: secret("API token"), region: z.enum(["eu", "us"]).default("eu").describe("region") }),
  traits: { ttlSeconds: { min: 60, default: 120 } },
  connect: () => ({ findZone: async () => undefined, apply: async () => [] }),
};
const faultsOf = (change: object) =>
  checkDefinition({ ...good, ...change }, file).faults.map(({ path, message }) => `${path} ${message}`);
const schema = (shape: z.ZodRawShape) => ({ config: z.strictObject(shape) });

test("a good definition is taken as a copy that knows its file and does not change any more", () => {
  const given = { ...good, aliases: ["acme"], classify: (cause: unknown) => cause as undefined };
  const { provider } = checkDefinition(given, file);
  given.title = "changed";
  expect(provider).toMatchObject({ id: "acmehost", title: "Acmehost", aliases: ["acme"], plugin: file });
  expect(provider?.classify?.(7)).toBe(7);
  expect(Object.isFrozen(provider)).toBe(true);
});

test("a definition may be an instance of a class", () => {
  class Acmehost {
    readonly id = "acmehost";
    readonly title = "Acmehost";
    readonly config = good.config;
    readonly traits = good.traits;
    readonly backend = good.connect();
    connect() {
      return this.backend;
    }
  }
  const { provider } = checkDefinition(new Acmehost(), file);
  expect(provider?.connect({}, {} as never)).toHaveProperty("apply");
});

test.each<readonly [what: string, change: object, said: RegExp]>([
  ["no id", { id: undefined }, /^id has to be text/],
  ["an id with capitals", { id: "AcmeHost" }, /^id has to be text/],
  ["an id that is a path", { id: "../x" }, /^id has to be text/],
  ["an empty title", { title: " " }, /^title has to be text/],
  ["docs that are no text", { docs: 7 }, /^docs has to be text/],
  ["aliases that are no ids", { aliases: ["ok", "Not Ok"] }, /^aliases has to be an array of ids/],
  ["classify that is a table", { classify: {} }, /^classify has to be a function/],
  ["no connect", { connect: undefined }, /^connect is missing/],
  ["no traits", { traits: undefined }, /^traits /],
  ["a TTL that is text", { traits: { ttlSeconds: { min: "60", default: 120 } } }, /^traits\.ttlSeconds\.min /],
  [
    "a default below the minimum",
    { traits: { ttlSeconds: { min: 60, default: 30 } } },
    /default is 30, below the minimum 60/,
  ],
  ["a rate of nothing", { traits: { ...good.traits, rate: { requests: 0, perMs: 1 } } }, /^traits\.rate\.requests /],
  ["an unknown lock", { traits: { ...good.traits, lock: "owner" } }, /^traits\.lock /],
  ["a schema that is a plain object", { config: { token: "text" } }, /^config has to be an object of zod/],
  ["a schema that is no object", { config: z.string() }, /^config has to be an object of zod/],
  ["a schema of another zod", { config: { parse: () => ({}), shape: {} } }, /^config has to be an object of zod/],
  ["a transformed schema", { config: good.config.transform((c) => c) }, /^config has to be an object of zod/],
  [
    "a nested object",
    schema({ auth: z.object({ key: z.string() }).describe("d") }),
    /^config\.auth has to be text, a number/,
  ],
  ["a list", schema({ zones: z.array(z.string()).describe("d") }), /^config\.zones has to be text, a number/],
  [
    "a union",
    schema({ port: z.union([z.string(), z.number()]).describe("d") }),
    /^config\.port has to be text, a number/,
  ],
  ["a date", schema({ since: z.date().describe("d") }), /^config\.since has to be text, a number/],
  ["a field without description", schema({ token: z.string() }), /^config\.token has no description/],
  ["a field of its own called ttl", schema({ ttl: z.number().describe("d") }), /^config\.ttl belongs to dns01/],
  ["a field with a hyphen", schema({ "api-key": z.string().describe("d") }), /^config\.api-key is no name for a field/],
  [
    "two fields of one environment name",
    schema({
      a: z.string().meta({ description: "d", env: ["ACME_KEY"] }),
      b: z.string().meta({ description: "d", env: ["ACME_KEY"] }),
    }),
    /^config\.b shares the name ACME_KEY with a/,
  ],
  [
    "an alias that is a field",
    schema({ a: z.string().describe("d"), b: z.string().meta({ description: "d", aliases: ["a"] }) }),
    /^config\.b shares the name a with a/,
  ],
  [
    "an environment name that no shell can set",
    schema({ a: z.string().meta({ description: "d", env: ["acme key"] }) }),
    /^config\.a "acme key" is no name for an env/,
  ],
])("%s is a fault", (_what, change, said) => {
  expect(faultsOf(change)).toContainEqual(expect.stringMatching(said));
});

test("all faults are told at once, with the id that is claimed", () => {
  const checked = checkDefinition({ id: "acmehost", config: z.strictObject({ a: z.string(), b: z.string() }) }, file);
  expect(checked.provider).toBeUndefined();
  expect(checked.faults.map(({ path }) => path)).toEqual(["title", "connect", "traits", "config.a", "config.b"]);
  expect(checked).toHaveProperty("id", "acmehost");
});

test.each<readonly [what: string, exported: unknown]>([
  ["nothing", undefined],
  ["null", null],
  ["a function", () => good],
  ["text", "acmehost"],
  ["a promise", Promise.resolve(good)],
  [
    "an object whose members throw",
    new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    ),
  ],
  [
    "an object with a throwing getter",
    {
      ...good,
      get traits(): never {
        throw Object.create(null);
      },
    },
  ],
])("%s as the default export is a fault, not a crash", (_what, exported) => {
  const { provider, faults } = checkDefinition(exported, file);
  expect(provider).toBeUndefined();
  expect(faults.length).toBeGreaterThan(0);
});
