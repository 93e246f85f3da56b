import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { type DomainName, isWithin, parseName } from "../core/name.ts";
import { nearest } from "../core/nearest.ts";
import type { Redactor } from "../core/redact.ts";
import type { Route } from "../issuer/router.ts";
import { connectSolver } from "../providers.ts";
import { inOrder, type Path } from "./document.ts";
import type { LoadedConfig } from "./load.ts";
import { type ChosenProvider, readProvider } from "./provider-fields.ts";
import type { ConfigFile } from "./schema.ts";
import type { Sources } from "./settings.ts";

/** A provider and the zones it is for; none: for every name. */
export interface ChosenRoute extends ChosenProvider {
  readonly zones: readonly DomainName[];
  /** "dns01.yaml:4 solvers[0]", or the flag that names the provider. */
  readonly place: string;
}

export interface ReadRoutes {
  readonly routes: readonly ChosenRoute[];
  /** The zones of each solver, also of one with other faults; undefined where a zone is at fault, or no provider is named. */
  readonly zones: readonly (readonly DomainName[])[] | undefined;
  readonly issues: readonly ConfigIssue[];
}

/**
 * The providers to write through: `--provider` for every name, else the file's solvers. All faults are returned, none
 * is thrown (the file's own are in `config.issues`), and nothing is called.
 */
export async function readRoutes(sources: Sources): Promise<ReadRoutes> {
  const { flags, config } = sources;
  const id = flags.text("provider");
  if (id !== undefined) {
    const place = flags.source("provider") ?? "--provider";
    const { chosen, issues } = await readProvider(id, place, sources, undefined);
    return {
      routes: chosen === undefined ? [] : [{ ...chosen, zones: [], place }],
      zones: [[]],
      issues,
    };
  }
  const solvers = config.config.solvers ?? [];
  if (solvers.length === 0) {
    const message = "is missing: name a DNS service (dns01 providers lists them), or give solvers in dns01.yaml";
    return { routes: [], zones: undefined, issues: config.issues.length > 0 ? [] : [{ path: "--provider", message }] };
  }
  const read = await Promise.all(solvers.map((solver, index) => readSolver(solver, index, sources)));
  const unused = await readUnusedCredentials(sources);
  const zones = read.flatMap((one) => (one.zones === undefined ? [] : [one.zones]));
  return {
    routes: read.flatMap(({ route }) => (route === undefined ? [] : [route])),
    zones: zones.length === read.length ? zones : undefined,
    issues: inOrder([...read.flatMap(({ issues }) => issues), ...twiceTheSameZone(solvers, config), ...unused]),
  };
}

type Solver = NonNullable<NonNullable<ConfigFile["solvers"]>[number]>;

async function readSolver(
  solver: Solver | undefined,
  index: number,
  sources: Sources,
): Promise<{
  readonly route?: ChosenRoute;
  readonly zones?: readonly DomainName[] | undefined;
  readonly issues: readonly ConfigIssue[];
}> {
  if (solver === undefined) return { issues: [] };
  const { config } = sources;
  const at = (...path: Path) => config.place(["solvers", index, ...path]);
  const zones = readZones(solver, index, config);
  const account = accountOf(solver, index, sources);
  const issues = [...zones.issues, ...account.issues];
  const isKnown = zones.issues.length === 0 && !isFaulty(config, ["solvers", index, "zones"]);
  const known = isKnown ? zones.zones : undefined;
  if (account.provider === undefined) return { zones: known, issues };
  const read = await readProvider(account.provider, account.providerPlace, sources, {
    values: account.values,
    placeOf: account.placeOf,
  });
  issues.push(...read.issues);
  return read.chosen === undefined
    ? { zones: known, issues }
    : { route: { ...read.chosen, zones: zones.zones, place: at() }, zones: known, issues };
}

/** The provider of a solver with its fields: its own, over those of the credentials it names. */
function accountOf(solver: Solver, index: number, { config }: Sources) {
  const at = (...path: Path) => config.place(["solvers", index, ...path]);
  const issues: ConfigIssue[] = [];
  const all = config.config.credentials ?? {};
  const name = solver.credentials;
  const shared = name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
  if (name !== undefined && shared === undefined && !isFaulty(config, ["credentials", name])) {
    const near = nearest(name, Object.keys(all));
    const meant = near === undefined ? "" : `; did you mean "${near}"?`;
    issues.push({ path: at("credentials"), message: `there are no credentials "${name}"${meant}` });
  }
  if (name === undefined && solver.provider === undefined && !isFaulty(config, ["solvers", index, "provider"])) {
    issues.push({ path: at("provider"), message: "is missing: name a provider, or credentials" });
  }
  if (shared?.provider !== undefined && solver.provider !== undefined && shared.provider !== solver.provider) {
    const message = `is ${solver.provider}, but the credentials "${name}" are for ${shared.provider}; leave it out`;
    issues.push({ path: at("provider"), message });
  }
  const own = solver.config ?? {};
  const ttl = solver.ttl === undefined ? {} : { ttl: solver.ttl };
  if (solver.ttl !== undefined && own["ttl"] !== undefined) {
    issues.push({ path: at("ttl"), message: "means the same as config.ttl: give one of them" });
  }
  const placeOf = (keys: readonly string[]) => {
    const [key = ""] = keys;
    if (key === "ttl" && solver.ttl !== undefined) return at("ttl");
    if (key in own || name === undefined) return at("config", ...keys);
    return config.place(["credentials", name, "config", ...keys]);
  };
  return {
    issues,
    provider: shared?.provider ?? solver.provider,
    providerPlace:
      shared?.provider === undefined ? at("provider") : config.place(["credentials", name ?? "", "provider"]),
    values: { ...shared?.config, ...own, ...ttl },
    placeOf,
  };
}

/** Something at or below this path was already found to be wrong, and is left out for that. */
function isFaulty({ issues, place }: LoadedConfig, path: Path): boolean {
  const at = place(path);
  return issues.some((i) => i.path === at || i.path.startsWith(`${at}.`) || i.path.startsWith(`${at}[`));
}

/** Credentials that no solver uses are held to their provider's fields all the same. */
async function readUnusedCredentials(sources: Sources): Promise<readonly ConfigIssue[]> {
  const { config } = sources;
  const used = new Set((config.config.solvers ?? []).map((s) => s?.credentials));
  const unused = Object.entries(config.config.credentials ?? {}).filter(([name]) => !used.has(name));
  const read = await Promise.all(
    unused.map(async ([name, entry]) => {
      if (entry?.provider === undefined) return [];
      const at = (...path: Path) => config.place(["credentials", name, ...path]);
      const values = entry.config ?? {};
      const solver = { values, placeOf: (keys: readonly string[]) => at("config", ...keys) };
      return (await readProvider(entry.provider, at("provider"), sources, solver)).issues;
    }),
  );
  return read.flat();
}

function readZones(solver: Solver, index: number, config: LoadedConfig) {
  const zones: DomainName[] = [];
  const issues: ConfigIssue[] = [];
  for (const [z, text] of (solver.zones ?? []).entries()) {
    if (text === undefined) continue;
    const path = config.place(["solvers", index, "zones", z]);
    try {
      const zone = parseName(text, path);
      if (zone.includes("*")) issues.push({ path, message: `"${text}" has a wildcard; a zone is named without it` });
      else zones.push(zone);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  return { zones, issues };
}

/** Of two solvers for the same zone it would be chance which one writes. */
function twiceTheSameZone(solvers: NonNullable<ConfigFile["solvers"]>, config: LoadedConfig): readonly ConfigIssue[] {
  const seen = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const [index, solver] of solvers.entries()) {
    if (solver === undefined) continue;
    const isDefault = solver.zones === undefined && !isFaulty(config, ["solvers", index, "zones"]);
    const named = (solver.zones ?? []).map((zone, z) => [zone, config.place(["solvers", index, "zones", z])] as const);
    for (const [zone, place] of isDefault ? [["", config.place(["solvers", index])] as const] : named) {
      if (zone === undefined) continue;
      const key = zone.toLowerCase().replace(/\.$/, "");
      const before = seen.get(key);
      seen.set(key, before ?? place);
      if (before === undefined) continue;
      const what = zone === "" ? "has no zones and so is for every name" : `the zone "${zone}" has a solver already`;
      issues.push({
        path: place,
        message: zone === "" ? `${what}, as ${before} is: give one of them zones` : `${what}, at ${before}`,
      });
    }
  }
  return issues;
}

/** Whether one of the solvers may write for this name. */
export function isCovered(solvers: NonNullable<ReadRoutes["zones"]>, name: DomainName): boolean {
  return solvers.some((zones) => zones.length === 0 || zones.some((zone) => isWithin(name, zone)));
}

/** The chosen provider as a route, connected when it is first needed. */
export function routeOf(chosen: ChosenRoute, observer: Observer, redactor: Redactor, signal: AbortSignal): Route {
  const options = { signal, allowAmbientCredentials: true, ownConfig: true, observer, redactor };
  return {
    zones: chosen.zones,
    provider: chosen.provider.id,
    connect: () => connectSolver(chosen.provider, chosen.config, options),
  };
}
