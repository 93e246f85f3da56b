import { createRenewalInfoClient, type RenewalInfoClient } from "../../src/acme/ari.ts";
import { systemClock } from "../../src/core/clock.ts";
import { createBudget } from "../../src/issuer/budget.ts";
import { issue } from "../../src/issuer/issue.ts";
import {
  loadKnown,
  type RenewDeps,
  type RenewOptions,
  type RenewOutcome,
  type RenewTarget,
  renewAll,
} from "../../src/issuer/renew.ts";
import { casOf, renewalRequest } from "../../src/issuer/renewal-request.ts";
import type { IssueDeps, IssueRequest } from "../../src/issuer/request.ts";
import { shareRouter } from "../../src/issuer/shared-router.ts";
import type { CaCertificate } from "../../src/sandbox/ca-state.ts";
import type { SandboxOptions } from "../../src/sandbox/index.ts";
import { openWorld, type World } from "./world.ts";

const day = 86_400_000;
/** Ends as soon as everybody is there: a busy machine only makes that later. */
const patient = { presentWindowMs: 10_000, cleanUpWindowMs: 10_000 };

export interface RenewWorld extends World {
  /** A certificate that is so many days old. */
  issue(domains: readonly string[], more?: Partial<IssueRequest>, ageDays?: number): Promise<void>;
  renew(options?: Partial<RenewOptions>, more?: Partial<RenewTarget>): Promise<readonly RenewOutcome[]>;
  /** Moves our clock; the CA's stays, so that nothing can be ordered any more. */
  later(days: number): void;
  /** What the CA knows of the stored certificate. */
  atCa(name: string): Promise<CaCertificate>;
  /** The CA wants it renewed now. */
  urge(name: string): Promise<void>;
  serial(name: string): Promise<string | undefined>;
  /** Requests to the CA since the last call: "GET /renewalInfo" and so on, without identifiers. */
  requests(): readonly string[];
}

export async function openRenewWorld(options: SandboxOptions = {}): Promise<RenewWorld> {
  let caShiftMs = 0;
  const world = await openWorld({ ...options, now: () => new Date(Date.now() + caShiftMs) });
  const { box, store } = world;
  let shiftMs = 0;
  let seen = 0;
  const now = () => new Date(Date.now() + shiftMs);
  const clients: RenewalInfoClient[] = [];

  const deps = async (): Promise<RenewDeps> => issuing(await world.deps({ now }));
  const issuing = (base: IssueDeps): RenewDeps => ({
    ...base,
    renewals: store.renewals,
    observerFor: () => base.observer,
    budget: createBudget({
      store: store.budget,
      now: () => now().getTime(),
      steady: () => systemClock.now(),
      random: () => 0.5,
      registeredDomain: (name) => name.split(".").slice(-2).join("."),
    }),
    renewalInfo: (directoryUrl) => {
      const client = createRenewalInfoClient({ directoryUrl, caRoot: box.caRootPem, userAgent: "dns01/test", env: {} });
      clients.push(client);
      return client;
    },
  });

  const atCa = async (name: string) => {
    const serial = (await store.certificates.load(name))?.meta.serial;
    const all = [...box.ca.state.certificates.values()];
    const found = all.find((c) => c.serial.replace(/^0+/, "").toUpperCase() === serial?.replace(/^0+/, ""));
    if (found === undefined) throw new Error(`the CA does not know ${name}`);
    return found;
  };

  return {
    ...world,
    async issue(domains, more = {}, ageDays = 0) {
      caShiftMs = -ageDays * day;
      const then = () => new Date(Date.now() + caShiftMs);
      await issue(world.request(domains, more), await world.deps({ now: then }));
      caShiftMs = 0;
    },
    async renew(options = {}, more = {}) {
      const all = { force: false, dryRun: false, parallel: 4, ...options };
      const used = await deps();
      const known = await loadKnown(await store.certificates.names(), store.certificates);
      const solvers = shareRouter(used.solvers, { clock: systemClock, ...patient });
      const targets = known.map((one): RenewTarget => {
        const { meta } = one.stored ?? {};
        if (meta === undefined) return { ...one, names: [], cas: [], prepare: () => Promise.reject(one.fault) };
        return {
          ...one,
          names: meta.domains,
          cas: casOf(meta),
          prepare: async (directoryUrl) => {
            const ca = { directoryUrl, rootPem: box.caRootPem, contact: [] };
            const propagation = { mode: "authoritative" as const, timeoutMs: 20_000 };
            return { request: renewalRequest(meta, { ca, propagation, dryRun: all.dryRun }), solvers };
          },
          ...more,
        };
      });
      return await renewAll(targets, all, used);
    },
    later: (days) => {
      shiftMs += days * day;
    },
    atCa,
    async urge(name) {
      const found = await atCa(name);
      found.window = { start: new Date(Date.now() - 2 * day), end: new Date(Date.now() - day) };
    },
    serial: async (name) => (await store.certificates.load(name))?.meta.serial,
    requests() {
      const fresh = box.log.entries.slice(seen);
      seen = box.log.entries.length;
      return fresh.flatMap((e) =>
        e.kind === "acme" ? [`${e.method} ${e.path.split("/").slice(0, 2).join("/")}`] : [],
      );
    },
    close: async () => {
      for (const client of clients) client.close();
      await world.close();
    },
  };
}
