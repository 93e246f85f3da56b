import {
  answerAll,
  type PendingChallenge,
  pendingDns01,
  timeOfLife,
  waitForFinalAuthorizations,
} from "../acme/order.ts";
import type { AcmeClient, Authorization, Order } from "../acme/types.ts";
import { challengeName } from "../core/challenge.ts";
import { counted } from "../core/counted.ts";
import { RejectedError } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import { propagationError, waitForTxt } from "../dns/propagation.ts";
import type { Placement, Verdict, Warning } from "../dns/types.ts";
import { ttlOf, waitForCaches } from "./ca-memory.ts";
import { uniqueWarnings } from "./kept-warnings.ts";
import type { ChallengeResult, IssueDeps, IssueRequest } from "./request.ts";
import { settleDuring } from "./settle-during.ts";
import type { OwnerValues, PresentedAt, ValueLedger } from "./values.ts";
import { groupBy } from "./values.ts";

/** More values than this at one name and some validator sees nothing (propagation.md §8). */
const WAVE_SIZE = 6;
const TOO_MANY_VALUES = 16;
/** A CA may keep the earlier answer at a shared owner for this long (boulder#3405). */
const POSITIVE_CACHE_MS = 60_000;

export interface ChallengeOutcome {
  readonly challenges: readonly ChallengeResult[];
  readonly verdicts: readonly Verdict[];
  readonly warnings: readonly Warning[];
  readonly spent: { readonly presentMs: number; readonly propagationMs: number; readonly validationMs: number };
}

interface Placed {
  readonly challenge: PendingChallenge;
  readonly placement: Placement;
}

/**
 * Proves everything an order still needs: all values of all zones written together, one wait, all challenges answered
 * together. Several waves only where too many names lead to one owner. Leaves the values in place for the caller's
 * clean-up, except between waves.
 */
export async function proveAll(
  client: AcmeClient,
  order: Order,
  authorizations: readonly Authorization[],
  placements: ReadonlyMap<DomainName, Promise<Placement>>,
  ledger: ValueLedger,
  request: IssueRequest,
  deps: IssueDeps,
): Promise<ChallengeOutcome> {
  const { observer, clock, signal } = deps;
  const pending = pendingDns01(client, authorizations);
  observer({ type: "phase", phase: "aliases", state: "start" });
  const placed = await Promise.all(
    pending.map(
      async (challenge): Promise<Placed> => ({ challenge, placement: await placementOf(challenge, placements, deps) }),
    ),
  );
  const warnings = uniqueWarnings(placed.flatMap((p) => [...p.placement.warnings, ...p.placement.delegation.warnings]));
  for (const w of warnings) observer({ type: "warning", ...w });
  observer({ type: "phase", phase: "aliases", state: "done" });

  const waves = wavesOf(placed);
  const challenges: ChallengeResult[] = [];
  const verdicts: Verdict[] = [];
  const spent = { presentMs: 0, propagationMs: 0, validationMs: 0 };
  for (const [index, wave] of waves.entries()) {
    const last = index === waves.length - 1;
    const started = clock.now();
    const wanted = valuesOf(wave);
    const count = wanted.reduce((n, w) => n + w.values.length, 0);
    observer({
      type: "phase",
      phase: "present",
      state: "start",
      detail: `${counted(count, "value")} at ${counted(wanted.length, "name")}`,
    });
    const { at, written: writes } = await ledger.present(wanted, signal);
    observer({ type: "phase", phase: "present", state: "done" });
    const written = clock.now();
    const expires = expiryOf(order, authorizations);
    const verdict = await settleDuring(
      writes,
      () => waitForAll(wave, wanted, at, index > 0, expires, request, deps),
      ({ status }) => status === "propagated",
      deps,
    );
    verdicts.push(verdict);
    const visible = clock.now();
    const owners = wanted.map(({ owner }) => owner);
    // Later waves have waited for the caches already.
    if (index === 0) await waitForCaches(request.ca.directoryUrl, owners, visible, deps);
    deps.dns.caMemory?.note(request.ca.directoryUrl, owners, ttlOf(verdict));
    observer({
      type: "phase",
      phase: "validation",
      state: "start",
      detail: `${counted(wave.length, "challenge")} answered`,
    });
    // The history is written to disk meanwhile: the challenges do not wait for that.
    const recorded = recordDelay(at, verdict, deps);
    try {
      await answerAll(
        client,
        wave.map((p) => p.challenge),
        signal,
      );
    } finally {
      await recorded;
    }
    if (!last) {
      await waitForFinalAuthorizations(
        client,
        wave.map((p) => p.challenge.authorizationUrl),
        { clock, signal },
      );
      warnings.push(...(await ledger.cleanUp(30_000)));
    }
    spent.presentMs += written - started;
    spent.propagationMs += visible - written;
    spent.validationMs += clock.now() - visible;
    challenges.push(...wave.map((p) => describe(p, at)));
  }
  return { challenges, verdicts, warnings, spent };
}

async function placementOf(
  challenge: PendingChallenge,
  placements: ReadonlyMap<DomainName, Promise<Placement>>,
  deps: IssueDeps,
): Promise<Placement> {
  const fqdn = challengeName(challenge.base);
  return placements.get(fqdn) ?? deps.dns.place(fqdn, deps.signal);
}

async function waitForAll(
  wave: readonly Placed[],
  wanted: readonly OwnerValues[],
  at: ReadonlyMap<DomainName, PresentedAt>,
  later: boolean,
  expires: number | undefined,
  request: IssueRequest,
  deps: IssueDeps,
): Promise<Verdict> {
  const { observer, clock, signal, dns } = deps;
  observer({ type: "phase", phase: "propagation", state: "start" });
  const delegations = new Map(wave.map((p) => [p.placement.owner, p.placement.delegation]));
  const ours = request.propagation.timeoutMs;
  // An order that expires while DNS is awaited is lost (acme.md §2 "expiry").
  const deadlineMs =
    expires === undefined ? ours : Math.max(1, Math.min(ours, timeOfLife(expires - deps.now().getTime())));
  const first = firstPlace(at);
  const hint = first === undefined ? undefined : await dns.hints?.load(first.provider, first.zone);
  const verdict = await waitForTxt({
    items: wanted.map((w) => ({ owner: w.owner, values: w.values, delegation: delegations.get(w.owner) })),
    discovery: dns.discovery,
    exchange: dns.exchange,
    mode: request.propagation.mode,
    resolvers: dns.resolvers,
    dohExchange: dns.dohExchange,
    deadlineMs,
    settleMs: later ? POSITIVE_CACHE_MS : 0,
    hint,
    signal,
    clock,
    observer,
  });
  for (const w of verdict.warnings) observer({ type: "warning", ...w });
  signal.throwIfAborted();
  if (verdict.status !== "propagated" && verdict.status !== "skipped") throw propagationError(verdict);
  observer({ type: "phase", phase: "propagation", state: "done" });
  return verdict;
}

/** The zone whose history a wait goes by, and goes into. */
function firstPlace(at: ReadonlyMap<DomainName, PresentedAt>): PresentedAt | undefined {
  return [...at.values()][0];
}

async function recordDelay(
  at: ReadonlyMap<DomainName, PresentedAt>,
  verdict: Verdict,
  { dns }: IssueDeps,
): Promise<void> {
  const first = firstPlace(at);
  if (first !== undefined) await dns.hints?.record(first.provider, first.zone, verdict);
}

/** At most WAVE_SIZE values of one owner at a time when there would be too many of them. */
function wavesOf(placed: readonly Placed[]): readonly (readonly Placed[])[] {
  const waves: Placed[][] = [[]];
  for (const [owner, group] of groupBy(placed, (p) => p.placement.owner)) {
    const values = new Set(group.map((p) => p.challenge.value));
    if (values.size <= WAVE_SIZE) {
      waves[0]?.push(...group);
      continue;
    }
    if (values.size > TOO_MANY_VALUES * 8) {
      throw new RejectedError(`${values.size} challenges lead to one name, ${owner}`, {
        fqdn: owner,
        hint: "Give some of the names their own alias target, or split the certificate.",
      });
    }
    const chunks = [...values];
    for (let i = 0; i * WAVE_SIZE < chunks.length; i++) {
      const part = new Set(chunks.slice(i * WAVE_SIZE, (i + 1) * WAVE_SIZE));
      const members = group.filter((p) => part.has(p.challenge.value));
      const wave = waves[i];
      if (wave === undefined) waves.push(members);
      else wave.push(...members);
    }
  }
  return waves.filter((w) => w.length > 0);
}

function valuesOf(wave: readonly Placed[]): readonly OwnerValues[] {
  return [...groupBy(wave, (p) => p.placement.owner)].map(([owner, group]) => ({
    owner,
    fqdn: group.every((p) => p.placement.fqdn === group[0]?.placement.fqdn) ? group[0]?.placement.fqdn : undefined,
    zoneCut: group[0]?.placement.delegation.zone ?? owner,
    // A set: some CAs give apex and wildcard one token, hence one value (acme.md §3).
    values: [...new Set(group.map((p) => p.challenge.value))],
  }));
}

function describe(p: Placed, at: ReadonlyMap<DomainName, PresentedAt>): ChallengeResult {
  const place = at.get(p.placement.owner);
  return {
    domain: p.challenge.domain,
    type: "dns-01",
    fqdn: p.placement.fqdn,
    owner: p.placement.owner,
    zone: place?.zone ?? p.placement.delegation.zone,
    provider: place?.provider ?? "",
    status: "valid",
  };
}

/** The earliest end of the order or of one of its authorizations, milliseconds since the epoch. */
function expiryOf(order: Order, authorizations: readonly Authorization[]): number | undefined {
  const times = [order.expires, ...authorizations.map((a) => a.expires)]
    .map((text) => (text === undefined ? Number.NaN : Date.parse(text)))
    .filter((t) => !Number.isNaN(t));
  return times.length === 0 ? undefined : Math.min(...times);
}
