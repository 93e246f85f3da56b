import type { RenewalInfoClient } from "../acme/ari.ts";
import { renewalId } from "../acme/renewal-id.ts";
import { Dns01Error, RateLimitedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import { timeText } from "../core/time-text.ts";
import type { Budget } from "./budget.ts";
import { withoutLocal } from "./budget-use.ts";
import { neverIssued } from "./certificate-state.ts";
import { inParallel } from "./in-parallel.ts";
import { issue } from "./issue.ts";
import { asDns01Error, type Held, type Kept, type UpkeepEvent } from "./kept.ts";
import { mismatchOf, type Wanted } from "./mismatch.ts";
import type { CertificateMeta, CertificateStore, KnownCertificate, RenewalStore } from "./ports.ts";
import { reconcile } from "./reconcile.ts";
import { afterFailure, subjectOf } from "./renewal.ts";
import type { IssueDeps, IssueRequest, IssueResult } from "./request.ts";
import type { Look } from "./schedule.ts";
import type { SharedRouter } from "./shared-router.ts";
import { createUpkeep } from "./upkeep.ts";

/** A certificate that may be due or missing, and how it is ordered then. */
export interface RenewTarget extends Kept {
  /** Undefined when it was not issued yet. */
  readonly stored: KnownCertificate | undefined;
  /** Why it could not be read. */
  readonly fault?: Dns01Error | undefined;
  /** What it must be like; undefined: whatever its record says. */
  readonly wanted?: Wanted | undefined;
  /** What an order at this CA needs. Called only when it is due; what it throws fails this certificate alone. */
  prepare(directoryUrl: string): Promise<{ readonly request: IssueRequest; readonly solvers: SharedRouter }>;
  /** Brings the stored certificate to where it is used; nothing to do is fine. Throws HookError. */
  deploy?(): Promise<void>;
}

export interface RenewOptions {
  /** Orders placed at one CA in a second, at most. Default 50: far below what CAs take, `parallel` keeps the load low. */
  readonly ordersPerSecond?: number;
  /** Whatever the rules say. */
  readonly force: boolean;
  /** Everything up to finalize for what is due, nothing stored. */
  readonly dryRun: boolean;
  /** Certificates worked on at once. */
  readonly parallel: number;
}

export interface RenewDeps extends IssueDeps {
  readonly renewals: RenewalStore;
  readonly budget: Budget;
  readonly renewalInfo: (directoryUrl: string) => RenewalInfoClient;
  /** Hears what the engine tells of this certificate's order. */
  readonly observerFor: (name: string) => Observer;
}

export type RenewStatus = "issued" | "renewed" | "not-due" | "put-off" | "failed" | "dry-run" | "revoked";

/** What became of one certificate. */
export interface RenewOutcome {
  readonly name: string;
  readonly status: RenewStatus;
  /** Which rule decided, and why; for people. */
  readonly reason: string;
  /** When it is to be renewed (next); undefined when that is not known. */
  readonly renewAfter: Date | undefined;
  /** The certificate as it was before. */
  readonly meta: CertificateMeta | undefined;
  readonly result?: IssueResult;
  /** Why it was not renewed; with status "renewed" or "not-due": what failed afterwards. */
  readonly error?: Dns01Error;
}

interface Notes {
  planned?: Extract<UpkeepEvent, { type: "planned" }>;
  reason?: string;
  putOff?: Extract<UpkeepEvent, { type: "put-off" }>;
  error?: Dns01Error | undefined;
  result?: IssueResult;
}

/** Looks at disks and at renewal information side by side; neither is much work for anybody. */
const looksAtOnce = 8;
const readsAtOnce = 16;

/**
 * Issues what is missing of `targets` and renews what is due or not as wanted: one failure does not stop the others, and
 * none is thrown but the signal's reason.
 * Nothing is sent to anybody when nothing is due, no look at a CA's renewal information is, and nothing was left in DNS.
 */
export async function renewAll(
  targets: readonly RenewTarget[],
  options: RenewOptions,
  deps: RenewDeps,
): Promise<readonly RenewOutcome[]> {
  const { signal } = deps;
  const notes = new Map(targets.map((t): [string, Notes] => [t.name, {}]));
  const noteOf = (name: string): Notes => notes.get(name) ?? {};
  if (!options.dryRun) {
    for (const w of await reconcile("", deps)) deps.observer({ type: "warning", ...w });
  }
  const upkeep = upkeepFor(targets, noteOf, options, deps);
  const looks = await inParallel(targets, looksAtOnce, async (target) => {
    let look = { at: Number.POSITIVE_INFINITY } as Look;
    // A record that cannot be written is that certificate's trouble alone.
    await attempt(noteOf(target.name), signal, async () => {
      look = await upkeep.look(target);
    });
    return { target, look };
  });
  signal.throwIfAborted();
  await inParallel(inOrder(looks), options.parallel, async ({ target, look }) => {
    const note = noteOf(target.name);
    if ("work" in look) {
      await attempt(note, signal, async () => void (await look.work()));
      if (!options.dryRun) await keepFault(target, note, deps);
    }
    const isThere = note.error === undefined && (target.stored ?? note.result) !== undefined;
    if (isThere && !options.dryRun && target.deploy !== undefined) await attempt(note, signal, target.deploy);
    deps.observerFor(target.name)({ type: "certificate", state: note.error === undefined ? "done" : "failed" });
  });
  signal.throwIfAborted();
  return targets.map((target) => outcomeOf(target, noteOf(target.name), options));
}

function upkeepFor(
  targets: readonly RenewTarget[],
  noteOf: (name: string) => Notes,
  options: RenewOptions,
  deps: RenewDeps,
) {
  const byName = new Map(targets.map((t) => [t.name, t]));
  return createUpkeep({
    clock: deps.clock,
    now: () => deps.now().getTime(),
    signal: deps.signal,
    budget: budgetFor(options, deps.budget),
    // A run now and then has nothing to spread over.
    spread: { place: (_name, _subject, last) => last, note: () => {}, remove: () => {} },
    ordersPerSecond: options.ordersPerSecond ?? 50,
    load: async ({ name }) => {
      const target = byName.get(name);
      try {
        if (target?.fault !== undefined) throw target.fault;
        return target?.stored === undefined ? undefined : await heldOf(target.stored, target, options, deps);
      } catch (error) {
        // What cannot be read is no order that waits for its time.
        noteOf(name).error = asDns01Error(error);
        throw error;
      }
    },
    ask: async ({ name }, held) => {
      const id = renewalId(byName.get(name)?.stored?.cert ?? "");
      if (id === undefined) return { kind: "failed", lasting: true, reason: "the certificate names no issuer's key" };
      return await deps.renewalInfo(held.ca).ask(id, deps.signal);
    },
    keepState: async ({ name }, state) => {
      if (!options.dryRun) await deps.renewals.save(name, state);
    },
    order: async ({ name }, directoryUrl, held) => {
      const target = byName.get(name);
      if (target === undefined) return undefined;
      const result = await order(target, directoryUrl, held, deps);
      noteOf(name).result = result;
      return result.reused ? undefined : result.serial;
    },
    // Afterwards, for all of them.
    deploy: async () => false,
    onEvent: (event) => {
      const { error } = noteOf(event.name);
      if (event.type === "ordering" && error !== undefined) {
        const text = `${error.message.split("\n")[0]}. Going over to ${event.ca}`;
        deps.observerFor(event.name)({ type: "warning", code: "W_OTHER_CA", text });
      }
      note(noteOf(event.name), event);
    },
  });
}

async function heldOf(
  known: KnownCertificate,
  target: RenewTarget,
  options: RenewOptions,
  deps: RenewDeps,
): Promise<Held> {
  const { meta } = known;
  return {
    subject: subjectOf(meta),
    ca: meta.ca,
    mismatch: options.force ? "--force was given" : await mismatchOf(known, target),
    isRetired: meta.revoked !== undefined && !options.force,
    state: await deps.renewals.load(meta.name),
  };
}

async function order(
  target: RenewTarget,
  directoryUrl: string,
  held: Held | undefined,
  deps: RenewDeps,
): Promise<IssueResult> {
  const [wanted] = target.cas;
  const { request, solvers } = await target.prepare(directoryUrl);
  const view = solvers.open(target.names);
  try {
    const insteadOf = directoryUrl === wanted ? undefined : wanted;
    return await issue(
      { ...request, force: false, dueSerial: held?.subject.serial, insteadOf },
      { ...deps, solvers: view.solvers, observer: deps.observerFor(target.name) },
    );
  } finally {
    view.close();
  }
}

function budgetFor({ force, dryRun }: RenewOptions, budget: Budget): Budget {
  const nothing = async () => {};
  const kept = withoutLocal(budget);
  return {
    check: async (attempt) => (force || dryRun ? { allowed: true } : await kept.check(attempt)),
    begin: dryRun ? nothing : kept.begin,
    forgive: kept.forgive,
    succeeded: dryRun ? nothing : kept.succeeded,
    failed: dryRun ? async () => 0 : kept.failed,
  };
}

function note(notes: Notes, event: UpkeepEvent): void {
  if (event.type === "planned") notes.planned = event;
  if (event.type === "put-off") notes.putOff = event;
  if (event.type === "ordering") notes.reason = event.reason;
  if (event.type === "failed") notes.error = event.error;
  // Another CA has served.
  if (event.type === "renewed") notes.error = undefined;
}

/** For `list` and `show`: what they lack hides neither the fault itself nor the other certificates. */
async function keepFault({ name, stored }: RenewTarget, { error }: Notes, deps: RenewDeps): Promise<void> {
  if (error === undefined) return;
  const subject = stored === undefined ? neverIssued : subjectOf(stored.meta);
  try {
    const kept = await deps.renewals.load(name);
    await deps.renewals.save(name, afterFailure(subject, kept, error, deps.now().getTime()));
  } catch (cause) {
    deps.observerFor(name)({ type: "log", level: "warn", text: `what failed is not noted: ${thrownText(cause)}` });
  }
}

/** Reads the certificates of these names side by side; a damaged one does not hide the others. */
export async function loadKnown(
  names: readonly string[],
  certificates: CertificateStore,
): Promise<readonly Pick<RenewTarget, "name" | "stored" | "fault">[]> {
  return await inParallel(names, readsAtOnce, async (name) => {
    try {
      const stored = await certificates.load(name);
      return { name, stored: stored === undefined ? undefined : { meta: stored.meta, cert: stored.pem.cert } };
    } catch (error) {
      if (!Dns01Error.is(error)) throw error;
      return { name, stored: undefined, fault: error };
    }
  });
}

/** What is due goes by zone, so that neighbours are written together, the zone with the most urgent one first. */
function inOrder(looks: readonly { readonly target: RenewTarget; readonly look: Look }[]) {
  const zoneOf = ({ names }: RenewTarget) => (names[0] ?? "").split(".").slice(-2).join(".");
  const urgencyOf = (look: Look) => ("work" in look ? look.urgency : Number.POSITIVE_INFINITY);
  const first = new Map<string, number>();
  for (const { target, look } of looks) {
    const zone = zoneOf(target);
    first.set(zone, Math.min(first.get(zone) ?? Number.POSITIVE_INFINITY, urgencyOf(look)));
  }
  return looks.toSorted((a, b) => {
    const [zoneA, zoneB] = [zoneOf(a.target), zoneOf(b.target)];
    if (zoneA === zoneB) return compare(urgencyOf(a.look), urgencyOf(b.look));
    return compare(first.get(zoneA) ?? 0, first.get(zoneB) ?? 0) || (zoneA < zoneB ? -1 : 1);
  });
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

async function attempt(notes: Notes, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    notes.error = asDns01Error(error);
  }
}

function outcomeOf({ name, stored }: RenewTarget, notes: Notes, { dryRun }: RenewOptions): RenewOutcome {
  const { planned, putOff, result, error, reason = "" } = notes;
  const meta = stored?.meta;
  const base = { name, meta, ...(error === undefined ? {} : { error }) };
  if (result !== undefined) {
    const renewAfter = result.renewAfter === undefined ? undefined : new Date(result.renewAfter);
    if (result.reused) {
      return { ...base, status: "not-due", reason: "another process ordered it meanwhile", renewAfter, result };
    }
    const done = stored === undefined ? "issued" : "renewed";
    return { ...base, status: dryRun ? "dry-run" : done, reason, renewAfter, result };
  }
  // A hook that fails besides must not make it look like a certificate that is fine.
  const isPutOff = putOff !== undefined && (error === undefined || error.code === "HOOK");
  if (error !== undefined && planned === undefined && !isPutOff)
    return { ...base, status: "failed", reason, renewAfter: undefined };
  if (putOff !== undefined) {
    const renewAfter = new Date(putOff.until);
    const besides = error === undefined ? "" : `. Besides, ${error.message}`;
    const refused = new RateLimitedError(`put off until ${timeText(renewAfter)}: ${putOff.reason}${besides}`, {
      operation: "renew",
      hint: "It is tried again after that; --force tries now.",
    });
    return { ...base, status: "put-off", reason: putOff.reason, renewAfter, error: refused };
  }
  if (planned !== undefined) {
    return { ...base, status: "not-due", reason: planned.reason, renewAfter: new Date(planned.at) };
  }
  const isRevoked = meta?.revoked !== undefined;
  const why = isRevoked ? "it was revoked; --force renews it all the same" : "it is gone";
  return { ...base, status: isRevoked ? "revoked" : "failed", reason: why, renewAfter: undefined };
}
