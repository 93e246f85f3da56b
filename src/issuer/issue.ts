import { ensureAccount } from "../acme/account.ts";
import { certificateInfo, splitChain, verifyIssued } from "../acme/certificate.ts";
import { chooseChain } from "../acme/chains.ts";
import { authorizationsOf, checkCount, checkOrdered, waitForFinalAuthorizations, waitForOrder } from "../acme/order.ts";
import { shortType } from "../acme/problem.ts";
import type { AcmeClient, Authorization, Order } from "../acme/types.ts";
import { limitSignal } from "../core/abort.ts";
import { AcmeError } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import type { Placement, Warning } from "../dns/types.ts";
import { proveAll } from "./challenges.ts";
import { type KeptWarnings, keepWarnings, uniqueWarnings } from "./kept-warnings.ts";
import { metaOf } from "./meta.ts";
import { followPhases, type OpenPhases } from "./open-phases.ts";
import { completeOrder, isWorthKeeping, type OpenOrder, openOrder } from "./order.ts";
import { findZones, placeAll } from "./placing.ts";
import type { CertificateMeta, StoredCertificate } from "./ports.ts";
import { reconcile } from "./reconcile.ts";
import type { IssueDeps, IssueRequest, IssueResult } from "./request.ts";
import { type Measured, resultOf, reusedResult } from "./result.ts";
import { isCovered } from "./stored.ts";
import { createValueLedger } from "./values.ts";

/** How long clean-up may take after everything else is over. */
const CLEANUP_MS = 30_000;

/**
 * Gets one certificate: account, order, all values at once, one wait, all answers at once, finalize, store, clean up.
 * Safe to repeat after any failure or crash. Throws Dns01Error; DNS is clean then, or the journal knows what is left.
 */
export async function issue(request: IssueRequest, given: IssueDeps): Promise<IssueResult> {
  const kept = keepWarnings(given.observer);
  const phases = followPhases(kept.observer);
  const deps = { ...given, observer: phases.observer };
  const started = deps.clock.now();
  const { observer, signal, certificates } = deps;
  const release = await certificates.lock(request.name, {
    signal,
    onWait: (holder) => observer({ type: "lock.wait", name: request.name, holder }),
  });
  try {
    const leftovers = await reconcile(request.name, deps);
    for (const w of leftovers) observer({ type: "warning", ...w });
    const stored = await certificates.load(request.name);
    if (stored !== undefined && !request.force && !request.dryRun && (await isCovered(stored, request, deps.now()))) {
      // What a crash left between storing the certificate and forgetting its order.
      await certificates.clearPending(request.name);
      return reusedResult(stored, kept.warnings(), deps.clock.now() - started);
    }
    const work = () => issueLocked(request, deps, stored, { started, kept, phases });
    return await (deps.gate === undefined ? work() : deps.gate(request, stored, work));
  } catch (error) {
    phases.fail();
    throw error;
  } finally {
    await release();
  }
}

/** What is known of this issuance so far. */
interface Followed {
  readonly started: number;
  readonly kept: KeptWarnings;
  readonly phases: OpenPhases;
  readonly client: AcmeClient;
}

async function issueLocked(
  request: IssueRequest,
  deps: IssueDeps,
  stored: StoredCertificate | undefined,
  followed: Omit<Followed, "client">,
): Promise<IssueResult> {
  // Only authoritative servers are asked, so this may run while the CA is still being talked to.
  const placements = placeAll(request, deps);
  const zonesFound = findZones(placements, deps);
  // An order that an earlier run placed may need no proof any more: only a new one waits for this.
  zonesFound.catch(() => {});
  const { client, accountUrl } = await openAccount(request, deps);
  try {
    const measured = { ...followed, client };
    const first = await openOrder(client, accountUrl, request, stored, zonesFound, deps);
    try {
      return await run(client, first, placements, request, deps, stored, measured);
    } catch (error) {
      if (!first.resumed || !(error instanceof AcmeError) || isWorthKeeping(first, error, deps.now())) throw error;
      // Its challenges may have been answered just before the crash and failed since: that says nothing of a new order.
      observerLog(deps, `the order of the earlier run is spoilt (${error.message}); placing a new one`);
      const fresh = await openOrder(client, accountUrl, request, stored, zonesFound, deps);
      return await run(client, fresh, placements, request, deps, stored, measured);
    }
  } finally {
    client.close();
  }
}

async function openAccount(
  request: IssueRequest,
  deps: IssueDeps,
): Promise<{ client: AcmeClient; accountUrl: string }> {
  const { accounts, observer, signal } = deps;
  observer({ type: "phase", phase: "account", state: "start", detail: request.ca.directoryUrl });
  const opened = await ensureAccount({
    directoryUrl: request.ca.directoryUrl,
    caRoot: request.ca.rootPem,
    contact: request.ca.contact,
    eab: request.ca.eab,
    accounts,
    connect: deps.connectAcme,
    onWait: (holder) => observer({ type: "lock.wait", name: `account at ${request.ca.directoryUrl}`, holder }),
    signal,
  });
  observer({ type: "phase", phase: "account", state: "done" });
  return { client: opened.client, accountUrl: opened.account.url };
}

async function run(
  client: AcmeClient,
  open: OpenOrder,
  placements: ReadonlyMap<DomainName, Promise<Placement>>,
  request: IssueRequest,
  deps: IssueDeps,
  stored: StoredCertificate | undefined,
  measured: Followed,
): Promise<IssueResult> {
  const { clock, observer, signal } = deps;
  const ledger = createValueLedger(deps, request.name);
  const times = { order: clock.now(), ready: 0, final: 0 };
  let cleaning: Promise<readonly Warning[]> | undefined;
  let cleanupMs = 0;
  const cleanUp = () => {
    cleaning ??= (async () => {
      const from = clock.now();
      observer({ type: "phase", phase: "cleanup", state: "start" });
      const left = await ledger.cleanUp(CLEANUP_MS);
      cleanupMs = clock.now() - from;
      observer({ type: "phase", phase: "cleanup", state: "done" });
      return left;
    })();
    return cleaning;
  };
  let authorizations: readonly Authorization[] = [];
  try {
    observer({
      type: "phase",
      phase: "order",
      state: "start",
      detail: request.identifiers.map((i) => i.text).join(", "),
    });
    const names = request.identifiers.map((i) => i.text);
    checkCount(open.order, names);
    authorizations = open.order.status === "pending" ? await authorizationsOf(client, open.order, signal) : [];
    checkOrdered(authorizations, names);
    observer({ type: "phase", phase: "order", state: "done" });
    const orderMs = clock.now() - times.order;
    const proof = await proveAll(client, open.order, authorizations, placements, ledger, request, deps);
    const waitFrom = clock.now();
    const ready = await waitForOrder(client, open.order, "ready", {
      clock,
      signal,
      wallNow: () => deps.now().getTime(),
    });
    const validationMs = proof.spent.validationMs + (clock.now() - waitFrom);
    observer({ type: "phase", phase: "validation", state: "done" });
    // Every authorization is final now: the values may go while the certificate is being made.
    const out = cleanUp();
    const finalizeFrom = clock.now();
    const issued = request.dryRun ? undefined : await obtain(client, open, ready, request, deps, stored);
    const finalizeMs = clock.now() - finalizeFrom;
    const left = await out;
    for (const w of left) observer({ type: "warning", ...w });
    const figures: Measured = {
      totalMs: clock.now() - measured.started,
      orderMs: orderMs + (times.order - measured.started),
      presentMs: proof.spent.presentMs,
      propagationMs: proof.spent.propagationMs,
      validationMs,
      finalizeMs,
      cleanupMs,
    };
    const warnings = uniqueWarnings([...measured.kept.warnings(), ...proof.warnings]);
    return resultOf(request, proof, issued, figures, client.requests, warnings);
  } catch (error) {
    measured.phases.fail();
    await settleBeforeCleanUp(client, authorizations, deps);
    const left = await cleanUp();
    for (const w of left) observer({ type: "warning", ...w });
    if (!request.dryRun && isSpoilt(error, open, deps.now()))
      await deps.certificates.clearPending(request.name).catch(() => {});
    throw error;
  }
}

/**
 * Whether the order leads nowhere. What only a proxy says, or a half-dead CA, is no reason to throw it away, and with it the
 * key of a certificate that may have been signed: it is gone on with once, and the CA is asked what became of it.
 */
function isSpoilt(error: unknown, open: OpenOrder, now: Date): boolean {
  if (!(error instanceof AcmeError) || isWorthKeeping(open, error, now)) return false;
  return open.resumed || shortType(error.problem) !== "about:blank";
}

/** The CA's perspectives may still be asking (RFC 8555 §8.2 "processing"): a short wait, none if the user stopped us. */
async function settleBeforeCleanUp(
  client: AcmeClient,
  authorizations: readonly Authorization[],
  deps: IssueDeps,
): Promise<void> {
  if (deps.signal.aborted || authorizations.length === 0) return;
  const urls = authorizations.filter((a) => a.status === "pending").map((a) => a.url);
  const limit = limitSignal(deps.signal, 10_000);
  const options = { clock: deps.clock, signal: limit.signal, onlyAnswered: true };
  await waitForFinalAuthorizations(client, urls, options).catch(() => {});
  limit.release();
}

interface Obtained {
  readonly meta: CertificateMeta;
  readonly files: StoredCertificate["files"];
}

async function obtain(
  client: AcmeClient,
  open: OpenOrder,
  ready: Order,
  request: IssueRequest,
  deps: IssueDeps,
  stored: StoredCertificate | undefined,
): Promise<Obtained> {
  const { observer, signal } = deps;
  observer({ type: "phase", phase: "finalize", state: "start" });
  const valid = await completeOrder(client, open, ready, deps);
  const chosen = await chooseChain(client, valid, request.preferredChain, signal);
  for (const w of chosen.warnings) observer({ type: "warning", ...w });
  observer({ type: "phase", phase: "finalize", state: "done" });
  const domains = request.identifiers.map((i) => i.text);
  await verifyIssued(chosen.pem, { domains, csr: open.csr, now: deps.now() });
  observer({ type: "phase", phase: "store", state: "start" });
  const { cert, chain } = splitChain(chosen.pem);
  const meta = metaOf(request, open, certificateInfo(cert), stored, deps.now());
  const pem = { cert, chain, ...(open.privkey === undefined ? {} : { privkey: open.privkey }) };
  const files = await deps.certificates.save(request.name, pem, meta);
  await deps.certificates.clearPending(request.name);
  observer({ type: "phase", phase: "store", state: "done", detail: files.fullchain });
  return { meta, files };
}

function observerLog(deps: IssueDeps, text: string): void {
  deps.observer({ type: "log", level: "warn", text });
}
