import type { Observer } from "../core/events.ts";
import type { Deployment } from "../deploy/deploy.ts";
import type { RenewOptions, RenewTarget } from "../issuer/renew.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import { deployNamed, planByDeclaration, planByRecord } from "./order-plan.ts";
import type { RenewPlans } from "./renew-plans.ts";

interface Sources {
  readonly plans: RenewPlans;
  readonly options: RenewOptions;
  readonly input: CommandInput;
  readonly store: Store;
  /** Hears what is done for the certificate of this name. */
  readonly observerFor: (name: string) => Observer;
  /** For what the file does not declare. */
  readonly deployment: Deployment;
}

/** How a certificate is ordered: as the file declares it, else as its record says. */
export function targetOf(known: Pick<RenewTarget, "name" | "stored" | "fault">, sources: Sources): RenewTarget {
  const { stored } = known;
  const { plans, options, deployment, input, store } = sources;
  const how = { plans, dryRun: options.dryRun };
  const declared = plans.declared(known.name);
  const plan = declared !== undefined ? planByDeclaration(declared, how) : stored && planByRecord(stored.meta, how);
  if (plan === undefined) return { ...known, names: [], cas: [], prepare: () => Promise.reject(known.fault) };
  return {
    ...known,
    ...plan,
    deploy: async () => {
      const observer = sources.observerFor(known.name);
      await deployNamed(known.name, declared?.deployment ?? deployment, { store, input: { ...input, observer } });
    },
  };
}
