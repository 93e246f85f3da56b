import { setMaxListeners } from "node:events";
import { linkSignal } from "../core/abort.ts";
import { AbortedError } from "../core/errors.ts";
import { aliasVerdict } from "./alias-watch.ts";
import { classify, type Heard, soaOf } from "./classify.ts";
import { DiscoveryError } from "./discovery-error.ts";
import { type Answer, ExchangeError } from "./exchange.ts";
import { quantileMs } from "./hint.ts";
import { reportProgress } from "./progress.ts";
import { elapsedMs, question, type Run, warn } from "./run.ts";
import { type OwnerOutcome, type OwnerState, plan } from "./schedule.ts";
import { agrees, fail, hear, newTarget, noteSerial, reclassify, type Target } from "./target.ts";
import type { Delegation } from "./types.ts";
import { createWaker, type Waker } from "./waker.ts";

/** A look at the nameservers costs a walk, so a server's complaints lead to few of them. */
const mostRediscoveries = 3;
const rediscoverAfterMs = 10_000;
/** A server that was found failing so recently needs no further question in a sweep. */
const freshFailureMs = 5_000;
const blindAfterMs = 8_000;
/** The same for a zone that was blind minutes ago: one that has come back answers by then, and a resolver is no worse. */
const stillBlindAfterMs = 300;

/** Waits for one owner at its authoritative servers. Ends with an outcome or the signal's reason. */
export async function watchOwner(whole: Run, s: OwnerState, known: Delegation | undefined): Promise<OwnerOutcome> {
  const lost = await discover(whole, s, known);
  if (lost !== undefined) return lost;
  await sleepUntilLikely(whole, s);
  // Questions of an owner that is decided end with it, while others go on.
  const own = linkSignal(whole.signal);
  setMaxListeners(0, own.signal);
  const run: Run = { ...whole, signal: own.signal };
  const waker = createWaker(run.clock, run.signal);
  const wasBlind = s.zone !== undefined && run.blindZones?.find(s.zone) !== undefined;
  let giveUpAt = wasBlind ? run.clock.now() + stillBlindAfterMs : Number.POSITIVE_INFINITY;
  try {
    for (;;) {
      if (s.defect !== undefined) throw s.defect;
      if (s.outcome !== undefined) return s.outcome;
      const step = plan(s, run.terms, run.clock.now());
      if (step.outcome !== undefined) return step.outcome;
      if (s.zone !== undefined && s.targets.some((t) => t.reached)) {
        run.blindZones?.delete(s.zone);
        giveUpAt = Number.POSITIVE_INFINITY;
      }
      if (run.clock.now() >= giveUpAt) return "blind";
      for (const t of step.ask) launch(run, s, t, waker);
      await waker.until(Math.min(step.wakeAt, giveUpAt));
    }
  } finally {
    waker.release();
    own.release();
    own.abort(new AbortedError("the name is decided"));
  }
}

async function discover(run: Run, s: OwnerState, known: Delegation | undefined): Promise<OwnerOutcome | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      adopt(run, s, known ?? (await run.discovery.delegationOf(s.owner, run.signal)));
      s.discoveryError = undefined;
      return s.targets.length === 0 ? "no-delegation" : undefined;
    } catch (error) {
      if (run.signal.aborted || !(error instanceof DiscoveryError)) throw error;
      s.discoveryError = error.message;
      if (error.fault !== "temporary") return "no-delegation";
      s.discoveryBlind = error.asked.length > 0 && error.asked.every((f) => f.kind !== "broken" && f.kind !== "lame");
      if (s.discoveryBlind && attempt > 0 && elapsedMs(run) >= blindAfterMs) return "blind";
      await run.clock.sleep(Math.min(5_000, 1_000 * 2 ** attempt), run.signal);
    }
  }
}

/** Takes over a delegation; what is known of addresses that stay is kept while the zone is the same. */
function adopt(run: Run, s: OwnerState, delegation: Delegation): void {
  const keep = s.zone === delegation.zone ? s.targets : [];
  s.zone = delegation.zone;
  s.unresolved = delegation.unresolved;
  s.targets = delegation.servers.map(
    (server) =>
      keep.find((t) => t.server.address === server.address && t.server.port === server.port) ?? newTarget(server),
  );
  for (const warning of delegation.warnings) warn(run, warning);
}

/** Before the time when one change in ten was ready, questions are wasted (propagation.md §5.7). */
async function sleepUntilLikely(run: Run, s: OwnerState): Promise<void> {
  const early = run.terms.hint === undefined ? undefined : quantileMs(run.terms.hint, 0.1);
  if (early === undefined || early < 1_000) return;
  const waitMs = Math.min(early - elapsedMs(run), run.deadlineMs / 2);
  if (waitMs <= 0) return;
  const reason = "earlier changes of this zone took at least as long";
  run.observer({ type: "propagation.wait", owner: s.owner, waitMs, reason });
  await run.clock.sleep(waitMs, run.signal);
}

function launch(run: Run, s: OwnerState, t: Target, waker: Waker): void {
  t.asking = true;
  t.due = false;
  const onSend = () => {
    t.askedAt = run.clock.now();
  };
  // SERVFAIL and the like are tried over TCP too before they count (propagation.md §4).
  const tcpOnly = t.failure?.kind === "broken" && t.failure.questions % 2 === 1;
  void question(run, { name: s.owner, type: "TXT", tcpOnly }, t.server, s.owner, { onSend })
    .then((answer) => onAnswer(run, s, t, answer, waker))
    .catch((error: unknown) => {
      if (run.signal.aborted) return;
      const lost = error instanceof ExchangeError ? error : undefined;
      if (lost === undefined) throw error;
      fail(t, lost, run.clock.now());
      t.witness = false;
    })
    .catch((error: unknown) => {
      s.defect = error;
    })
    .finally(() => {
      t.asking = false;
      if (run.signal.aborted) return;
      reportProgress(run, s);
      waker.wake();
    });
}

async function onAnswer(run: Run, s: OwnerState, t: Target, answer: Answer, waker: Waker): Promise<void> {
  const { zone } = s;
  if (zone === undefined || !s.targets.includes(t)) return;
  const heard = classify(answer, { owner: s.owner, values: s.values, zone });
  const agreed = agrees(t);
  const wasWitness = t.witness;
  const flips = t.flips;
  hear(t, heard, answer, run.clock.now());
  if (heard.class === "match" || (t.failure !== undefined && !t.failure.fresh)) t.witness = false;
  if (wasWitness && !agreed && agrees(t)) sweep(s, run.clock.now());
  noteOddities(run, t, heard, answer, t.flips > flips);
  if (heard.class === "alias") {
    const verdict = await aliasVerdict(run, s, t, heard);
    if (verdict.misplaced) s.outcome = "misplaced";
    else reclassify(t, verdict.heard, run.clock.now());
  }
  if (heard.class === "referral" || heard.class === "lame") rediscover(run, s, waker);
  if (s.lastCall && heard.soa === undefined && !t.serialAsked) void askSerial(run, s, t);
}

/** The witness agrees: now everybody else who does not yet is worth a question. */
function sweep(s: OwnerState, now: number): void {
  for (const t of s.targets) {
    if (agrees(t) || t.asking) continue;
    if (t.failure !== undefined && now - t.failure.lastAskedAt < freshFailureMs) continue;
    t.due = true;
  }
}

/** The delegation may be another one than was thought: lower, or moved (propagation.md §5.2). */
function rediscover(run: Run, s: OwnerState, waker: Waker): void {
  const now = run.clock.now();
  const { zone } = s;
  if (zone === undefined || s.rediscovering || s.rediscoveries >= mostRediscoveries) return;
  if (now - s.rediscoveredAt < rediscoverAfterMs) return;
  s.rediscovering = true;
  s.rediscoveries++;
  s.rediscoveredAt = now;
  if (now - (run.forgotten.get(zone) ?? Number.NEGATIVE_INFINITY) >= rediscoverAfterMs) {
    run.forgotten.set(zone, now);
    run.discovery.forget(zone);
  }
  run.discovery
    .delegationOf(s.owner, run.signal)
    .then((delegation) => {
      // An empty answer here is worth less than the servers that are being asked.
      if (delegation.servers.length > 0) adopt(run, s, delegation);
    })
    .catch((error: unknown) => {
      if (!run.signal.aborted && !(error instanceof DiscoveryError)) s.defect = error;
    })
    .finally(() => {
      s.rediscovering = false;
      waker.wake();
    });
}

/** Positive answers carry no SOA; how far a server is behind is worth one question at a time-out (propagation.md §6). */
async function askSerial(run: Run, s: OwnerState, t: Target): Promise<void> {
  const { zone } = s;
  if (zone === undefined) return;
  t.serialAsked = true;
  try {
    const answer = await question(run, { name: zone, type: "SOA" }, t.server, s.owner);
    const found = soaOf(answer.message);
    if (found !== undefined) noteSerial(t, found.soa.serial, found.soa.mname);
  } catch {
    // Only the explanation is poorer without it.
  }
}

/** More foreign values than this, and some validator sees only a part (propagation.md §8). */
const manyValues = 5;

function noteOddities(run: Run, t: Target, heard: Heard, answer: Answer, flipped: boolean): void {
  const server = t.server.address;
  const label = t.server.name === server ? server : `${t.server.name} (${server})`;
  const add = (code: string, text: string) => warn(run, { code, text, server });
  if (flipped)
    add("W_FLAPPING", `${label} had the value and then answered without it: several machines behind one address?`);
  if (heard.class === "absent-nosoa") {
    add(
      "W_NO_SOA",
      `${label} answers "no such record" without SOA: a CA's resolver makes SERVFAIL of it when it looks for CAA`,
    );
  }
  if (heard.foreign.length > manyValues) {
    add(
      "W_MANY_VALUES",
      `${label} serves ${heard.foreign.length} other TXT values at the name; old ones should be removed`,
    );
  }
  for (const code of answer.warnings) add(code, `${label}: ${oddities[code] ?? code}`);
}

const oddities: Readonly<Record<string, string>> = {
  W_CASE: "does not repeat the letter case of the question over UDP; CAs ask in random case and may reject its answers",
  W_NO_EDNS: "answers only without EDNS",
};
