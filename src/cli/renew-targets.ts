import { directoryFor } from "../config/cas.ts";
import { type PlannedCertificate, requestOf } from "../config/plan.ts";
import { type Deployment, deployStored } from "../deploy/deploy.ts";
import type { KnownCertificate, RenewOptions, RenewTarget } from "../issuer/renew.ts";
import { casOf, renewalRequest } from "../issuer/renewal-request.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import type { RenewPlans } from "./renew-plans.ts";

interface Sources {
  readonly plans: RenewPlans;
  readonly options: RenewOptions;
  readonly input: CommandInput;
  readonly store: Store;
  /** For what the file does not declare. */
  readonly deployment: Deployment;
}

/** How a stored certificate is renewed: as the file declares it, else as its record says. */
export function targetOf(known: Pick<RenewTarget, "name" | "stored" | "fault">, sources: Sources): RenewTarget {
  const { stored } = known;
  if (stored === undefined) return { ...known, names: [], cas: [], prepare: () => Promise.reject(known.fault) };
  const declared = sources.plans.declared(known.name);
  return {
    ...known,
    ...(declared === undefined ? byRecord(stored, sources) : byDeclaration(declared, stored, sources)),
    deploy: async () => {
      const deployment = declared?.deployment ?? sources.deployment;
      const { io, observer, redactor } = sources.input;
      const deps = {
        certificates: sources.store.certificates,
        now: () => new Date(),
        env: io.env,
        signal: io.signal,
        observer,
        redact: redactor.redact,
      };
      await deployStored(known.name, deployment, deps);
    },
  };
}

function byDeclaration(
  declared: PlannedCertificate,
  { meta }: KnownCertificate,
  { plans, options }: Sources,
): Omit<RenewTarget, "name" | "stored"> {
  const directoryOf = (ca: PlannedCertificate["cas"][number]) => directoryFor(ca.ca, ca.keyType, false);
  return {
    names: declared.identifiers.map((i) => i.text),
    cas: declared.cas.map(directoryOf),
    async prepare(directoryUrl) {
      const ca = declared.cas.find((one) => directoryOf(one) === directoryUrl);
      const { plan, solvers } = await plans.planFor(meta);
      const request = requestOf(plan, declared, { dryRun: options.dryRun, ...(ca === undefined ? {} : { ca }) });
      return { request: { ...request, profileOptional: ca?.profileRequired !== true }, solvers };
    },
  };
}

function byRecord({ meta }: KnownCertificate, { plans, options }: Sources): Omit<RenewTarget, "name" | "stored"> {
  return {
    names: meta.domains,
    cas: casOf(meta),
    async prepare(directoryUrl) {
      const { plan, solvers } = await plans.planFor(meta);
      const { ca, rootPem, contact, eab } = plans.caOf(directoryUrl);
      const address = options.dryRun ? (ca.staging ?? directoryUrl) : directoryUrl;
      const { propagation } = plan.dns;
      const { dryRun } = options;
      const request = renewalRequest(meta, {
        ca: { directoryUrl: address, rootPem, contact, eab },
        propagation,
        dryRun,
      });
      return { request, solvers };
    },
  };
}
