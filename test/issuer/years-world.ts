import type { RenewalAnswer } from "../../src/acme/ari.ts";
import { AcmeError, RateLimitedError, TransientError } from "../../src/core/errors.ts";
import { createBudget } from "../../src/issuer/budget.ts";
import { DAY, HOUR, type Level, type Limit, levelAt, limitsOf, take } from "../../src/issuer/budget-limits.ts";
import type { Held, Kept } from "../../src/issuer/kept.ts";
import type { BudgetStore } from "../../src/issuer/ports.ts";
import type { RenewalState } from "../../src/issuer/renewal.ts";
import { createSchedule } from "../../src/issuer/schedule.ts";
import { createSpread } from "../../src/issuer/schedule-spread.ts";
import { createUpkeep } from "../../src/issuer/upkeep.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";

/** A CA with Let's Encrypt's limits and renewal windows, one without either, and the one to go over to. */
const strict = "https://acme-v02.api.letsencrypt.org/directory";
const plain = "https://plain.test/directory";
const second = "https://second.test/directory";

const epoch = Date.UTC(2027, 0, 1);

export interface YearsOptions {
  readonly seed: number;
  readonly certificates: number;
  readonly days: number;
  /** Renewals are counted by blocks of so many hours: a few certificates an hour are too few to speak of a peak. */
  readonly blockHours: number;
}

/** What went wrong, and what was measured. */
export interface Years {
  readonly expired: readonly string[];
  readonly expiredAlone: readonly string[];
  /** Failed authorizations of one name at one CA within an hour. */
  readonly hammered: readonly string[];
  /** Orders of one CA within a second. */
  readonly rushed: number;
  /** Orders that the strict CA had to refuse. */
  readonly refused: number;
  /** Two orders of one certificate at the same time. */
  readonly doubled: number;
  /** How long a revoked certificate was kept, without the time in which the program could not know. */
  readonly slowestRevocationMs: number;
  readonly renewals: number;
  readonly failures: number;
  /** Renewals in a quiet block of hours whose instant was ours to choose, at most and on average. */
  readonly peak: number;
  readonly mean: number;
  readonly turns: number;
  readonly faults: readonly string[];
}

interface Cert {
  readonly kept: Kept;
  readonly lifetimeMs: number;
  /** Validation of its first name fails meanwhile. */
  readonly broken: readonly Span[];
  held: Held | undefined;
  heldUntil: number;
  inFlight: boolean;
}

/** Less than a supervisor takes, and as long as the pace of orders is kept in mind. */
const RESTART_MS = 1000;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Lives through `days` of a program that keeps certificates, with everything that happens to it. */
export async function liveThrough({ seed, certificates, days, blockHours }: YearsOptions): Promise<Years> {
  const random = createRandom(seed);
  const clock = createVirtualClock(random);
  const end = days * DAY;
  const disturbances: Span[] = [];
  const spans = (count: number, minMs: number, maxMs: number, calmMs: number): readonly Span[] =>
    Array.from({ length: count }, () => {
      const from = (0.05 + 0.9 * random()) * end;
      const span = { from, to: from + minMs + random() * (maxMs - minMs) };
      disturbances.push({ from, to: span.to + calmMs });
      return span;
    });
  const outages = new Map([
    [strict, spans(Math.max(1, Math.round(days / 240)), 2 * DAY, 2 * DAY, DAY)],
    [plain, spans(Math.max(1, Math.round(days / 240)), 2 * DAY, 2 * DAY, DAY)],
    [second, spans(1, HOUR, DAY, HOUR)],
  ]);
  const jumps = apart(
    [
      ...spans(4, HOUR, 6 * HOUR, DAY).map((s) => ({ ...s, by: Math.round(random() * 12 * HOUR) })),
      ...spans(4, HOUR, DAY, DAY).map((s) => ({ ...s, by: -Math.round(random() * 20 * DAY) })),
    ],
    2 * HOUR,
  );
  const sleeps = spans(3, 8 * HOUR, 8 * HOUR, DAY);
  const strictOut = (outages.get(strict) ?? []).toSorted((a, b) => a.from - b.from);
  // A CA that is out revokes nothing until it is back.
  const revocations = spans(Math.max(1, Math.round(days / 365)), 0, 0, 2 * DAY).map(({ from }) => {
    const at = strictOut.reduce((later, out) => (out.from <= later && later < out.to ? out.to : later), from);
    disturbances.push({ from: at, to: at + 2 * DAY });
    return at;
  });
  const restarts = Array.from({ length: Math.round(days / 20) }, () => random() * end)
    .filter((at) => jumps.every((j) => Math.abs(j.from - at) > 2 * HOUR && Math.abs(j.to - at) > 2 * HOUR))
    .sort((a, b) => a - b);

  /** When the machine's clock is set wrong, and right again. */
  const turns = jumps
    .flatMap(({ from, to, by }) => [
      { at: from, by },
      { at: to, by: -by },
    ])
    .sort((a, b) => a.at - b.at);
  let wrongBy = 0;
  let asleep = 0;
  const trueNow = () => epoch + clock.now() + asleep;
  /** What the machine's clock shows: it may be set wrong for a while. */
  const wall = () => {
    const at = clock.now();
    while (at >= (turns[0]?.at ?? Number.POSITIVE_INFINITY)) wrongBy += turns.shift()?.by ?? 0;
    return trueNow() + wrongBy;
  };
  const isIn = (list: readonly Span[], at: number) => list.some((s) => s.from <= at && at < s.to);

  /** True time in which the machine was awake, its clock right and the strict CA there: in the rest nobody can be told. */
  const calmBetween = (from: number, to: number): number => {
    const asleepAt = (at: number) => sleeps.reduce((sum, s) => (s.from < at ? sum + s.to - s.from : sum), 0);
    const inTrueTime = (s: Span) => ({ from: epoch + s.from + asleepAt(s.from), to: epoch + s.to + asleepAt(s.to) });
    const asleep = sleeps.map((s) => ({ from: inTrueTime(s).from, to: inTrueTime(s).from + s.to - s.from }));
    const lost = [...asleep, ...[...jumps, ...(outages.get(strict) ?? [])].map(inTrueTime)];
    const cuts = lost
      .map((s) => ({ from: Math.max(from, s.from), to: Math.min(to, s.to) }))
      .filter((s) => s.from < s.to);
    let calm = to - from;
    let until = from;
    for (const cut of cuts.toSorted((a, b) => a.from - b.from)) {
      calm -= Math.max(0, cut.to - Math.max(until, cut.from));
      until = Math.max(until, cut.to);
    }
    return calm;
  };

  const fleet = new Map<string, Cert>();
  for (let n = 0; n < certificates; n++) {
    const cert = makeCert(n, random, end);
    fleet.set(cert.kept.name, cert);
  }

  const figures = { rushed: 0, refused: 0, doubled: 0, slowest: 0, renewals: 0, failures: 0, turns: 0 };
  const expired: string[] = [];
  const expiredAlone: string[] = [];
  const hammered: string[] = [];
  const faults: string[] = [];
  const perBlock = new Map<number, number>();
  const lastOrder = new Map<string, number>();
  const lastFailure = new Map<string, number>();
  const buckets = new Map<string, Level>();
  const issuing = new Set<string>();

  const noteExpiry = (cert: Cert, at: number) => {
    if (cert.held === undefined || at <= cert.heldUntil || cert.broken.length > 0) return;
    (cert.kept.cas.length > 1 ? expired : expiredAlone).push(
      `${cert.kept.name} at day ${Math.round(cert.heldUntil - epoch) / DAY}`,
    );
  };

  async function order(kept: Kept, ca: string, held: Held | undefined, signal: AbortSignal) {
    const cert = fleet.get(kept.name);
    if (cert === undefined) throw new Error("unknown certificate");
    if (cert.inFlight) figures.doubled++;
    cert.inFlight = true;
    try {
      const at = clock.now();
      if (at - (lastOrder.get(ca) ?? Number.NEGATIVE_INFINITY) < 999) figures.rushed++;
      lastOrder.set(ca, at);
      await clock.sleep(2000 + random() * 80_000, signal);
      if (isIn(outages.get(ca) ?? [], clock.now()))
        throw new TransientError("newOrder: cannot reach the CA", { details: { url: ca } });
      if (ca === strict) obeyLimits(kept, held);
      const [name = ""] = kept.names;
      if (isIn(cert.broken, clock.now()) && random() < 0.9) failValidation(ca, name);
      store(cert, ca);
      return cert.held?.subject.serial;
    } finally {
      cert.inFlight = false;
    }
  }

  function failValidation(ca: string, name: string): never {
    figures.failures++;
    const key = `${ca} ${name}`;
    const at = trueNow();
    if (at - (lastFailure.get(key) ?? Number.NEGATIVE_INFINITY) < HOUR) hammered.push(key);
    lastFailure.set(key, at);
    const problem = { type: "urn:ietf:params:acme:error:unauthorized", identifier: { type: "dns", value: name } };
    throw new AcmeError("order: the CA refuses", { ...problem, subproblems: [problem] }, { operation: "order" });
  }

  /** The CA's own count, in true time. */
  function obeyLimits(kept: Kept, held: Held | undefined): void {
    const at = trueNow();
    const limits = limitsOf(strict);
    const isAri = held?.state?.window !== undefined && held.ca === strict && Date.parse(held.state.window.start) <= at;
    const isSame = held?.ca === strict;
    const hasRoom = (key: string, limit: Limit) => levelAt(buckets.get(key), limit, at).tokens >= 1;
    const { orders, setCertificates } = limits;
    if (orders === undefined || setCertificates === undefined) return;
    if ((!isSame && !hasRoom("orders", orders)) || (!isAri && !hasRoom(kept.name, setCertificates))) {
      figures.refused++;
      throw new RateLimitedError("newOrder: too many", { retryAfterMs: HOUR });
    }
    if (!isSame) buckets.set("orders", take(buckets.get("orders"), orders, at));
    if (!isAri) issuing.add(kept.name);
  }

  function store(cert: Cert, ca: string): void {
    const at = trueNow();
    noteExpiry(cert, at);
    const { setCertificates } = limitsOf(strict);
    // Only what is issued counts for its set of names.
    if (issuing.delete(cert.kept.name) && ca === strict && setCertificates !== undefined)
      buckets.set(cert.kept.name, take(buckets.get(cert.kept.name), setCertificates, at));
    if (cert.held !== undefined) {
      for (const revoked of revocations) {
        const issued = cert.held.subject.notBefore;
        const isHit = cert.held.ca === strict && issued < epoch + revoked && epoch + revoked <= at;
        if (isHit && cert.broken.length === 0)
          figures.slowest = Math.max(figures.slowest, calmBetween(epoch + revoked, at));
      }
    }
    figures.renewals++;
    // Instants in a CA's window are that CA's to level: what it revoked together comes back together.
    const block = Math.floor(clock.now() / (blockHours * HOUR));
    if (ca !== strict) perBlock.set(block, (perBlock.get(block) ?? 0) + 1);
    cert.held = heldOf(`${figures.renewals}`, at, cert.lifetimeMs, ca);
    cert.heldUntil = at + cert.lifetimeMs;
  }

  function ask(held: Held): RenewalAnswer {
    if (held.ca !== strict) return { kind: "unsupported" };
    if (isIn(outages.get(strict) ?? [], clock.now())) return { kind: "failed", lasting: false, reason: "no answer" };
    const { notBefore: start } = held.subject;
    const lifetime = held.subject.notAfter - start;
    const isRevoked = revocations.some((at) => start < epoch + at && epoch + at <= trueNow());
    const centre = isRevoked ? start : start + lifetime * (lifetime < 10 * DAY ? 1 / 2 : 2 / 3);
    const window = { start: new Date(centre - lifetime / 100), end: new Date(centre + lifetime / 100) };
    return { kind: "window", ...window, retryAfterMs: 0.8 * DAY + random() * 0.2 * DAY };
  }

  const budgetStore = memoryStore();

  /** One start of the program, until it is stopped. */
  async function live(until: number): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const upkeep = createUpkeep({
      clock,
      now: wall,
      signal,
      budget: createBudget({
        store: budgetStore,
        now: wall,
        steady: () => clock.now(),
        random,
        registeredDomain: (name) => name.slice(name.indexOf(".") + 1),
      }),
      spread: createSpread(),
      ordersPerSecond: 1,
      lookEveryMs: 30 * DAY,
      load: async (kept) => fleet.get(kept.name)?.held,
      ask: async (_, held) => ask(held),
      keepState: async (kept, state: RenewalState) => {
        const cert = fleet.get(kept.name);
        if (cert?.held !== undefined) cert.held = { ...cert.held, state };
      },
      order: (kept, ca, held) => order(kept, ca, held, signal),
      deploy: async () => false,
      onEvent: () => {},
    });
    const schedule = createSchedule({
      clock,
      now: wall,
      signal,
      parallel: 4,
      longestSleepMs: HOUR / 2,
      look: (key) => upkeep.look((fleet.get(key) as Cert).kept),
      onTurn: () => void figures.turns++,
      onFault: (key, error) => void faults.push(`${key}: ${error instanceof Error ? error.stack : String(error)}`),
    });
    const at = wall();
    for (const key of fleet.keys()) schedule.set(key, at);
    const running = schedule.run();
    for (const sleep of sleeps.filter((s) => s.from >= clock.now() && s.from < until).sort((a, b) => a.from - b.from)) {
      await clock.sleep(Math.max(0, sleep.from - clock.now()));
      asleep += sleep.to - sleep.from;
    }
    await clock.sleep(Math.max(0, until - clock.now()));
    stop.abort();
    await running;
  }

  const life = (async () => {
    for (const until of [...restarts, end]) {
      await live(until);
      // No program starts in the instant in which it ended; ours is started again after 30 s (src/daemon/units.ts).
      await clock.sleep(RESTART_MS);
    }
  })();
  await clock.run(life);
  for (const cert of fleet.values()) noteExpiry(cert, trueNow());

  const quiet = quietBlocks(perBlock, disturbances, { days, blockHours });
  return {
    ...figures,
    slowestRevocationMs: figures.slowest,
    expired,
    expiredAlone,
    hammered,
    faults,
    peak: quiet.reduce((a, b) => Math.max(a, b), 0),
    mean: quiet.reduce((a, b) => a + b, 0) / Math.max(1, quiet.length),
  };
}

/** Blocks in which nothing special happened, the settling of the first days left out. */
function quietBlocks(
  perBlock: ReadonlyMap<number, number>,
  disturbances: readonly Span[],
  { days, blockHours }: Pick<YearsOptions, "days" | "blockHours">,
): readonly number[] {
  const ms = blockHours * HOUR;
  return Array.from({ length: Math.floor((days * DAY) / ms) }, (_, block) => block)
    .slice(Math.ceil((10 * DAY) / ms))
    .filter((block) => !disturbances.some((d) => d.from < (block + 1) * ms && block * ms < d.to))
    .map((block) => perBlock.get(block) ?? 0);
}

function makeCert(n: number, random: () => number, end: number): Cert {
  const lifetimeMs = [90 * DAY, 45 * DAY, 160 * HOUR, 45 * DAY, 90 * DAY][Math.floor(n / 10 + n) % 5] ?? 0;
  const isStrict = n % 10 === 0;
  const ca = isStrict ? strict : plain;
  // Some share their name with another certificate.
  const name = n % 50 === 1 ? `host${n - 1}.zone${(n - 1) % 997}.test` : `host${n}.zone${n % 997}.test`;
  const cas = n % 7 === 6 ? [ca] : [ca, second];
  const isBroken = n % 100 < 2;
  const broken = isBroken
    ? Array.from({ length: 20 }, () => {
        const from = random() * end;
        return { from, to: from + random() * 10 * DAY };
      })
    : [];
  // A fleet that has grown over time; a tenth is new.
  const age = random() * (lifetimeMs / (lifetimeMs < 10 * DAY ? 2 : 1.5));
  const held = n % 10 === 9 ? undefined : heldOf(`first${n}`, epoch - age, lifetimeMs, ca);
  const heldUntil = held?.subject.notAfter ?? Number.POSITIVE_INFINITY;
  const kept = { name: `c${n}`, names: [name], cas };
  return { kept, lifetimeMs, broken, held, heldUntil, inFlight: false };
}

function heldOf(serial: string, at: number, lifetimeMs: number, ca: string): Held {
  return { subject: { serial, notBefore: at, notAfter: at + lifetimeMs }, ca, state: undefined };
}

/** Jumps that neither overlap nor follow each other closely. */
function apart<T extends Span>(list: readonly T[], byMs: number): readonly T[] {
  const sorted = [...list].sort((a, b) => a.from - b.from);
  return sorted.filter((span, i) => i === 0 || span.from > (sorted[i - 1]?.to ?? 0) + byMs);
}

function memoryStore(): BudgetStore {
  const folders = new Map<string, Map<string, unknown>>();
  return {
    load: async (folder, key) => folders.get(folder)?.get(key),
    async save(folder, key, value) {
      const known = folders.get(folder);
      if (known === undefined) folders.set(folder, new Map([[key, value]]));
      else known.set(key, value);
    },
    remove: async (folder, key) => void folders.get(folder)?.delete(key),
  };
}
