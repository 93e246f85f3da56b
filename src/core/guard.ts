import { type LinkedSignal, linkSignal, over, raceAbort } from "./abort.ts";
import { stopOf } from "./call.ts";
import { type Attempted, noteNothingWritten, toDns01Error } from "./classify.ts";
import { abortReason, after, type Clock } from "./clock.ts";
import { visibleZonesOf } from "./conduct.ts";
import { Dns01Error, type RateLimitedError, TransientError } from "./errors.ts";
import type { Observer } from "./events.ts";
import type { Stop } from "./lazy-signal.ts";
import { type DomainName, rootName } from "./name.ts";
import type { Call, Change, Conduct, Edit, Provider, RequestLabel, TxtBackend, Zone } from "./provider.ts";
import { createRateLimit, type RateLimit } from "./rate.ts";
import { defaultRetryPolicy, type RetryPolicy, retry } from "./retry.ts";
import { createTtlFloors } from "./ttl.ts";

export interface GuardOptions {
  readonly provider: Pick<Provider, "id" | "traits" | "classify" | "plugin">;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Masks secrets in messages. */
  readonly redact?: ((text: string) => string) | undefined;
  /** For hints, see ResolvedConfig. */
  readonly reword?: ((hint: string) => string) | undefined;
  /** Longest time for one findZone or apply with all its repetitions. Default 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Longest time for one request to the service. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** To be shared by connections of one account. Default: one of its own, by `traits.rate`. */
  readonly limit?: RateLimit | undefined;
}

type ConductedCall = Call & { readonly conduct: Conduct };

/** The writing requests of one operation, over all its attempts. */
interface Writes {
  begun: number;
  /** Of them, those that the service certainly has not carried out. */
  refused: number;
}

/** How long a new attempt waits for an abandoned write of the same zone to end before it begins by reading. */
const graceMs = 5000;

/**
 * Wraps a connected backend: deadline, then repetition of what may be repeated, then rate, then one request whose end
 * is classified and reported. A request that outlives its time limit or the caller's signal is abandoned; the next
 * attempt in that zone first gives it time to end.
 */
export function guard(backend: TxtBackend, options: GuardOptions): TxtBackend {
  const { provider, observer, clock } = options;
  const { limit = createRateLimit(clock, provider.traits.rate) } = options;
  const abandoned = createAbandoned(clock);
  const floors = createTtlFloors(provider.id, observer);
  /** The service has answered before: what keeps it silent now is more likely to pass. */
  let isHeard = false;

  /** Runs `work` with a signal that also fires at the deadline; whatever happens, nothing of it is left behind. */
  const withDeadline = async <T>(
    what: Omit<Attempted, "provider">,
    call: Call,
    work: (call: ConductedCall) => Promise<T>,
  ): Promise<T> => {
    const timeoutMs = options.timeoutMs ?? 120_000;
    const begun = clock.now();
    const deadline = begun + timeoutMs;
    const stop = stopOf(call);
    const link = linkSignal(stop);
    const { trace } = call;
    const attempted: Attempted = { ...what, provider: provider.id, plugin: provider.plugin };
    const explain = (error: unknown) =>
      stop.aborted ? abortReason(stop) : toDns01Error(error, attempted, toClassify(options));
    let lastFailure: Dns01Error | undefined;
    const writes: Writes = { begun: 0, refused: 0 };
    const cancel = after(clock, timeoutMs, () =>
      // What kept failing says more than the time that it took.
      link.abort(lastFailure ?? new TransientError(`no answer within ${timeoutMs / 1000} s`, { timeout: true })),
    );
    const conduct: Conduct = {
      clock,
      parallel: provider.traits.lock === "zone" ? 1 : 4,
      request: (label, run) => {
        const { zone } = what;
        const bounds = { stop: link.stop, zone, deadline, writes };
        if (!label.write || zone === undefined) return request(label, inner, bounds, run);
        return floors.keep(zone, call, (ttlSeconds) =>
          request(label, seenBy(link, { ttlSeconds, trace }, conduct), bounds, run),
        );
      },
      attempt: (subject, run) =>
        retry(
          async () => {
            if (what.zone !== undefined) await abandoned.settled(what.zone, link.stop);
            return run();
          },
          {
            signal: link.stop,
            clock,
            deadline,
            deadlineAfter: (error) => {
              const { patienceMs } = error as { readonly patienceMs?: unknown };
              return isHeard || typeof patienceMs !== "number" ? undefined : begun + patienceMs;
            },
            policy: options.retry ?? defaultRetryPolicy,
            onRetry: (error, attempt, waitMs) => {
              lastFailure = error;
              const { code, message } = error;
              observer({ type: "retry", what: `${provider.id} ${subject}`, attempt, waitMs, code, message }, trace);
            },
          },
        ),
    };
    const inner = seenBy(link, call, conduct);
    try {
      return await raceAbort(work(inner), link.stop);
    } catch (error) {
      const explained = explain(error);
      // After an abort, which is not ours to write on, something may still be under way.
      if (!stop.aborted && Dns01Error.is(explained)) {
        noteNothingWritten(explained, !link.stop.aborted && writes.begun === writes.refused);
      }
      throw explained;
    } finally {
      cancel();
      link.release();
      // Ends whatever the backend left running.
      link.abort(over);
    }
  };

  const request = async <T>(
    label: RequestLabel,
    call: ConductedCall,
    bounds: {
      readonly stop: Stop;
      readonly zone: string | undefined;
      readonly deadline: number;
      readonly writes: Writes;
    },
    run: (call: Call) => Promise<T>,
  ): Promise<T> => {
    const { stop, zone, deadline, writes } = bounds;
    const { operation, write, name } = label;
    const { trace } = call;
    const explain = (reason: unknown) =>
      toDns01Error(
        reason,
        { provider: provider.id, operation, name, zone, plugin: provider.plugin },
        toClassify(options),
      );
    const written = write ? zone : undefined;
    const silence = limit.silence(deadline, written);
    if (silence !== undefined) throw explain(silence);
    const askedAt = clock.now();
    await limit.take(stop, written);
    const waitMs = clock.now() - askedAt;
    if (waitMs >= 1) observer({ type: "rate.wait", provider: provider.id, waitMs }, trace);
    const requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
    const link = linkSignal(stop);
    const cancel = after(clock, requestTimeoutMs, () =>
      link.abort(new TransientError(`no answer within ${requestTimeoutMs / 1000} s`, { timeout: true })),
    );
    const step = `${provider.id} ${operation} ${name}`;
    if (write) {
      observer({ type: "step", kind: "dns", state: "before", detail: step }, trace);
      writes.begun++;
    }
    const startedAt = clock.now();
    const report = (code: Dns01Error["code"] | "OK", requestId?: string) => {
      const durationMs = clock.now() - startedAt;
      const told = requestId === undefined ? {} : { requestId };
      observer({ type: "call", provider: provider.id, operation, durationMs, code, ...told }, trace);
    };
    // In a function of its own, so that a backend that throws instead of rejecting is no special case.
    const work = (async () => run(seenBy(link, call, call.conduct)))();
    try {
      const result = await raceAbort(work, link.stop);
      isHeard = true;
      report("OK");
      if (write) observer({ type: "step", kind: "dns", state: "after", detail: step }, trace);
      return result;
    } catch (cause) {
      if (write && zone !== undefined) abandoned.add(zone, work);
      if (stop.aborted) {
        report("ABORTED");
        throw abortReason(stop);
      }
      // A backend that obeys the signal throws its own words for our time-out.
      const reason: unknown = link.stop.aborted ? link.stop.reason : cause;
      const error = explain(reason);
      if (error.code !== "TRANSIENT") isHeard = true;
      report(error.code, error.requestId);
      if (write && isRefused(error, backend)) writes.refused++;
      if (error.code === "RATE_LIMITED") {
        const { retryAfterMs = 0, scope } = error as RateLimitedError;
        limit.pause(retryAfterMs, reason, scope === "zone" ? written : undefined);
      }
      throw error;
    } finally {
      cancel();
      link.release();
      link.abort(over);
    }
  };

  return {
    findZone: (apex, call) =>
      withDeadline({ operation: "findZone", name: apex }, call, async (inner) => {
        const ask = () => backend.findZone(apex, inner);
        const label = { operation: "findZone", write: false, name: apex };
        const zone = await inner.conduct.attempt(apex, () =>
          backend.conducted ? ask() : inner.conduct.request(label, (one) => backend.findZone(apex, one)),
        );
        return checkZone(zone, apex);
      }),
    ...visibleOf(backend, withDeadline),
    apply: (zone, edits, call) =>
      withDeadline({ operation: "apply", name: zone.apex, zone: zone.apex }, call, async (inner) => {
        if (backend.conducted) return checkChanges(await backend.apply(zone, edits, inner), edits);
        const label = { operation: "apply", write: true, name: zone.apex };
        return inner.conduct.attempt(zone.apex, async () =>
          checkChanges(await inner.conduct.request(label, (one) => backend.apply(zone, edits, one)), edits),
        );
      }),
  };
}

/** Asked once, and not again after a failure: what it tells is only for a message. */
function visibleOf(
  backend: TxtBackend,
  withDeadline: <T>(
    what: Omit<Attempted, "provider">,
    call: Call,
    work: (call: Call & { readonly conduct: Conduct }) => Promise<T>,
  ) => Promise<T>,
): Pick<TxtBackend, "visibleZones"> {
  if (backend.visibleZones === undefined) return {};
  const { conducted } = backend;
  const lifted = conducted ? backend : { ...backend, ...visibleZonesOf(backend) };
  return {
    visibleZones: (call) =>
      withDeadline({ operation: "visibleZones", name: rootName }, call, async (inner) =>
        checkNames(await lifted.visibleZones?.(inner)),
      ),
  };
}

function checkNames(names: unknown): readonly string[] {
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === "string") : [];
}

/** What a service says of one request of a lift that it does not carry out. */
const refusing: ReadonlySet<string> = new Set(["AUTH", "REJECTED", "ZONE_NOT_FOUND", "RATE_LIMITED"]);

/** Without a lift `apply` may be several requests, and has to say itself that none of them was carried out. */
function isRefused({ code, nothingWritten }: Dns01Error, { conducted }: TxtBackend): boolean {
  return nothingWritten ?? (conducted === true && refusing.has(code));
}

/** The call as a backend sees it. Its signal is made when the backend looks at it: not all do. */
function seenBy(link: LinkedSignal, { ttlSeconds, trace }: Pick<Call, "ttlSeconds" | "trace">, conduct: Conduct) {
  return {
    ttlSeconds,
    trace,
    conduct,
    get signal() {
      return link.signal;
    },
  };
}

function toClassify(options: GuardOptions) {
  const { provider, redact, reword } = options;
  return { classify: (cause: unknown) => provider.classify?.(cause), redact, reword };
}

/** A plugin's answer is not to be trusted with the type it declares. */
function checkZone(zone: Zone | undefined, apex: DomainName): Zone | undefined {
  if (zone === undefined || zone === null) return undefined;
  if (typeof zone === "object" && zone.apex === apex && typeof zone.id === "string") return zone;
  const said =
    typeof zone !== "object"
      ? typeof zone
      : zone.apex !== apex
        ? `the zone "${String(zone.apex)}"`
        : `an id that is no text (${typeof zone.id}): String(id) makes it one`;
  throw new Dns01Error("UNKNOWN", `the provider's findZone was asked for exactly ${apex} and returned ${said}`, false);
}

function checkChanges(changes: readonly Change[], edits: readonly Edit[]): readonly Change[] {
  const valid =
    Array.isArray(changes) &&
    changes.length === edits.length &&
    changes.every((change) => change === "changed" || change === "unchanged" || change === "unsettled");
  if (valid) return changes;
  throw new Dns01Error(
    "UNKNOWN",
    `the provider's apply has to return "changed", "unchanged" or "unsettled" for each of ${edits.length} edits and did not`,
    false,
  );
}

interface Abandoned {
  add(zone: string, work: Promise<unknown>): void;
  /** Resolves when all of the zone's abandoned writes have ended, at the latest after `graceMs`. */
  settled(zone: string, stop: Stop): Promise<void>;
}

function createAbandoned(clock: Clock): Abandoned {
  const running = new Map<string, Set<Promise<unknown>>>();
  return {
    add(zone, work) {
      const ended = work.then(
        () => {},
        () => {},
      );
      const ofZone = running.get(zone) ?? new Set();
      running.set(zone, ofZone.add(ended));
      void ended.then(() => {
        ofZone.delete(ended);
        if (ofZone.size === 0 && running.get(zone) === ofZone) running.delete(zone);
      });
    },
    async settled(zone, stop) {
      const ofZone = running.get(zone);
      if (ofZone === undefined) return;
      const grace = linkSignal(stop);
      try {
        await raceAbort(Promise.race([Promise.all(ofZone), clock.sleep(graceMs, grace.signal)]), stop);
        // Once is enough: what has not ended by now is left to itself, and reading shows what it did.
        if (running.get(zone) === ofZone) running.delete(zone);
      } finally {
        grace.release();
        grace.abort(over);
      }
    },
  };
}
