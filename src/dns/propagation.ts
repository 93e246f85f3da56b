import { setMaxListeners } from "node:events";
import { abortReason } from "../core/clock.ts";
import { AbortedError, ConfigError, PropagationError } from "../core/errors.ts";
import { atDeadline, conclude } from "./conclude.ts";
import { conduct } from "./stages.ts";
import type { Verdict } from "./types.ts";
import { newRun, ownersOf, type Wait, type WaitRequest } from "./wait.ts";

export type { WaitRequest } from "./wait.ts";

/** Timers count in 32 bits. */
const longestSleepMs = 2 ** 31 - 1;

/**
 * Waits until every authoritative nameserver of every owner answers with all its values, and says which does not.
 * Resolves for every outcome, abort included; rejects with ConfigError where the request makes no sense.
 */
export async function waitForTxt(request: WaitRequest): Promise<Verdict> {
  const resolvers = request.resolvers ?? [];
  const asksResolvers = request.mode === "recursive" || request.mode === "both";
  if (asksResolvers && resolvers.length === 0) {
    const message = `propagation mode "${request.mode}" needs at least one resolver`;
    throw new ConfigError([{ path: "--resolver", message }]);
  }
  if (request.dohExchange === undefined && resolvers.some((r) => r instanceof URL) && asksResolvers) {
    throw new ConfigError([{ path: "--resolver", message: "resolvers given as URL need DNS over HTTPS" }]);
  }
  const stop = new AbortController();
  // Every question and timer of the run hangs on it.
  setMaxListeners(0, stop.signal);
  const owners = ownersOf(request.items);
  const run = newRun(request, owners, stop.signal);
  const wait: Wait = { request, run, owners, views: [], confirmed: false };
  if (request.signal.aborted) return conclude(wait, "aborted");

  let onAbort = () => {};
  const ended = new Promise<"aborted" | "deadline">((resolve) => {
    onAbort = () => {
      resolve("aborted");
      stop.abort(abortReason(request.signal));
    };
    request.signal.addEventListener("abort", onAbort, { once: true });
    run.clock.sleep(Math.min(request.deadlineMs, longestSleepMs), stop.signal).then(
      () => {
        resolve("deadline");
        stop.abort(new AbortedError("the deadline has passed"));
      },
      () => {},
    );
  });
  const conducted = conduct(wait);
  // After the end its rejections only say that it was stopped.
  conducted.catch(() => {});
  try {
    const status = await Promise.race([conducted, ended]);
    return conclude(wait, status === "deadline" ? atDeadline(wait) : status);
  } finally {
    request.signal.removeEventListener("abort", onAbort);
    stop.abort(new AbortedError("the wait is over"));
  }
}

/** The verdict as an error, for callers that cannot go on without the record. */
export function propagationError(verdict: Verdict): PropagationError | AbortedError {
  if (verdict.status === "aborted") return new AbortedError(verdict.explanation, { operation: "propagation" });
  const late = verdict.servers.find((s) => s.class !== "match" && !s.excused);
  return new PropagationError(verdict.explanation, {
    operation: "propagation",
    zone: late?.zone,
    fqdn: late?.owner,
    details: { verdict },
  });
}
