import type { DomainName } from "../core/name.ts";
import { rootName } from "../core/name.ts";
import type { Quorum } from "./quorum.ts";
import { standing } from "./quorum.ts";
import type { View } from "./recursive.ts";
import type { OwnerState } from "./schedule.ts";
import type { Target } from "./target.ts";
import type { ServerVerdict } from "./types.ts";

/** The state of every nameserver address of an owner, as data (propagation.md §6). Times from `startedAt`. */
export function serversOf(s: OwnerState, quorum: Quorum, startedAt: number): readonly ServerVerdict[] {
  const excused = new Set(standing(s.targets, quorum).excused);
  return s.targets.map((t) => serverVerdict(s, t, excused.has(t), startedAt));
}

function serverVerdict(s: OwnerState, t: Target, excused: boolean, startedAt: number): ServerVerdict {
  const { heard, answer, failure } = t;
  return {
    name: t.server.name,
    address: t.server.address,
    zone: s.zone ?? rootName,
    owner: s.owner,
    class: t.class,
    excused,
    ...defined({
      nsid: answer?.nsid,
      nsids: t.machines.size > 1 ? [...t.machines.keys()] : undefined,
      sinceMs: since(t.classSince, startedAt),
      agreedAfterMs: since(t.agreedAt, startedAt),
      rcode: heard?.rcode,
      aa: heard?.aa,
      transport: answer?.transport,
      rttMs: answer === undefined ? undefined : Math.round(answer.rttMs * 10) / 10,
      soaSerial: t.serial,
      firstSoaSerial: t.firstSerial,
      soaMname: t.mname,
      negativeTtlSeconds: t.negativeTtlSeconds,
      ttlSeconds: heard?.ttlSeconds,
      error: failure?.text ?? heard?.note ?? aliasText(t),
    }),
    missing: heard?.missing ?? s.values,
    seen: shortened(heard?.foreign ?? []),
  };
}

function aliasText(t: Target): string | undefined {
  const alias = t.heard?.alias;
  return alias === undefined ? undefined : `${alias.kind} to ${alias.target}`;
}

/** What the resolvers said, in the same form. A failed one is excused when another has the value. */
export function resolverVerdicts(
  views: readonly View[],
  zoneOf: (owner: DomainName) => DomainName | undefined,
  startedAt: number,
): readonly ServerVerdict[] {
  return views.map((v): ServerVerdict => {
    const failed = v.failures > 0 && v.class !== "match";
    return {
      name: v.label as DomainName,
      address: v.label,
      zone: zoneOf(v.owner) ?? rootName,
      owner: v.owner,
      class: v.class,
      excused: failed && views.some((o) => o.owner === v.owner && o.class === "match"),
      resolver: true,
      ...defined({
        sinceMs: since(v.classSince, startedAt),
        agreedAfterMs: since(v.agreedAt, startedAt),
        rcode: v.answer?.message.rcode,
        authenticData: v.answer?.message.authenticData,
        transport: v.answer?.transport,
        rttMs: v.answer === undefined ? undefined : Math.round(v.answer.rttMs * 10) / 10,
        negativeTtlSeconds: v.negativeTtlSeconds,
        error: v.error,
      }),
      missing: v.missing,
      seen: shortened(v.foreign),
    };
  });
}

/** Up to three foreign values; enough of each to recognise it, control characters made visible. */
function shortened(values: readonly string[]): readonly string[] {
  return values.slice(0, 3).map((value) => {
    const text = JSON.stringify(value).slice(1, -1);
    return text.length <= 24 ? text : `${text.slice(0, 20)}…`;
  });
}

function since(time: number | undefined, startedAt: number): number | undefined {
  return time === undefined ? undefined : Math.round(time - startedAt);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that are undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined)) as Defined<T>;
}
