import type { RenewalInfoClient } from "../acme/ari.ts";
import { fanOut } from "../acme/fan-out.ts";
import { renewalId } from "../acme/renewal-id.ts";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import type { Budget } from "./budget.ts";
import { neverIssued } from "./certificate-state.ts";
import { patientWithDisk } from "./disk-trouble.ts";
import { issue } from "./issue.ts";
import type { Held, Kept, UpkeepEvent } from "./kept.ts";
import { mismatchOf, type Wanted } from "./mismatch.ts";
import type { CertificateMeta, RenewalStore } from "./ports.ts";
import { afterFailure, type RenewalSubject, subjectOf } from "./renewal.ts";
import type { DnsDeps, IssueDeps, IssueRequest } from "./request.ts";
import { createSchedule, type Schedule } from "./schedule.ts";
import { createSpread } from "./schedule-spread.ts";
import type { SharedRouter } from "./shared-router.ts";
import { createUpkeep } from "./upkeep.ts";

/** A certificate that shall be there at all times, and how it is ordered. */
export interface WatchTarget extends Kept {
  /** What a stored certificate must be like; undefined: whatever its record says. */
  readonly wanted?: Wanted | undefined;
  /** It is kept only as what is stored, and follows its record; gone with it. */
  readonly byRecord?: ((meta: CertificateMeta) => WatchTarget) | undefined;
  /** What an order at this CA needs. Called only when one is due; what it throws fails this certificate alone. */
  prepare(directoryUrl: string): Promise<Prepared>;
  /** Brings the stored certificate to where it is used; false when there is nothing to do. Throws HookError. */
  deploy?(): Promise<boolean>;
}

export interface Prepared {
  readonly request: IssueRequest;
  readonly solvers: SharedRouter;
  readonly dns: DnsDeps;
}

export interface WatchDeps extends Omit<IssueDeps, "dns"> {
  readonly renewals: RenewalStore;
  readonly budget: Budget;
  readonly renewalInfo: (directoryUrl: string) => RenewalInfoClient;
  /** Certificates worked on at once. */
  readonly parallel: number;
  /** Orders a second at one CA. */
  readonly ordersPerSecond: number;
  readonly onEvent: (event: UpkeepEvent) => void;
  /** Hears what the engine tells of this certificate's order. */
  readonly observerFor: (name: string) => Observer;
  /** Returns why the state folder cannot be written now: then nothing is ordered, since it could not be stored. */
  readonly diskFault?: () => Promise<Dns01Error | undefined>;
  /** Something that should not be possible; the certificate is looked at again at `retryAt`, wall clock. */
  readonly onFault: (name: string, error: unknown, retryAt: number) => void;
  /** With every turn: the sign that it lives. */
  readonly onTurn?: () => void;
}

/** Keeps certificates, for as long as the signal of its deps allows. */
export interface Watch {
  /** From now on these; what is being worked on is finished as it was begun. */
  set(targets: readonly WatchTarget[]): void;
  /** Ends, without an error, when the signal fires and what was in DNS has been taken out. */
  run(): Promise<void>;
  readonly counts: Schedule["counts"];
}

export function createWatch(deps: WatchDeps): Watch {
  const { certificates, renewals } = deps;
  // Many certificates are looked at at once, and each look waits for an answer of its own.
  const signal = fanOut(deps.signal);
  const targets = new Map<string, WatchTarget>();
  /** The version that was brought to its place, so that the disk is not compared at every look. */
  const deployed = new Map<string, string>();
  const ids = new Map<string, string>();
  const spread = createSpread();
  const now = () => deps.now().getTime();

  const upkeep = createUpkeep({
    clock: deps.clock,
    now,
    signal,
    budget: deps.budget,
    spread,
    ordersPerSecond: deps.ordersPerSecond,
    load: async ({ name }) => await load(targets.get(name)),
    ask: async ({ name }, held) => {
      const id = ids.get(name);
      if (id === undefined) return { kind: "failed", lasting: true, reason: "the certificate names no issuer's key" };
      return await deps.renewalInfo(held.ca).ask(id, signal);
    },
    keepState: async ({ name }, state) => await renewals.save(name, state),
    order: async ({ name }, directoryUrl, held) => await order(targets.get(name), directoryUrl, held),
    deploy: async ({ name }, held) => {
      const target = targets.get(name);
      const isChanged = await target?.deploy?.();
      // What was changed meanwhile is still to be deployed in the new way.
      if (targets.get(name) === target) deployed.set(name, held.subject.serial);
      return isChanged ?? false;
    },
    onEvent: deps.onEvent,
    diskFault: deps.diskFault,
  });
  const patient = patientWithDisk({ now, signal, onEvent: deps.onEvent });

  const schedule = createSchedule({
    clock: deps.clock,
    now,
    signal,
    parallel: deps.parallel,
    look: (name) =>
      patient(name, async () => {
        const target = await current(name);
        // Taken away, here or in the store, while its look was due.
        return target === undefined ? { at: Number.POSITIVE_INFINITY } : await upkeep.look(target);
      }),
    onFault: deps.onFault,
    ...(deps.onTurn === undefined ? {} : { onTurn: deps.onTurn }),
  });

  async function current(name: string): Promise<WatchTarget | undefined> {
    const target = targets.get(name);
    if (target?.byRecord === undefined) return target;
    const stored = await certificates.load(name).catch((error: unknown) => {
      if (!Dns01Error.is(error)) throw error;
      return "unreadable" as const;
    });
    // What `set` has replaced or taken away meanwhile must not come back.
    if (targets.get(name) !== target) return await current(name);
    if (stored === undefined) return undefined;
    // The look reads it again, and reports why it cannot.
    if (stored === "unreadable") return target;
    const fresh = target.byRecord(stored.meta);
    targets.set(name, fresh);
    return fresh;
  }

  async function load(target: WatchTarget | undefined): Promise<Held | undefined> {
    const stored = target === undefined ? undefined : await certificates.load(target.name);
    if (target === undefined || stored === undefined) return undefined;
    const { meta } = stored;
    const id = renewalId(stored.pem.cert);
    if (id === undefined) ids.delete(target.name);
    else ids.set(target.name, id);
    const isToDeploy = target.deploy !== undefined && deployed.get(target.name) !== meta.serial;
    return {
      subject: subjectOf(meta),
      issuedAt: Date.parse(meta.issuedAt),
      ca: meta.ca,
      mismatch: await mismatchOf({ meta, cert: stored.pem.cert }, target),
      isRetired: meta.revoked !== undefined,
      state: await renewals.load(target.name),
      ...(isToDeploy ? { deployAt: 0 } : {}),
    };
  }

  async function order(target: WatchTarget | undefined, directoryUrl: string, held: Held | undefined) {
    if (target === undefined) return undefined;
    const [first] = target.cas;
    try {
      const { request, solvers, dns } = await target.prepare(directoryUrl);
      const view = solvers.open(target.names);
      try {
        const insteadOf = directoryUrl === first ? undefined : first;
        const wanted = { ...request, force: false, dueSerial: held?.subject.serial, insteadOf };
        const issued = await issue(wanted, {
          ...deps,
          dns,
          solvers: view.solvers,
          observer: deps.observerFor(target.name),
        });
        return issued.reused ? undefined : issued.serial;
      } finally {
        view.close();
      }
    } catch (error) {
      if (!signal.aborted) await keepFault(target.name, held?.subject ?? neverIssued, error);
      throw error;
    }
  }

  /** For `list` and `show`: a disk that does not take it must not hide why the order failed. */
  async function keepFault(name: string, subject: RenewalSubject, error: unknown): Promise<void> {
    if (!(error instanceof Error)) return;
    const { code = "UNKNOWN", hint } = error as { readonly code?: string; readonly hint?: string };
    try {
      const kept = await renewals.load(name);
      await renewals.save(name, afterFailure(subject, kept, { code, message: error.message, hint }, now()));
    } catch (cause) {
      deps.observerFor(name)({ type: "log", level: "warn", text: `what failed is not noted: ${thrownText(cause)}` });
    }
  }

  return {
    set(fresh) {
      const names = new Set(fresh.map((t) => t.name));
      for (const name of [...targets.keys()]) {
        if (names.has(name)) continue;
        targets.delete(name);
        deployed.delete(name);
        ids.delete(name);
        spread.remove(name);
        schedule.delete(name);
      }
      const at = now();
      for (const target of fresh) {
        // How it is deployed may have changed; doing it again does nothing when it has not.
        deployed.delete(target.name);
        targets.set(target.name, target);
        schedule.set(target.name, at);
      }
    },
    run: () => schedule.run(),
    get counts() {
      return schedule.counts;
    },
  };
}
