import { createRenewalInfoClient, type RenewalInfoClient } from "../acme/ari.ts";
import { cas } from "../acme/directories.ts";
import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { openBudget } from "../issuer/budget-use.ts";
import { loadKnown, type RenewOutcome, type RenewTarget, renewAll } from "../issuer/renew.ts";
import { casOf, renewalRequest } from "../issuer/renewal-request.ts";
import { shareRouter } from "../issuer/shared-router.ts";
import { type Engine, type EngineOptions, openEngine, userAgent } from "./engine.ts";
import { checkOptions } from "./options.ts";
import { inOptionWords, rewordError } from "./wording.ts";

export interface RenewOptions extends EngineOptions {
  /** Which of the stored certificates; all of them when left out. */
  readonly names?: readonly string[];
  /** Renew what is not due, too. */
  readonly force?: boolean;
  /** Everything up to finalize for what is due; nothing is stored. */
  readonly dryRun?: boolean;
  /** Certificates worked on at once; default 4. */
  readonly parallel?: number;
  /** Told to the CA where it is another than before. */
  readonly email?: string;
}

/**
 * Renews what is due of the certificates below `stateDir`, as their records say; the engine of `dns01 renew`. Answers
 * with what became of each: one failure does not stop the others, and is not thrown. Throws ConfigError before any call,
 * and the reason of its signal.
 *
 * @example
 * for (const { name, status, error } of await renew({ stateDir: "./state", solvers })) {
 *   if (error !== undefined) console.error(name, status, error.message);
 * }
 */
export async function renew(options: RenewOptions): Promise<readonly RenewOutcome[]> {
  const outcomes = await inOptionWords(run(options));
  for (const { error } of outcomes) rewordError(error);
  return outcomes;
}

async function run(options: RenewOptions): Promise<readonly RenewOutcome[]> {
  const { sound, issues } = checkOptions("renew", options);
  const engine = await openEngine(options, sound, "renew", issues);
  const { store, deps } = engine;
  const clients = new Map<string, RenewalInfoClient>();
  const renewalInfo = (directoryUrl: string) => {
    const client =
      clients.get(directoryUrl) ??
      createRenewalInfoClient({ directoryUrl, caRoot: options.caRoot, userAgent, observer: deps.observer });
    clients.set(directoryUrl, client);
    return client;
  };
  const budget = await openBudget(store.budget, deps);
  const { force = false, dryRun = false, parallel = 4 } = options;
  try {
    const known = await loadKnown(await chosenNames(options, engine), store.certificates);
    const targetOf = targetsFor(options, engine);
    return await renewAll(
      known.map(targetOf),
      { force, dryRun, parallel },
      { ...deps, renewals: store.renewals, budget, renewalInfo, observerFor: () => deps.observer },
    );
  } finally {
    for (const client of clients.values()) client.close();
  }
}

async function chosenNames({ names }: RenewOptions, { store }: Engine): Promise<readonly string[]> {
  const stored = await store.certificates.names();
  const issues = (names ?? []).flatMap((name, i) => {
    if (stored.includes(name)) return [];
    const near = nearest(name, stored);
    const meant = near === undefined ? "" : `; did you mean "${near}"?`;
    return [{ path: `names[${i}]`, message: `no certificate "${name}" is stored${meant}` }];
  });
  if (issues.length > 0) throw new ConfigError(issues);
  return names === undefined ? stored : [...new Set(names)];
}

function targetsFor({ caRoot, email, dryRun = false }: RenewOptions, { deps, propagation }: Engine) {
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  return (known: Pick<RenewTarget, "name" | "stored" | "fault">): RenewTarget => {
    const meta = known.stored?.meta;
    if (meta === undefined) return { ...known, names: [], cas: [], prepare: () => Promise.reject(known.fault) };
    return {
      ...known,
      names: meta.domains,
      cas: casOf(meta),
      async prepare(directoryUrl) {
        const staging = Object.values(cas).find((ca) => ca.directoryUrl === directoryUrl)?.staging;
        const ca = {
          directoryUrl: dryRun ? (staging ?? directoryUrl) : directoryUrl,
          rootPem: caRoot,
          contact: email === undefined ? [] : [`mailto:${email}`],
        };
        return { request: renewalRequest(meta, { ca, propagation, dryRun }), solvers };
      },
    };
  };
}
