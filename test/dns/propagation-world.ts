import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Quorum } from "../../src/dns/quorum.ts";

/** What goes wrong for every question to a server while it lasts. */
export interface Weather {
  readonly kind:
    | "silent"
    | "servfail"
    | "refused"
    | "formerr"
    | "notimp"
    | "badvers"
    | "no-aa"
    | "intercepted"
    | "unroutable"
    | "garbage";
  readonly from: number;
  readonly to: number;
}

/** One machine's copy of one owner's records: when each value comes and, if ever, goes. */
export interface Copy {
  readonly appears: readonly number[];
  readonly vanishes: readonly number[];
}

export interface ServerScript {
  readonly name: DomainName;
  readonly address: string;
  readonly rttMs: number;
  readonly loss: number;
  readonly tcp: boolean;
  /** UDP answers come back with TC. */
  readonly truncates: boolean;
  readonly weather: readonly Weather[];
  /** Several for an address that is a pool of machines. */
  readonly machines: number;
  readonly choice: "random" | "turn" | "time";
  readonly nsid: boolean;
  readonly withoutSoa: boolean;
  readonly noCase: boolean;
  /** Serves the parent only and sends everybody on. */
  readonly parent: boolean;
}

export interface OwnerScript {
  readonly owner: DomainName;
  readonly zone: DomainName;
  readonly values: readonly string[];
  readonly foreign: readonly string[];
  /** copies[server][machine] */
  readonly copies: readonly (readonly Copy[])[];
  readonly wildcardAlias: boolean;
  /** From then on the first server has a real alias at the owner. */
  readonly aliasAt: number;
  readonly dname: boolean;
}

/** A cache in front of the first server, asked when all is done. */
export interface ResolverScript {
  readonly kind: "good" | "bogus" | "silent" | "refusing" | "behind";
  /** Until when it keeps an answer from before the record existed, for `behind`. */
  readonly remembersUntil: number;
}

export interface Script {
  readonly resolver: ResolverScript | undefined;
  readonly servers: readonly ServerScript[];
  readonly owners: readonly OwnerScript[];
  readonly deadlineMs: number;
  readonly quorum: Quorum;
  readonly confirmations: number | undefined;
  readonly settleMs: number;
  readonly abortAt: number;
  readonly discovery: { readonly delayMs: number; readonly worksFrom: number; readonly given: boolean };
  readonly hint: boolean;
  /** Names of what was chosen, for the statistics. */
  readonly faults: ReadonlySet<string>;
}

const never = Number.POSITIVE_INFINITY;

/** A world of trouble, made from one stream of random numbers. */
export function scriptFrom(random: () => number): Script {
  const faults = new Set<string>();
  const chance = (p: number, name: string) => {
    const hit = random() < p;
    if (hit) faults.add(name);
    return hit;
  };
  const between = (low: number, high: number) => low + random() * (high - low);
  const whole = (low: number, high: number) => Math.floor(between(low, high + 1));
  const pick = <T>(first: T, ...rest: readonly T[]): T => [first, ...rest][whole(0, rest.length)] ?? first;

  const deadlineMs = pick(3_000, 8_000, 15_000, 30_000, 45_000);
  const latest = Math.min(20_000, deadlineMs);
  /** By order of magnitude, as propagation delays are. */
  const delay = () => (random() < 0.3 ? 0 : Math.exp(between(Math.log(50), Math.log(latest))));
  const calm = chance(0.2, "calm");
  const p = (x: number) => (calm ? 0 : x);

  const dualStack = chance(p(0.2), "dual stack");
  const names = whole(1, 4);
  const noV6 = dualStack && chance(0.5, "v6 without a route");
  const v6Silent = dualStack && !noV6 && chance(0.4, "v6 silent");
  const child = chance(p(0.06), "cut below");
  const servers: ServerScript[] = [];
  for (let i = 0; i < names; i++) {
    for (const family of dualStack ? [4, 6] : [4]) servers.push(server(i, family));
  }
  if (child) {
    for (let i = 0; i < 2; i++) servers.push({ ...server(10 + i, 4), parent: true, weather: [] });
  }

  function server(i: number, family: number): ServerScript {
    const weather: Weather[] = [];
    if (family === 6 && noV6) weather.push({ kind: "unroutable", from: 0, to: never });
    if (family === 6 && v6Silent) weather.push({ kind: "silent", from: 0, to: never });
    const kinds = [
      "silent",
      "servfail",
      "refused",
      "formerr",
      "notimp",
      "badvers",
      "no-aa",
      "intercepted",
      "unroutable",
      "garbage",
    ] as const;
    if (chance(p(0.12), "never well")) weather.push({ kind: pick(...kinds), from: 0, to: never });
    while (chance(p(0.18), "weather")) {
      const from = random() < 0.5 ? 0 : between(0, latest);
      weather.push({ kind: pick(...kinds), from, to: from + between(100, 12_000) });
    }
    for (const w of weather) faults.add(w.kind);
    const lossy = chance(p(0.15), "loss");
    const pool = chance(p(0.06), "pool");
    return {
      name: parseName(`ns${i}.example.test`),
      address: family === 4 ? `192.0.2.${i + 1}` : `2001:db8::${i + 1}`,
      rttMs: pick(1, 15, 40, 180),
      loss: lossy ? pick(0.1, 0.5, 1) : 0,
      tcp: !chance(p(0.1), "no TCP"),
      truncates: chance(p(0.05), "TC"),
      weather,
      machines: pool ? whole(2, 4) : 1,
      choice: pick("random", "turn", "time"),
      nsid: random() < 0.5,
      withoutSoa: chance(p(0.08), "no SOA"),
      noCase: chance(p(0.05), "case"),
      parent: false,
    };
  }

  const ownerCount = chance(0.12, "several owners") ? whole(2, 6) : 1;
  const vanishing = chance(p(0.05), "vanishing");
  const allAtOnce = chance(0.2, "all at once");
  const owners: OwnerScript[] = [];
  for (let k = 0; k < ownerCount; k++) {
    const values = Array.from({ length: random() < 0.6 ? 1 : whole(2, 3) }, (_, v) => `value-${k}-${v}`);
    const together = values.map(delay);
    const copies = servers.map((s, i) =>
      Array.from({ length: s.machines }, (): Copy => {
        const forgets = chance(p(0.06), "never there");
        const base = delay();
        const appears = values.map((_, v) => {
          if (forgets) return never;
          if (allAtOnce) return together[v] ?? 0;
          return v > 0 && chance(0.3, "second value late") ? base + delay() : base;
        });
        const vanishes = appears.map((at) => (vanishing && i === 0 ? at + between(50, 6_000) : never));
        return { appears, vanishes };
      }),
    );
    const wildcardAlias = chance(p(0.05), "wildcard alias");
    owners.push({
      owner: parseName(`_acme-challenge.host${k}.example.test`),
      zone: parseName(child ? `host${k}.example.test` : "example.test"),
      values,
      foreign: chance(p(0.2), "foreign values") ? Array.from({ length: whole(1, 8) }, (_, n) => `old-${n}`) : [],
      copies,
      wildcardAlias,
      aliasAt: chance(p(0.03), "alias appears") ? between(0, latest) : never,
      dname: random() < 0.3,
    });
  }

  const quorum: Quorum = chance(p(0.1), "quorum all")
    ? "all"
    : chance(p(0.08), "quorum missing")
      ? { missing: 1 }
      : "reachable";
  const asksResolver = chance(0.1, "resolver");
  const resolverKind = pick("good", "good", "bogus", "silent", "refusing", "behind" as const);
  if (asksResolver) faults.add(`resolver ${resolverKind}`);
  return {
    servers,
    owners,
    resolver: asksResolver ? { kind: resolverKind, remembersUntil: between(0, 60_000) } : undefined,
    deadlineMs,
    quorum,
    confirmations: chance(0.2, "confirmations") ? whole(1, 3) : undefined,
    settleMs: chance(0.1, "settle") ? between(10, 2_000) : 0,
    abortAt: chance(0.08, "abort") ? between(0, deadlineMs) : never,
    discovery: {
      delayMs: pick(0, 5, 60),
      worksFrom: chance(p(0.05), "discovery fails at first") ? between(10, 20_000) : 0,
      given: !child && random() < 0.5,
    },
    hint: chance(0.1, "hint"),
    faults,
  };
}
