import { readFile } from "node:fs/promises";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { fieldsOf, resolveConfig } from "../core/fields.ts";
import type { DomainName } from "../core/name.ts";
import type { Provider } from "../core/provider.ts";
import type { Redactor } from "../core/redact.ts";
import { createSolver } from "../core/solver.ts";
import type { Route } from "../issuer/router.ts";
import { connectProvider, loadProvider } from "../providers.ts";
import type { Flags } from "./args.ts";

/** A provider and its checked configuration, not yet connected. */
export interface ChosenProvider {
  readonly provider: Provider;
  readonly config: Awaited<ReturnType<typeof resolveConfig>>;
}

/** Reads `--provider` and its fields from flags and environment. All faults are returned, none thrown. */
export async function readProvider(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
  redactor: Redactor,
): Promise<{ readonly chosen: ChosenProvider | undefined; readonly issues: readonly ConfigIssue[] }> {
  const id = flags.text("provider");
  if (id === undefined) {
    return { chosen: undefined, issues: [{ path: "--provider", message: "is missing; dns01 providers lists them" }] };
  }
  try {
    const provider = await loadProvider(id);
    const byFlag = Object.fromEntries(
      fieldsOf(provider).flatMap((field) => {
        const name = field.flag?.replace(/^--/, "");
        const value = name === undefined ? undefined : flags.given.get(name);
        return value === undefined ? [] : [[field.name, value.values.at(-1) ?? ""]];
      }),
    );
    const config = await resolveConfig(provider, {
      env,
      readFile: (path) => readFile(path, "utf8"),
      flags: byFlag,
      redactor,
    });
    return { chosen: { provider, config }, issues: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { chosen: undefined, issues: error.issues };
    throw error;
  }
}

/** The chosen provider as a route, connected when it is first needed. */
export function routeOf(
  chosen: ChosenProvider,
  zones: readonly DomainName[],
  observer: Observer,
  signal: AbortSignal,
): Route {
  return {
    zones,
    provider: chosen.provider.id,
    connect: async () => {
      const backend = await connectProvider(chosen.provider, chosen.config.config, {
        signal,
        allowAmbientCredentials: true,
        observer,
        clock: systemClock,
      });
      const { ttlSeconds } = chosen.config;
      return createSolver({ provider: chosen.provider, backend, ttlSeconds, observer, clock: systemClock });
    },
  };
}
