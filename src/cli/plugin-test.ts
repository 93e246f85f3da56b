import { access } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { readDnsSettings } from "../config/dns-settings.ts";
import { readSecretFile } from "../config/provider-fields.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { resolveConfig } from "../core/fields.ts";
import { parseName } from "../core/name.ts";
import type { Provider } from "../core/provider.ts";
import { openDns } from "../issuer/network.ts";
import type { Namespace } from "../plugins/host.ts";
import { importAsPlugin, loadFault, loadPlugin } from "../plugins/load.ts";
import { connectProvider, connectUnguarded } from "../providers.ts";
import { cases, type Fake, withFake } from "../testing/index.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { openLiveZone } from "./live-zone.ts";
import { watchPlugins } from "./plugins.ts";
import { type RuleResult, ruleLines, runRules } from "./rules.ts";

/** `dns01 plugin test`: the conformance suite against one plugin, by its fake or in a real zone. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const dns = readDnsSettings(flags);
    const rules = chosenRules(flags.list("rule"), flags.source("rule") ?? "--rule");
    failOn([...input.issues, ...dns.issues, ...rules.issues]);
    watchPlugins(observer);
    const zone = flags.text("zone");
    const { provider, file } = await readPlugin(input);
    const { fake, path: fakePath } = await readFake(input, provider, file);
    const seed = flags.integer("seed") ?? Math.floor(Math.random() * 1e9);
    const common = { rules: rules.rules, seed, signal: io.signal };
    if (zone === undefined) {
      if (fake === undefined || fakePath === undefined) throw noFake(provider, file);
      const operations = flags.integer("operations") ?? 1000;
      const results = await runRules(withFake(provider, fake), { ...common, operations, limitMs: 120_000 });
      return output({ provider: provider.id, plugin: file, fake: fakePath, seed, operations }, results);
    }
    const operations = flags.integer("operations") ?? 20;
    const apex = parseName(zone, flags.source("zone") ?? "--zone");
    const resolved = await resolveConfig(provider, {
      env: io.env,
      readFile: (name) => readSecretFile(name, observer),
      redactor: input.redactor,
    });
    const connect = (signal: AbortSignal, raw?: "raw") => {
      const options = { signal, observer, redactor: input.redactor, allowAmbientCredentials: true, ownConfig: true };
      return (raw === undefined ? connectProvider : connectUnguarded)(provider, resolved.config, options);
    };
    const live = await openLiveZone({
      provider,
      apex,
      connect,
      dns: await openDns(dns.settings, observer),
      timeoutMs: dns.settings.propagation.timeoutMs,
      writers: fake?.writers,
      skip: fake?.skip,
      observer,
      signal: io.signal,
    });
    try {
      const onResult = (r: RuleResult) => observer({ type: "log", level: "info", text: `${r.outcome} ${r.id}` });
      const limitMs = 10 * dns.settings.propagation.timeoutMs;
      const results = await runRules(live.subject, { ...common, operations, limitMs, onResult });
      return output({ provider: provider.id, plugin: file, zone: apex, seed, operations }, results);
    } finally {
      await live.close();
    }
  },
};

interface Head {
  readonly provider: string;
  readonly plugin: string | undefined;
  readonly fake?: string;
  readonly zone?: string;
  readonly seed: number;
  readonly operations: number;
}

function output(head: Head, rules: readonly RuleResult[]) {
  const count = (outcome: RuleResult["outcome"]) => rules.filter((r) => r.outcome === outcome).length;
  const [passed, failed, skipped] = [count("pass"), count("fail"), count("skip")];
  const against = head.zone === undefined ? `its fake ${basename(head.fake ?? "")}` : `the real zone ${head.zone}`;
  const sum = `${passed} rules hold, ${failed} fail, ${skipped} skipped (seed ${head.seed})`;
  return {
    json: { ...head, passed, failed, skipped, rules },
    text: [`${head.provider} against ${against}`, "", ...ruleLines(rules), "", sum, ""].join("\n"),
    // The provider is refused, as a service may refuse a request.
    status: failed > 0 ? 3 : 0,
  };
}

/** By id or subject; all of them when none is named. */
function chosenRules(names: readonly string[], path: string) {
  const fits = (name: string, id: string) => id === name || id.startsWith(`${name}.`);
  const unknown = names.filter((name) => !cases.some(({ id }) => fits(name, id)));
  const subjects = [...new Set(cases.map(({ id }) => id.split(".")[0]))].join(", ");
  const issues: readonly ConfigIssue[] = unknown.map((name) => ({
    path,
    message: `"${name}" is no rule; their subjects are ${subjects}`,
  }));
  return { issues, rules: names.length === 0 ? cases : cases.filter(({ id }) => names.some((name) => fits(name, id))) };
}

async function readPlugin({
  flags,
  io,
  plugins,
  registry,
}: CommandInput): Promise<{ readonly provider: Provider; readonly file: string | undefined }> {
  const text = flags.positionals[0] ?? "";
  // In a real zone the providers that come with dns01 can be tried as well; their fakes do not come with it.
  if (flags.text("zone") !== undefined && registry.ids().includes(text)) {
    return { provider: await registry.load(text), file: undefined };
  }
  const ref = { text, base: process.cwd(), from: "plugin" };
  const loaded = await loadPlugin(ref, plugins, { signal: io.signal });
  if (loaded.provider !== undefined) return loaded;
  const hint = /\.[cm]?ts$/.test(text) ? "In a checkout of dns01: npm test -- ID." : undefined;
  throw new ConfigError(loaded.issues, { hint });
}

interface FoundFake {
  readonly fake: Fake | undefined;
  readonly path: string | undefined;
}

async function readFake(
  { flags, io, plugins }: CommandInput,
  { id }: Provider,
  file: string | undefined,
): Promise<FoundFake> {
  const named = flags.text("fake");
  const path = named === undefined ? await besides(file, id) : resolve(named);
  if (path === undefined) return { fake: undefined, path: undefined };
  const at = named === undefined ? path : `${flags.source("fake") ?? "--fake"} ${path}`;
  const fault = (message: string) => new ConfigError([{ path: at, message }], { provider: id });
  if (named !== undefined && !(await isThere(path))) throw fault("there is no such file");
  const namespace = await importAsPlugin(path, at, plugins, { signal: io.signal }).catch((error: unknown) => {
    io.signal.throwIfAborted();
    throw error instanceof ConfigError ? error : fault(loadFault(error));
  });
  return { fake: checkFake(namespace, fault), path };
}

function checkFake({ start, skip = {}, writers }: Namespace, fault: (message: string) => ConfigError): Fake {
  if (typeof start !== "function")
    throw fault("exports no function start: export const start = (zones) => startFake(…)");
  if (typeof skip !== "object" || skip === null || Object.values(skip).some((reason) => typeof reason !== "string")) {
    throw fault('its skip has to be an object of rules with reasons: { "adding.again": "…" }');
  }
  const unknown = Object.keys(skip).filter((rule) => !cases.some(({ id }) => id === rule));
  if (unknown.length > 0) throw fault(`its skip names rules that do not exist: ${unknown.join(", ")}`);
  if (writers !== undefined && (typeof writers !== "number" || !Number.isInteger(writers) || writers < 1)) {
    throw fault("its writers has to be a whole number, 1 or more");
  }
  return {
    start: start as Fake["start"],
    skip: skip as Readonly<Record<string, string>>,
    ...(writers === undefined ? {} : { writers }),
  };
}

/** The fake by convention: acmehost.mjs has acmehost.fake.mjs beside it. */
async function besides(file: string | undefined, id: string): Promise<string | undefined> {
  if (file === undefined || extname(file) === "") return undefined;
  const stem = basename(file, extname(file));
  for (const name of [`${stem}.fake.mjs`, `${stem}.fake.js`, `${id}.fake.mjs`]) {
    const path = join(dirname(file), name);
    if (await isThere(path)) return path;
  }
  return undefined;
}

function noFake({ id }: Provider, file: string | undefined): ConfigError {
  const message = `there is no ${id}.fake.mjs beside ${file ?? id}; name the fake of the service, or a real zone with --zone NAME`;
  return new ConfigError([{ path: "--fake", message }], {
    hint: `dns01 plugin new ${id} writes a fake to begin with.`,
  });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
