import type { PlannedCertificate } from "../config/plan.ts";
import { Dns01Error } from "../core/errors.ts";
import type { Deployment } from "../deploy/deploy.ts";
import { createHintStore } from "../issuer/hints.ts";
import { inParallel } from "../issuer/in-parallel.ts";
import { openDns } from "../issuer/network.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import type { DnsDeps } from "../issuer/request.ts";
import type { WatchTarget } from "../issuer/watch.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import { deployNamed, type OrderPlan, planByDeclaration, planByRecord } from "./order-plan.ts";
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
  { input, store, caMemory }: Omit<Sources, "generation"> & Pick<DnsDeps, "caMemory">,
): Promise<Generation> {
  const dns = await openDns(plans.dns, input.observer, createHintStore(store.hints));
  return { plans, deployment, dns: { ...dns, caMemory } };
}

/**
 * What the file declares, and whatever else is stored, as its record says; one that cannot be read is among them.
 * `known`: what need not be read again.
 */
export async function targetsOf(
  sources: Sources,
  known: ReadonlyMap<string, WatchTarget>,
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
      if (!Dns01Error.is(error)) throw error;
      return unreadable(name, error, sources);
    }
  });
  return [...declared, ...read.filter((target) => target !== undefined)];
}

function byDeclaration(declared: PlannedCertificate, sources: Sources): WatchTarget {
  const { plans } = sources.generation;
  return {
    name: declared.name,
    ...withDns(planByDeclaration(declared, { plans, dryRun: false }), sources),
    ...deployed(declared.name, declared.deployment, sources),
  };
}

function byRecord(meta: CertificateMeta, sources: Sources): WatchTarget {
  const { plans, deployment } = sources.generation;
  return {
    name: meta.name,
    byRecord: (fresh) => byRecord(fresh, sources),
    ...withDns(planByRecord(meta, { plans, dryRun: false }), sources),
    ...deployed(meta.name, deployment, sources),
  };
}

/** Nothing is ordered for it until its record can be read. */
function unreadable(name: string, fault: Dns01Error, sources: Sources): WatchTarget {
  const byRecordLater = (fresh: CertificateMeta) => byRecord(fresh, sources);
  return { name, names: [], cas: [], byRecord: byRecordLater, prepare: () => Promise.reject(fault) };
}

/** An order goes through the DNS of its own generation, also when the file is read again meanwhile. */
function withDns(plan: OrderPlan, { generation }: Sources): Pick<WatchTarget, keyof OrderPlan> {
  const { dns } = generation;
  return { ...plan, prepare: async (directoryUrl) => ({ ...(await plan.prepare(directoryUrl)), dns }) };
}

function deployed(name: string, deployment: Deployment, sources: Sources): Pick<WatchTarget, "deploy"> {
  const { pfx, out, hook } = deployment;
  if (pfx === undefined && out === undefined && hook === undefined) return {};
  return { deploy: async () => (await deployNamed(name, deployment, sources))?.hookRan ?? false };
}
