import { directoryFor } from "../config/cas.ts";
import { type PlannedCertificate, requestOf } from "../config/plan.ts";
import { type Deployment, deployStored } from "../deploy/deploy.ts";
import { createHintStore } from "../issuer/hints.ts";
import { inParallel } from "../issuer/in-parallel.ts";
import { openDns } from "../issuer/network.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import { casOf, renewalRequest } from "../issuer/renewal-request.ts";
import type { DnsDeps } from "../issuer/request.ts";
import type { WatchTarget } from "../issuer/watch.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import type { RenewPlans } from "./renew-plans.ts";

/** The configuration that is in force, and what it opens. */
export interface Generation {
  readonly plans: RenewPlans;
  /** For what the file does not declare. */
  readonly deployment: Deployment;
  readonly dns: DnsDeps;
}

const readsAtOnce = 16;

interface Sources {
  readonly generation: Generation;
  readonly input: CommandInput;
  readonly store: Store;
}

export async function openGeneration(
  plans: RenewPlans,
  deployment: Deployment,
  { input, store }: Omit<Sources, "generation">,
): Promise<Generation> {
  return { plans, deployment, dns: await openDns(plans.dns, input.observer, createHintStore(store.hints)) };
}

/**
 * What the file declares, and whatever else is stored, as its record says. `known`: what need not be read again.
 * `onFault`: a record that cannot be read.
 */
export async function targetsOf(
  sources: Sources,
  known: ReadonlyMap<string, WatchTarget>,
  onFault: (name: string, error: unknown) => void,
): Promise<readonly WatchTarget[]> {
  const { plans } = sources.generation;
  const declared = plans.certificates.map((certificate) => byDeclaration(certificate, sources));
  const names = new Set(declared.map(({ name }) => name));
  const others = (await sources.store.certificates.names()).filter((name) => !names.has(name));
  const read = await inParallel(others, readsAtOnce, async (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    try {
      const stored = await sources.store.certificates.load(name);
      return stored === undefined ? undefined : byRecord(stored.meta, sources);
    } catch (error) {
      onFault(name, error);
      return undefined;
    }
  });
  return [...declared, ...read.filter((target) => target !== undefined)];
}

function byDeclaration(declared: PlannedCertificate, sources: Sources): WatchTarget {
  const { plans, dns } = sources.generation;
  const directoryOf = (ca: PlannedCertificate["cas"][number]) => directoryFor(ca.ca, ca.keyType, false);
  return {
    name: declared.name,
    names: declared.identifiers.map((i) => i.text),
    cas: declared.cas.map(directoryOf),
    wanted: { keyType: declared.keyType, profile: declared.cas[0]?.profile },
    async prepare(directoryUrl) {
      const ca = declared.cas.find((one) => directoryOf(one) === directoryUrl);
      const { plan, solvers } = await plans.planFor({ provider: "" });
      const request = requestOf(plan, declared, ca === undefined ? {} : { ca });
      return { request: { ...request, profileOptional: ca?.profileRequired !== true }, solvers, dns };
    },
    ...deployed(declared.name, declared.deployment, sources),
  };
}

function byRecord(meta: CertificateMeta, sources: Sources): WatchTarget {
  const { plans, dns, deployment } = sources.generation;
  return {
    name: meta.name,
    names: meta.domains,
    cas: casOf(meta),
    byRecord: (fresh) => byRecord(fresh, sources),
    async prepare(directoryUrl) {
      const { plan, solvers } = await plans.planFor(meta);
      const { rootPem, contact, eab } = plans.caOf(directoryUrl);
      const ca = { directoryUrl, rootPem, contact, eab };
      const { propagation } = plan.dns;
      return { request: renewalRequest(meta, { ca, propagation, dryRun: false }), solvers, dns };
    },
    ...deployed(meta.name, deployment, sources),
  };
}

function deployed(name: string, deployment: Deployment, { input, store }: Sources): Pick<WatchTarget, "deploy"> {
  const { pfx, out, hook } = deployment;
  if (pfx === undefined && out === undefined && hook === undefined) return {};
  const { io, observer, redactor } = input;
  const deps = {
    certificates: store.certificates,
    now: () => new Date(),
    env: io.env,
    signal: io.signal,
    observer,
    redact: redactor.redact,
  };
  return { deploy: async () => (await deployStored(name, deployment, deps))?.hookRan ?? false };
}
