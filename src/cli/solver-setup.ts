import { readFile } from "node:fs/promises";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { fieldsOf, resolveConfig } from "../core/fields.ts";
import { type DomainName, parseName } from "../core/name.ts";
import type { Provider } from "../core/provider.ts";
import type { Redactor } from "../core/redact.ts";
import type { Route } from "../issuer/router.ts";
import { connectSolver, type Registry } from "../providers.ts";
import { readableByOthers } from "../store/index.ts";
import type { Flags } from "./args.ts";

/** A provider and its checked configuration, not yet connected. */
export interface ChosenProvider {
  readonly provider: Provider;
  readonly config: Awaited<ReturnType<typeof resolveConfig>>;
}

/** A provider and the zones it is for; none: for every name. */
export interface ChosenRoute extends ChosenProvider {
  readonly zones: readonly DomainName[];
}

interface Sources {
  readonly flags: Flags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
  readonly config: LoadedConfig;
  readonly registry: Registry;
  readonly observer: Observer;
}

/**
 * The providers to write through: `--provider` for every name, else the file's solvers. All faults are returned, none
 * thrown, and nothing is called.
 */
export async function readRoutes(
  sources: Sources,
): Promise<{ readonly routes: readonly ChosenRoute[]; readonly issues: readonly ConfigIssue[] }> {
  const { flags, config } = sources;
  const id = flags.text("provider");
  if (id !== undefined) {
    const { chosen, issues } = await readProvider(id, flags.source("provider") ?? "--provider", sources, undefined);
    return { routes: chosen === undefined ? [] : [{ ...chosen, zones: [] }], issues };
  }
  const solvers = config.config.solvers ?? [];
  if (solvers.length === 0) {
    const message = "is missing: name a DNS service (dns01 providers lists them), or give solvers in dns01.yaml";
    return { routes: [], issues: [{ path: "--provider", message }] };
  }
  const routes: ChosenRoute[] = [];
  const issues: ConfigIssue[] = [];
  for (const [index, solver] of solvers.entries()) {
    const at = config.place(["solvers", index, "provider"]);
    const read = await readProvider(solver.provider, at, sources, { index, values: solver.config ?? {} });
    issues.push(...read.issues);
    const zones: DomainName[] = [];
    for (const [z, zone] of (solver.zones ?? []).entries()) {
      try {
        zones.push(parseName(zone, config.place(["solvers", index, "zones", z])));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        issues.push(...error.issues);
      }
    }
    if (read.chosen !== undefined) routes.push({ ...read.chosen, zones });
  }
  return { routes, issues };
}

async function readProvider(
  id: string,
  path: string,
  { flags, env, redactor, config: file, registry, observer }: Sources,
  solver: { readonly index: number; readonly values: Readonly<Record<string, unknown>> } | undefined,
): Promise<{ readonly chosen: ChosenProvider | undefined; readonly issues: readonly ConfigIssue[] }> {
  try {
    const provider = await registry.load(id);
    const byFlag = Object.fromEntries(
      fieldsOf(provider).flatMap((field) => {
        const name = field.flag?.replace(/^--/, "");
        const value = name === undefined ? undefined : flags.given.get(name);
        return value === undefined ? [] : [[field.name, value.values.at(-1) ?? ""]];
      }),
    );
    const config = await resolveConfig(provider, {
      env,
      readFile: (name) => readSecretFile(name, observer),
      flags: byFlag,
      redactor,
      ...(solver === undefined
        ? {}
        : {
            config: solver.values,
            configPath: file.place(["solvers", solver.index, "config"]),
            inlineSecrets: flags.on("allow-inline-secrets") ? ("allow" as const) : ("refuse" as const),
          }),
    });
    return { chosen: { provider, config }, issues: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { chosen: undefined, issues: error.issues.map((i) => (i.path === "--provider" ? { ...i, path } : i)) };
  }
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

/** Reads a credential's file, and says so when other users of the machine could as well. */
export async function readSecretFile(path: string, observer: Observer): Promise<string> {
  const text = await readFile(path, "utf8");
  const warning = await readableByOthers(path);
  if (warning !== undefined) observer({ type: "warning", code: "W_FILE_MODE", text: warning });
  return text;
}
