import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Deployment } from "../deploy/deploy.ts";
import { createHintStore } from "../issuer/hints.ts";
import { openDns } from "../issuer/network.ts";
import { loadKnown, type RenewDeps, renewAll } from "../issuer/renew.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, type CommandInput, type CommandOutput, failOn } from "./command.ts";
import { readDeployment } from "./deployment.ts";
import { nameAmong } from "./named.ts";
import { type RenewPlans, readRenewPlans } from "./renew-plans.ts";
import { noCertificates, renewDocument, renewStatus, renewText } from "./renew-report.ts";
import { targetOf } from "./renew-targets.ts";
import { createRenewWarnings } from "./renew-warnings.ts";
import { createRenewalInfos, openEngine } from "./renewal-engine.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 renew`: every certificate that is declared or stored, if it is missing or due. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const plans = await readRenewPlans(input);
    const faults = [...input.issues, ...plans.issues];
    const deployment = await readDeployment(input, faults);
    failOn(faults);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "renew" });
    return await renewRound(input, store, { plans, deployment });
  },
};

interface Round {
  readonly plans: RenewPlans;
  /** For what the file does not declare. */
  readonly deployment: Deployment;
  readonly ordersPerSecond?: number;
}

/** One round over the certificates that were named, else over all that are declared or stored. */
export async function renewRound(
  input: CommandInput,
  store: Store,
  { plans, deployment, ordersPerSecond }: Round,
): Promise<CommandOutput> {
  const { flags, observer } = input;
  const names = await chosenNames(flags.positionals, store, plans);
  const known = await loadKnown(names, store.certificates);
  const options = {
    force: flags.on("force"),
    dryRun: flags.on("dry-run"),
    parallel: Math.max(1, flags.integer("parallel") ?? 4),
    ...(ordersPerSecond === undefined ? {} : { ordersPerSecond }),
  };
  const warned = createRenewWarnings(
    known.map(({ name }) => name),
    observer,
    input.warnings,
  );
  const deps = await renewDeps(input, store, plans, warned.observerFor);
  const { observerFor } = warned;
  const targets = known.map((one) => targetOf(one, { plans, options, input, store, deployment, observerFor }));
  try {
    const outcomes = await renewAll(targets, options, deps);
    const { file } = await input.loadConfig();
    return {
      json: renewDocument(outcomes, warned),
      text: renewText(outcomes, { quiet: flags.on("quiet"), none: noCertificates(file, store.dir) }),
      status: renewStatus(outcomes),
      errors: outcomes.flatMap(({ name, error }) => (error === undefined ? [] : [{ name, error }])),
    };
  } finally {
    deps.close();
  }
}

/** Those that were named, else all that are declared or stored; an unknown name is an error before anything happens. */
async function chosenNames(
  asked: readonly string[],
  { certificates }: Store,
  plans: RenewPlans,
): Promise<readonly string[]> {
  const known = new Set([...(await certificates.names()), ...plans.certificates.map(({ name }) => name)]);
  if (asked.length === 0) return [...known].sort();
  const chosen = new Set<string>();
  const issues: ConfigIssue[] = [];
  for (const typed of asked) {
    try {
      chosen.add(nameAmong([...known], typed));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  failOn(issues);
  return [...chosen];
}

async function renewDeps(
  input: CommandInput,
  store: Store,
  plans: RenewPlans,
  observerFor: RenewDeps["observerFor"],
): Promise<RenewDeps & { close(): void }> {
  const engine = await openEngine(input, store);
  const infos = createRenewalInfos(input, plans.rootOf);
  return {
    ...engine,
    renewalInfo: infos.of,
    solvers: plans.leftovers,
    dns: await openDns(plans.dns, input.observer, createHintStore(store.hints)),
    observerFor,
    close() {
      infos.forget();
      engine.close();
    },
  };
}
