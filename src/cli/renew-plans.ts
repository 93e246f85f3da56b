import { type PlannedCa, readCas } from "../config/cas.ts";
import { readDnsSettings } from "../config/dns-settings.ts";
import { type Plan, type PlannedCertificate, readPlan } from "../config/plan.ts";
import { routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { BatchingOptions } from "../issuer/batching.ts";
import type { DnsSettings } from "../issuer/network.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import type { SolverRouter } from "../issuer/request.ts";
import { createRouter } from "../issuer/router.ts";
import { type SharedRouter, shareRouter } from "../issuer/shared-router.ts";
import { flagsOf } from "./args.ts";
import type { CommandInput } from "./command.ts";
import { registeredIn } from "./registered.ts";

export interface RenewPlan {
  readonly plan: Plan;
  readonly solvers: SharedRouter;
}

/** What flags, environment and file say on renewals. */
export interface RenewPlans {
  readonly issues: readonly ConfigIssue[];
  readonly dns: DnsSettings;
  /** The file's word on a certificate of this name. */
  declared(name: string): PlannedCertificate | undefined;
  /** All that the file declares. */
  readonly certificates: readonly PlannedCertificate[];
  /** Those that share names, in words. */
  readonly overlaps: readonly string[];
  /** PEM trusted besides the system's for this CA. */
  rootOf(directoryUrl: string): string | undefined;
  caOf(directoryUrl: string): PlannedCa;
  /**
   * With the solvers for a certificate: those of --provider or of the file, else of the provider that its record names,
   * with the fields that the environment has for it. Throws ConfigError.
   */
  planFor(meta: Pick<CertificateMeta, "provider">): Promise<RenewPlan>;
  /** For values that an earlier run left in DNS. */
  readonly leftovers: SolverRouter;
}

/**
 * Nothing is asked of the providers of the records before one of them is due. `filesRead` gets what is read besides the
 * configuration file, also later.
 */
export async function readRenewPlans(
  input: CommandInput,
  windows: Omit<BatchingOptions, "clock"> = {},
  filesRead?: Set<string>,
): Promise<RenewPlans> {
  const { flags, io, redactor, registry, observer } = input;
  const config = await input.loadConfig();
  const isRegistered = registeredIn(input);
  const sources = { flags, env: io.env, redactor, config, registry, observer, filesRead, isRegistered };
  const isSaid =
    flags.text("provider") !== undefined ||
    (config.config.solvers ?? []).length > 0 ||
    (config.config.certificates ?? []).length > 0;
  const said = isSaid ? await readPlan(sources) : undefined;
  const dns = readDnsSettings(flags);
  const cas = await readCas(sources);
  const plans = new Map<string, Promise<RenewPlan>>();

  const open = (plan: Plan): RenewPlan => ({
    plan,
    solvers: shareRouter(createRouter(plan.routes.map((r) => routeOf(r, observer, redactor, io.signal))), {
      clock: systemClock,
      ...windows,
    }),
  });
  const ofRecord = async (provider: string): Promise<RenewPlan> => {
    if (provider.includes(",")) {
      const message = `is missing: the certificate was made with ${provider}; say in dns01.yaml which is for which zone`;
      throw new ConfigError([{ path: "solvers", message }]);
    }
    const given = new Map(flags.given).set("provider", { values: [provider], source: "--provider" });
    const read = await readPlan({ ...sources, flags: flagsOf(flags.positionals, given) });
    if (read.issues.length > 0) throw new ConfigError(read.issues);
    return open(read.complete());
  };
  const planOf = (provider: string): Promise<RenewPlan> => {
    const key = said === undefined ? provider : "";
    const plan = plans.get(key) ?? (said === undefined ? ofRecord(provider) : Promise.resolve(open(said.complete())));
    plans.set(key, plan);
    // A file of credentials that is not there yet may be by the next time.
    plan.catch(() => plans.delete(key));
    return plan;
  };

  return {
    issues: [...(said?.issues ?? []), ...dns.issues, ...cas.issues],
    dns: dns.settings,
    // Asked for only when there are no issues.
    get certificates() {
      return said?.complete().certificates ?? [];
    },
    get overlaps() {
      return said?.complete().overlaps ?? [];
    },
    declared: (name) => said?.complete().certificates.find((c) => c.name === name),
    rootOf: (directoryUrl) => cas.of(directoryUrl).rootPem,
    caOf: (directoryUrl) => cas.of(directoryUrl),
    planFor: ({ provider }) => planOf(provider),
    leftovers: {
      solverFor: () => Promise.reject(new Error("only for what is left")),
      async solverOf(provider, owner) {
        // Without its credentials it stays in the journal, with a warning.
        const { solvers } = (await planOf(provider).catch(() => undefined)) ?? {};
        return await solvers?.leftovers.solverOf(provider, owner);
      },
    },
  };
}
