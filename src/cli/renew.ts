import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { createHintStore } from "../issuer/hints.ts";
import { openDns } from "../issuer/network.ts";
import { loadKnown, type RenewDeps, renewAll } from "../issuer/renew.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { readDeployment } from "./deployment.ts";
import { storedName } from "./named.ts";
import { type RenewPlans, readRenewPlans } from "./renew-plans.ts";
import { renewDocument, renewStatus, renewText } from "./renew-report.ts";
import { targetOf } from "./renew-targets.ts";
import { createRenewWarnings } from "./renew-warnings.ts";
import { createRenewalInfos, openEngine } from "./renewal-engine.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 renew`: every stored certificate that is due. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const plans = await readRenewPlans(input);
    const faults = [...input.issues, ...plans.issues];
    const deployment = await readDeployment(input, faults);
    failOn(faults);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "renew" });
    const names = await chosenNames(flags.positionals, store, plans);
    const known = await loadKnown(names, store.certificates);
    const options = {
      force: flags.on("force"),
      dryRun: flags.on("dry-run"),
      parallel: Math.max(1, flags.integer("parallel") ?? 4),
    };
    const warned = createRenewWarnings(
      known.map(({ name }) => name),
      observer,
      input.warnings,
    );
    const deps = await renewDeps(input, store, plans, warned.observerFor);
    const targets = known.map((one) => targetOf(one, { plans, options, input, store, deployment }));
    try {
      const outcomes = await renewAll(targets, options, deps);
      return {
        json: renewDocument(outcomes, warned),
        text: renewText(outcomes),
        status: renewStatus(outcomes),
        errors: outcomes.flatMap(({ name, error }) => (error === undefined ? [] : [{ name, error }])),
      };
    } finally {
      deps.close();
    }
  },
};

/** Those that were named, else all; whatever is unknown is told at once, before anything happens. */
async function chosenNames(
  asked: readonly string[],
  { certificates }: Store,
  plans: RenewPlans,
): Promise<readonly string[]> {
  if (asked.length === 0) return await certificates.names();
  const chosen = new Set<string>();
  const issues: ConfigIssue[] = [];
  for (const typed of asked) {
    try {
      chosen.add(await storedName(certificates, typed));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const message = `"${typed}" is declared, but not issued yet: \`dns01 issue --name ${typed}\` does that, and \`dns01 run\` by itself`;
      issues.push(...(plans.declared(typed) === undefined ? error.issues : [{ path: "NAME", message }]));
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
