import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { parseName } from "../../src/core/name.ts";
import { type Provider, z } from "../../src/index.ts";
import type { Namespace, PluginHost } from "../../src/plugins/host.ts";
import { loadPlugin } from "../../src/plugins/load.ts";
import { locate } from "../../src/plugins/locate.ts";
import { connectProvider, openRegistry, providerIds } from "../../src/providers.ts";
import { createFastClock } from "../fakes/fast-clock.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-plugins-"));
  await mkdir(join(dir, "folder"));
  for (const name of ["a.mjs", "b.mjs", "c.mjs", "plain", "package-like"]) await writeFile(join(dir, name), "");
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const definition = (id: string, more: Partial<Provider> = {}): Provider => ({
  id,
  title: id,
  config: z.strictObject({}),
  traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({ findZone: async () => undefined, apply: async () => [] }),
  ...more,
});

/** Modules by file name, as the loader would import them. */
const host = (modules: Readonly<Record<string, () => Promise<Namespace>>>): PluginHost => ({
  resolve: (specifier) => specifier,
  import: async (specifier) => {
    const load = modules[specifier.split("/").at(-1) ?? ""];
    if (load !== undefined) return await load();
    const message = `Cannot find package '${specifier}' imported from here`;
    throw Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" });
  },
});
const exporting = (provider: unknown) => async () => ({ default: provider });
const named = (...texts: readonly string[]) => texts.map((text) => ({ text, base: dir, from: "--plugin" }));
const { signal } = new AbortController();

async function open(texts: readonly string[], modules: Parameters<typeof host>[0]) {
  const events: Dns01Event[] = [];
  const observer = (event: Dns01Event) => void events.push(event);
  const registry = await openRegistry(named(...texts), { host: host(modules), observer, signal });
  return { registry, warnings: events.flatMap((e) => (e.type === "warning" ? [`${e.code} ${e.text}`] : [])) };
}

test("plugins stand among the providers of dns01, by id and by alias", async () => {
  const { registry, warnings } = await open(["a.mjs"], {
    "a.mjs": exporting(definition("acmehost", { aliases: ["acme"] })),
  });
  expect(registry.ids()).toEqual([...providerIds(), "acmehost"].sort());
  expect((await registry.load("acmehost")).plugin).toBe(join(dir, "a.mjs"));
  expect((await registry.load("acme")).id).toBe("acmehost");
  expect((await registry.load("rfc2136")).plugin).toBeUndefined();
  expect(warnings).toEqual([]);
});

test("a plugin named twice is one plugin", async () => {
  await symlink("a.mjs", join(dir, "link.mjs"));
  const { registry, warnings } = await open(
    ["a.mjs", "./a.mjs", join(dir, "a.mjs"), pathToFileURL(join(dir, "a.mjs")).href, "link.mjs"],
    { "a.mjs": exporting(definition("acmehost")), "link.mjs": exporting(definition("acmehost")) },
  );
  expect(registry.faults).toEqual([]);
  expect(warnings).toEqual([]);
});

test("a faulty plugin is told with its file and everything that is wrong, and the others go on", async () => {
  const { registry, warnings } = await open(["a.mjs", "b.mjs", "c.mjs"], {
    "a.mjs": async () => {
      throw new TypeError("no such thing");
    },
    "b.mjs": exporting({
      ...definition("brokenhost"),
      title: "",
      config: z.strictObject({ list: z.array(z.string()) }),
    }),
    "c.mjs": exporting(definition("acmehost")),
  });
  expect((await registry.load("acmehost")).id).toBe("acmehost");
  expect(registry.ids()).not.toContain("brokenhost");
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toMatch(
    /^W_PLUGIN --plugin .*a\.mjs: throws while it is loaded: TypeError: no such thing; goes on without it$/,
  );
  expect(warnings[1]).toMatch(/^W_PLUGIN --plugin .*b\.mjs: provider brokenhost: title /);
  expect(warnings[2]).toMatch(/^W_PLUGIN --plugin .*b\.mjs: provider brokenhost: config\.list /);
  await expect(registry.load("brokenhost")).rejects.toThrow(/b\.mjs: provider brokenhost: title/);
  await expect(registry.load("acmehots"), "what was left out is told to whoever misses it").rejects.toThrow(
    /did you mean acmehost\?[\s\S]*a\.mjs: throws while it is loaded/,
  );
});

test.each<readonly [what: string, provider: Provider, contested: string, said: RegExp]>([
  ["an id of dns01", definition("route53"), "route53", /its id route53 belongs to the provider route53 of dns01/],
  [
    "an alias of dns01 as id",
    definition("nsupdate"),
    "nsupdate",
    /its id nsupdate belongs to the provider rfc2136 of dns01/,
  ],
  [
    "an id of dns01 as alias",
    definition("acmehost", { aliases: ["dnspod"] }),
    "dnspod",
    /its alias dnspod belongs to the provider dnspod/,
  ],
])("%s is refused to both: nothing is written through the wrong one", async (_what, provider, contested, said) => {
  const { registry, warnings } = await open(["a.mjs"], { "a.mjs": exporting(provider) });
  expect(warnings).toEqual([expect.stringMatching(said)]);
  await expect(registry.load(contested)).rejects.toThrow(said);
  expect((await registry.load("memory")).id).toBe("memory");
});

test("of two plugins with one id neither is used, whichever is named first", async () => {
  const { registry, warnings } = await open(["a.mjs", "b.mjs"], {
    "a.mjs": exporting(definition("acmehost")),
    "b.mjs": exporting(definition("acmehost")),
  });
  expect(warnings).toEqual([
    expect.stringMatching(/b\.mjs: provider acmehost: its id acmehost belongs to the plugin .*a\.mjs/),
  ]);
  await expect(registry.load("acmehost")).rejects.toThrow(/belongs to the plugin/);
});

test("a module that never finishes loading is left behind after its time", async () => {
  const [ref] = named("a.mjs");
  if (ref === undefined) throw new Error("one is named");
  const never = host({ "a.mjs": () => new Promise(() => {}) });
  const loaded = await loadPlugin(ref, never, { signal, timeoutMs: 20 });
  expect(loaded).toMatchObject({ provider: undefined, issues: [{ path: expect.stringContaining("a.mjs") }] });
  expect(JSON.stringify(loaded)).toContain("did not finish loading within 0.02 s");
});

test("giving up ends the wait for a module at once", async () => {
  const stop = new AbortController();
  const [ref] = named("a.mjs");
  if (ref === undefined) throw new Error("one is named");
  const loading = loadPlugin(ref, host({ "a.mjs": () => new Promise(() => {}) }), { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(loading).rejects.toThrow("enough");
});

test("a package is looked for beside the one who names it, then beside dns01, and named when it is nowhere", async () => {
  const parents: string[] = [];
  const seeing: PluginHost = {
    resolve: (specifier) => specifier,
    import: async (specifier, parent) => {
      parents.push(parent);
      return await host({}).import(specifier, parent);
    },
  };
  const [ref] = named("dns01-acmehost");
  if (ref === undefined) throw new Error("one is named");
  const loaded = await loadPlugin(ref, seeing, { signal });
  expect(parents[0]).toBe(pathToFileURL(join(dir, "_")).href);
  expect(parents[1]).toMatch(/src\/plugins\/load\.ts$/);
  expect(JSON.stringify(loaded)).toMatch(/there is no package of this name/);
});

test("a package that its plugin misses is not taken for the plugin itself", async () => {
  const message = "Cannot find package 'its-sdk' imported from /modules/dns01-acmehost/index.js";
  const { warnings } = await open(["dns01-acmehost"], {
    "dns01-acmehost": async () => {
      throw Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" });
    },
  });
  expect(warnings).toEqual([expect.stringContaining("its-sdk")]);
});

test.each([
  ["a.mjs", "file"],
  ["./a.mjs", "file"],
  ["plain", "file"],
  ["package-like", "file"],
  ["missing.mjs", "nothing"],
  ["./missing", "nothing"],
  ["folder", "package"],
  ["./folder", "nothing"],
  [".", "nothing"],
  ["dns01-acmehost", "package"],
  ["@acme/dns01", "package"],
  ["@acme/dns01/provider", "package"],
  ["https://example.com/acmehost.mjs", "nothing"],
  ["data:text/javascript,1", "nothing"],
  ["file:///nowhere/acmehost.mjs", "nothing"],
  ["Not A Package", "nothing"],
])("%s is a %s", async (text, kind) => {
  expect((await locate({ text, base: dir, from: "--plugin" })).kind).toBe(kind);
});

test.each<readonly [what: string, connect: () => unknown, code: string, said: RegExp]>([
  [
    "throws",
    () => {
      throw new Error("no route");
    },
    "UNKNOWN",
    /connect the service: no route \(in the plugin .*a\.mjs\)$/,
  ],
  ["rejects with nothing", () => Promise.reject(), "UNKNOWN", /connect the service: undefined \(in the plugin/],
  ["returns nothing", () => undefined, "UNKNOWN", /did not return a backend with findZone and apply \(in the plugin/],
  ["returns half a backend", () => ({ findZone: async () => undefined }), "UNKNOWN", /did not return a backend/],
  ["never answers", () => new Promise(() => {}), "TRANSIENT", /connect the service: no answer within 30 s$/],
])("a plugin whose connect %s is named", async (_what, connect, code, said) => {
  const provider = definition("acmehost", { connect: connect as Provider["connect"], plugin: join(dir, "a.mjs") });
  const error: unknown = await connectProvider(provider, {}, { signal, clock: createFastClock(1000) }).catch((e) => e);
  expect(error).toMatchObject({ code, message: expect.stringMatching(/^acmehost: /) });
  expect((error as Error).message).toMatch(said);
  expect(error).toHaveProperty("details.plugin", join(dir, "a.mjs"));
});

test.each<readonly [what: string, call: () => unknown, said: RegExp]>([
  [
    "throws text",
    () => {
      throw "quota";
    },
    /cannot look up the zone example\.com: quota \(in the plugin/,
  ],
  [
    "returns another zone",
    () => ({ apex: "example.net", id: "1" }),
    /asked for exactly example\.com and returned the zone "example\.net" \(in the plugin/,
  ],
  ["returns a number", () => 7, /returned number \(in the plugin/],
])("a plugin whose findZone %s is named", async (_what, call, said) => {
  const backend = { findZone: call, apply: async () => [] };
  const provider = definition("acmehost", { connect: (() => backend) as never, plugin: join(dir, "a.mjs") });
  const connected = await connectProvider(provider, {}, { signal });
  await expect(connected.findZone(parseName("example.com"), { signal, ttlSeconds: 60 })).rejects.toThrow(said);
});
