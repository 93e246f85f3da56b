import { setImmediate } from "node:timers/promises";
import { ConflictError } from "../../src/core/errors.ts";
import type { DomainName } from "../../src/core/name.ts";
import type { Owner, RecordApi, RRset, RRsetApi, Traits, TxtBackend } from "../../src/core/provider.ts";
import { recordBackend } from "../../src/core/records.ts";
import { rrsetBackend } from "../../src/core/rrsets.ts";
import { HttpError } from "../../src/http.ts";
import type { InjectedFault, Service, Subject } from "../../src/testing/index.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { faultError, forbiddenZone, secretToken, type Weather, type WorldFault } from "./weather.ts";

export { secretToken };

export interface StoredRecord {
  readonly id: string;
  readonly type: string;
  readonly value: string;
  readonly ttlSeconds: number;
}

/** A DNS service in memory that knows zones, ids, types and TTLs, and has bad days. */
export interface World {
  readonly zones: Map<DomainName, Map<DomainName, StoredRecord[]>>;
  /** Everything a request about a zone passes on its way in: latency, refusal, silence. */
  enter(signal: AbortSignal, apex: DomainName): Promise<void>;
  /** And on its way out, after a read or a write was carried out. */
  leave(kind?: "read" | "write"): void;
  newId(): string;
  readonly weather: Weather;
  inject(fault: WorldFault, nth: number, seconds?: number): InjectedFault;
}

function createWorld(apexes: readonly DomainName[]): World {
  const weather: Weather = {
    refused: false,
    gone: false,
    hanging: false,
    loseAnswer: false,
    only: undefined,
    hung: 0,
  };
  let ids = 0;
  let waiting: { fault: WorldFault; nth: number; seconds: number | undefined; seen: number; met: boolean }[] = [];
  const silence = async (signal: AbortSignal): Promise<never> => {
    weather.hung++;
    return await new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        weather.hung--;
        reject(signal.reason);
      }),
    );
  };
  let losing = false;
  return {
    inject(fault, nth, seconds) {
      const entry = { fault, nth, seconds, seen: 0, met: false };
      waiting.push(entry);
      return {
        met: () => entry.met,
        cancel: () => {
          waiting = waiting.filter((other) => other !== entry);
        },
      };
    },
    zones: new Map(apexes.map((apex) => [apex, new Map()])),
    weather,
    newId: () => `id-${++ids}`,
    async enter(signal, apex) {
      for (const entry of [...waiting]) {
        if (++entry.seen < entry.nth) continue;
        waiting = waiting.filter((other) => other !== entry);
        entry.met = true;
        if (entry.fault === "hang") await silence(signal);
        else if (entry.fault !== "lost") throw faultError(entry.fault, entry.seconds);
        losing = true;
      }
      for (let turns = Math.floor(Math.random() * 4); turns > 0; turns--) await setImmediate();
      if (weather.hanging) await silence(signal);
      if (weather.gone) throw Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
      if (weather.only !== undefined && apex !== weather.only) {
        throw forbiddenZone();
      }
      if (weather.refused) {
        throw new HttpError("POST http://127.0.0.1/records: 403 Forbidden: bad token", {
          status: 403,
          body: { message: "bad token", authorization: `Bearer ${secretToken}` },
          headers: {},
        });
      }
    },
    leave(kind = "write") {
      if (!losing && !(weather.loseAnswer && kind === "write")) return;
      if (!losing) weather.loseAnswer = false;
      losing = false;
      throw faultError("lost");
    },
  };
}

export function recordsAt(world: World, apex: DomainName, fqdn: DomainName): StoredRecord[] {
  const zone = world.zones.get(apex);
  if (zone === undefined) throw new Error(`no zone ${apex}`);
  const records = zone.get(fqdn) ?? [];
  zone.set(fqdn, records);
  return records;
}

/** A service that gives every record an id and refuses doubles. */
export function recordApi(world: World): RecordApi {
  return {
    async findZone(apex, { signal }) {
      await world.enter(signal, apex);
      world.leave("read");
      return world.zones.has(apex) ? { apex, id: apex } : undefined;
    },
    async list({ zone, fqdn }, { signal }) {
      await world.enter(signal, zone.apex);
      world.leave("read");
      return recordsAt(world, zone.apex, fqdn).filter(({ type }) => type === "TXT");
    },
    async create({ zone, fqdn }, value, { signal, ttlSeconds }) {
      await world.enter(signal, zone.apex);
      const records = recordsAt(world, zone.apex, fqdn);
      if (records.some((r) => r.type === "TXT" && r.value === value)) throw new ConflictError("record exists");
      records.push({ id: world.newId(), type: "TXT", value, ttlSeconds });
      world.leave();
    },
    async delete({ zone, fqdn }, { id }, { signal }) {
      await world.enter(signal, zone.apex);
      const records = recordsAt(world, zone.apex, fqdn);
      const index = records.findIndex((r) => r.id === id);
      if (index >= 0) records.splice(index, 1);
      world.leave();
    },
  };
}

/** A service where a write replaces the TXT values of a name; `conditional` compares what was read. */
export function rrsetApi(world: World, conditional: boolean): RRsetApi {
  const current = ({ zone, fqdn }: Owner): RRset | undefined => {
    const txt = recordsAt(world, zone.apex, fqdn).filter(({ type }) => type === "TXT");
    const [first] = txt;
    return first && { values: txt.map(({ value }) => value), ttlSeconds: first.ttlSeconds };
  };
  return {
    conditional,
    async findZone(apex, { signal }) {
      await world.enter(signal, apex);
      world.leave("read");
      return world.zones.has(apex) ? { apex, id: apex } : undefined;
    },
    async read(owner, { signal }) {
      await world.enter(signal, owner.zone.apex);
      world.leave("read");
      return current(owner);
    },
    async replace(zone, changes, { signal }) {
      await world.enter(signal, zone.apex);
      if (conditional && changes.some(({ owner, previous }) => !same(previous, current(owner)))) {
        throw new ConflictError("the set has changed");
      }
      for (const { owner, next } of changes) {
        const records = recordsAt(world, owner.zone.apex, owner.fqdn);
        const others = records.filter(({ type }) => type !== "TXT");
        const txt = (next?.values ?? []).map((value) => ({
          id: world.newId(),
          type: "TXT",
          value,
          ttlSeconds: next?.ttlSeconds ?? 0,
        }));
        records.splice(0, records.length, ...others, ...txt);
      }
      world.leave();
    },
  };
}

function same(a: RRset | undefined, b: RRset | undefined): boolean {
  return a?.ttlSeconds === b?.ttlSeconds && JSON.stringify(a?.values) === JSON.stringify(b?.values);
}

/** A service that adds and removes single values atomically, as RFC 2136 does. */
export function directBackend(world: World): TxtBackend {
  return {
    findZone: recordApi(world).findZone,
    async apply(zone, edits, { signal, ttlSeconds }) {
      await world.enter(signal, zone.apex);
      const changes = edits.map(({ owner, add, remove }) => {
        const records = recordsAt(world, owner.zone.apex, owner.fqdn);
        const has = (value: string) => records.some((r) => r.type === "TXT" && r.value === value);
        const missing = add.filter((value) => !has(value));
        const kept = records.filter((r) => r.type !== "TXT" || !remove.includes(r.value));
        const removed = records.length - kept.length;
        const added = missing.map((value) => ({ id: world.newId(), type: "TXT", value, ttlSeconds }));
        records.splice(0, records.length, ...kept, ...added);
        return removed + added.length > 0 ? ("changed" as const) : ("unchanged" as const);
      });
      world.leave();
      return changes;
    },
  };
}

export const shapes = {
  record: (world: World) => recordBackend(recordApi(world), { listLagMs: 0 }),
  "rrset-cas": (world: World) => rrsetBackend(rrsetApi(world, true)),
  "rrset-plain": (world: World) => rrsetBackend(rrsetApi(world, false)),
  direct: directBackend,
} satisfies Record<string, (world: World) => TxtBackend>;

const traits: Traits = { ttlSeconds: { min: 60, default: 600 } };

/** The world as a subject of the suite, reached through `connect`. */
export function worldSubject(
  id: string,
  connect: (world: World) => TxtBackend,
  more: Pick<Subject, "writers" | "skip"> = {},
): Subject {
  return {
    ...more,
    provider: { id, traits },
    clock: createFastClock(50),
    // Of the fast clock: a minute, and forty seconds for a request. A busy machine stands still for seconds.
    timeoutMs: 3_000_000,
    requestTimeoutMs: 2_000_000,
    start: async (apexes) => {
      const world = createWorld(apexes);
      return serviceOf(world, () => connect(world));
    },
  };
}

function serviceOf(world: World, connect: () => TxtBackend): Service {
  const txt = (apex: DomainName, fqdn: DomainName) => recordsAt(world, apex, fqdn).filter(({ type }) => type === "TXT");
  return {
    connect: async () => connect(),
    values: async (apex, fqdn) => txt(apex, fqdn).map(({ value }) => value),
    async put(apex, fqdn, values, ttlSeconds) {
      for (const value of values)
        recordsAt(world, apex, fqdn).push({ id: world.newId(), type: "TXT", value, ttlSeconds });
    },
    stop: async () => {},
    async putOtherType(apex, fqdn) {
      const record = { id: world.newId(), type: "A", value: "192.0.2.1", ttlSeconds: 60 };
      recordsAt(world, apex, fqdn).push(record);
      return async () => recordsAt(world, apex, fqdn).includes(record);
    },
    ttlSeconds: async (apex, fqdn) => txt(apex, fqdn)[0]?.ttlSeconds,
    loseNextAnswer() {
      world.weather.loseAnswer = true;
    },
    refuseCredentials() {
      world.weather.refused = true;
    },
    async disappear() {
      world.weather.gone = true;
    },
    hang() {
      world.weather.hanging = true;
    },
    inject: world.inject,
    takesAnyText: () => true,
    limitTo(apex) {
      world.weather.only = apex;
    },
    hangAt: (nth) => ({ ...world.inject("hang", nth), isOpen: () => world.weather.hung > 0 }),
    throttleFor: (seconds, nth) => world.inject("throttle", nth, seconds),
    notFoundPage: (nth) => world.inject("notFoundPage", nth),
    secrets: [secretToken],
  };
}
