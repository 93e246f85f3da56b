import { directoryFor } from "../config/cas.ts";
import { type PlannedCertificate, requestOf } from "../config/plan.ts";
import { type Deployed, type Deployment, deployStored } from "../deploy/deploy.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import type { RenewTarget } from "../issuer/renew.ts";
import { casOf, renewalRequest } from "../issuer/renewal-request.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import type { RenewPlans } from "./renew-plans.ts";

/** How a certificate is ordered again, by `renew` and by `run` alike. */
export type OrderPlan = Pick<RenewTarget, "names" | "cas" | "prepare" | "wanted">;

interface Sources {
  readonly plans: RenewPlans;
  /** Everything up to finalize, at the CA's staging endpoint where it has one. */
  readonly dryRun: boolean;
}

/** As the file declares it. */
export function planByDeclaration(declared: PlannedCertificate, { plans, dryRun }: Sources): OrderPlan {
  // The address the record has, whatever is done there: a dry run's is chosen in the request.
  const directoryOf = (ca: PlannedCertificate["cas"][number]) => directoryFor(ca.ca, ca.keyType, false);
  return {
    names: declared.identifiers.map((i) => i.text),
    cas: declared.cas.map(directoryOf),
    wanted: {
      keyType: declared.keyType,
      keyTypes: keyTypesOf(declared),
      profile: declared.cas[0]?.profile,
      csr: declared.csr,
    },
    async prepare(directoryUrl) {
      const ca = declared.cas.find((one) => directoryOf(one) === directoryUrl);
      // What is declared has the file's solvers, whichever provider a record names.
      const { plan, solvers } = await plans.planFor({ provider: "" });
      const request = requestOf(plan, declared, { dryRun, ...(ca === undefined ? {} : { ca }) });
      return { request: { ...request, profileOptional: ca?.profileRequired !== true }, solvers };
    },
  };
}

function keyTypesOf({ cas, keyType }: PlannedCertificate): Readonly<Record<string, string>> {
  return Object.fromEntries(cas.map(({ ca, keyType: own = keyType }) => [directoryFor(ca, own, false), own] as const));
}

/** As its record says, where the file does not declare it. */
export function planByRecord(meta: CertificateMeta, { plans, dryRun }: Sources): OrderPlan {
  return {
    names: meta.domains,
    cas: casOf(meta),
    async prepare(directoryUrl) {
      const { plan, solvers } = await plans.planFor(meta);
      const { ca, rootPem, contact, eab } = plans.caOf(directoryUrl);
      const address = dryRun ? (ca.staging ?? directoryUrl) : directoryUrl;
      const { propagation } = plan.dns;
      const how = { ca: { directoryUrl: address, rootPem, contact, eab }, propagation, dryRun };
      return { request: renewalRequest(meta, how), solvers };
    },
  };
}

/** Brings the stored certificate of this name to where it is used. */
export async function deployNamed(
  name: string,
  deployment: Deployment,
  { input, store }: { readonly input: CommandInput; readonly store: Store },
): Promise<Deployed | undefined> {
  const { io, observer, redactor } = input;
  return await deployStored(name, deployment, {
    certificates: store.certificates,
    now: () => new Date(),
    env: io.env,
    signal: io.signal,
    observer,
    redact: redactor.redact,
  });
}
