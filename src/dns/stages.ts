import { watchOwner } from "./authoritative.ts";
import { quantileMs } from "./hint.ts";
import { negativeTtlAt, type Resolver, viewsOf, watchView } from "./recursive.ts";
import { elapsedMs, type Run, warn } from "./run.ts";
import type { OwnerOutcome, OwnerState } from "./schedule.ts";
import type { Verdict } from "./types.ts";
import type { Wait, WaitRequest } from "./wait.ts";

type Status = Verdict["status"];

/** The provider's delay where nobody knows it, before a cache is asked. */
const usualDelayMs = 5_000;

/** The stages of a wait in their order, up to a result; rejects with the signal's reason. */
export async function conduct(wait: Wait): Promise<Status> {
  const { request, run } = wait;
  if (request.mode === "none") {
    await pause(run, request.settleMs ?? 0, "a fixed time, as asked");
    return "skipped";
  }
  let pending: readonly OwnerState[] = wait.owners.map((o) => o.state);
  if (request.mode !== "recursive") {
    const end = await authoritativeStage(wait);
    if (end !== undefined) return end;
    const blind = pending.filter((s) => s.outcome === "blind");
    if (blind.length > 0) {
      warn(run, {
        code: "W_BLIND",
        text: "no authoritative nameserver can be reached from here; resolvers were asked instead",
      });
      for (const s of blind) remember(run, s);
    }
    if (request.mode === "authoritative") pending = blind;
  }
  if (pending.length > 0) {
    if (request.mode === "recursive" || pending.some((s) => s.outcome === "blind")) await holdBack(wait, pending);
    const end = await recursiveStage(wait, pending);
    if (end !== undefined) return end;
  }
  wait.confirmed = true;
  await pause(run, Math.min(request.settleMs ?? 0, timeLeft(run)), "settling after the last confirmation");
  return "propagated";
}

/** Ends when every owner has an outcome, or at the first that spoils the whole. */
function authoritativeStage(wait: Wait): Promise<Status | undefined> {
  const { request, run, owners } = wait;
  const blindIsFinal = request.whenBlind === "fail" || usableResolvers(request).length === 0;
  return new Promise((resolve, reject) => {
    let open = owners.length;
    const note = (state: OwnerState, outcome: OwnerOutcome) => {
      state.outcome = outcome;
      open--;
      if (outcome === "misplaced" || outcome === "no-delegation") resolve(outcome);
      else if (outcome === "blind" && blindIsFinal) resolve(outcome);
      else if (open === 0) resolve(undefined);
    };
    if (open === 0) resolve(undefined);
    for (const { state, delegation } of owners) {
      watchOwner(run, state, delegation).then((outcome) => note(state, outcome), reject);
    }
  });
}

async function recursiveStage(wait: Wait, owners: readonly OwnerState[]): Promise<Status | undefined> {
  const { request, run } = wait;
  wait.views = viewsOf(owners, usableResolvers(request), request.exchange, request.dohExchange);
  return new Promise((resolve, reject) => {
    let open = wait.views.length;
    for (const view of wait.views) {
      watchView(run, view).then((outcome) => {
        open--;
        if (outcome === "bogus") resolve("dnssec-bogus");
        else if (outcome === "too-late") resolve("timeout");
        else if (open === 0) {
          const seen = owners.every((s) => wait.views.some((v) => v.owner === s.owner && v.class === "match"));
          resolve(seen ? undefined : "blind");
        }
      }, reject);
    }
  });
}

function usableResolvers(request: WaitRequest): readonly Resolver[] {
  return (request.resolvers ?? []).filter((r) => !(r instanceof URL) || request.dohExchange !== undefined);
}

/** The time is not extended while it is remembered: afterwards the nameservers are waited for again. */
function remember({ blindZones }: Run, { zone, targets, unresolved }: OwnerState): void {
  if (zone === undefined || targets.length === 0 || blindZones?.find(zone) !== undefined) return;
  blindZones?.add({ zone, servers: targets.map(({ server }) => server), unresolved, warnings: [] });
}

/** A cache that is asked too early keeps the "no" (propagation.md §3), so the first question waits. */
async function holdBack(wait: Wait, owners: readonly OwnerState[]): Promise<void> {
  const { request, run } = wait;
  const known = run.terms.hint === undefined ? undefined : quantileMs(run.terms.hint, 0.9);
  const delayMs = request.expectedDelayMs ?? known ?? ((await isCheapToAsk(wait, owners)) ? 0 : usualDelayMs);
  const waitMs = Math.min(delayMs - elapsedMs(run), timeLeft(run) / 2);
  await pause(run, waitMs, "a resolver asked before the record exists would remember that it does not");
}

/** Minutes that a cache may keep a "no" where nobody has to wait them out often: see `noteTooEarly`. */
const cheapSeconds = 300;

/**
 * Returns true when the resolvers may be asked at once: the zones are known to be blind, no resolver was asked too early
 * for them before, and none would keep a "no" for long. SOA of a zone is there to be asked for: no cache learns a "no".
 */
async function isCheapToAsk({ request, run }: Wait, owners: readonly OwnerState[]): Promise<boolean> {
  const zones = [...new Set(owners.map(({ zone }) => zone))];
  const { blindZones } = run;
  for (const zone of zones) {
    if (zone === undefined || blindZones?.find(zone) === undefined || blindZones.wasTooEarly(zone)) return false;
    const { exchange, dohExchange } = request;
    const seconds = await negativeTtlAt(run, zone, usableResolvers(request), exchange, dohExchange);
    if (seconds === undefined || seconds > cheapSeconds) return false;
  }
  return true;
}

async function pause(run: Run, waitMs: number, reason: string): Promise<void> {
  if (waitMs <= 0) return;
  run.observer({ type: "propagation.wait", owner: "", waitMs, reason });
  await run.clock.sleep(waitMs, run.signal);
}

function timeLeft(run: Run): number {
  return run.terms.deadlineAt - run.clock.now();
}
