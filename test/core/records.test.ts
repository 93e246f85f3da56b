import { expect, test } from "vitest";
import { ConflictError, RejectedError, TransientError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/events.ts";
import { guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import type { Edit, Owner, RecordApi, TxtBackend, TxtRecord } from "../../src/core/provider.ts";
import { type RecordBackendOptions, recordBackend } from "../../src/core/records.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

const zone = { apex: parseName("example.com"), id: "1" };
const owner: Owner = { zone, fqdn: parseName("_acme-challenge.example.com"), relative: "_acme-challenge" };
const call = { signal: new AbortController().signal, ttlSeconds: 60 };

const add = (...values: string[]): Edit => ({ owner, add: values, remove: [] });
const remove = (...values: string[]): Edit => ({ owner, add: [], remove: values });

/** A service whose lists show a record `lagMs` after it was made, and that notes every request. */
function laggingApi(clock: VirtualClock, lagMs: number) {
  const records: (TxtRecord & { readonly visibleAt: number })[] = [];
  const log: string[] = [];
  let ids = 0;
  const api: RecordApi = {
    findZone: async () => zone,
    async list() {
      log.push("list");
      return records.filter(({ visibleAt }) => visibleAt <= clock.now());
    },
    async create(_owner, value) {
      log.push(`create ${value}`);
      if (records.some((r) => r.value === value)) throw new ConflictError("exists");
      records.push({ id: String(++ids), value, visibleAt: clock.now() + lagMs });
    },
    async delete(_owner, { id }) {
      log.push(`delete ${id}`);
      const index = records.findIndex((r) => r.id === id);
      if (index >= 0) records.splice(index, 1);
    },
  };
  return { api, records, log, values: () => records.map(({ value }) => value) };
}

function setUp(lagMs = 0, options: RecordBackendOptions = {}) {
  const clock = virtualClock();
  const service = laggingApi(clock, lagMs);
  const connect = (api: RecordApi = service.api) =>
    guard(recordBackend(api, options), {
      provider: { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } },
      observer: silent,
      clock,
    });
  return { ...service, clock, connect, backend: connect() };
}

test("a record that is switched off gives way to a new one of its value; one beside it that is served is enough", async () => {
  const { backend, clock, log, records } = setUp();
  records.push(
    { id: "x", value: "a", isOff: true, visibleAt: 0 },
    { id: "y", value: "other", isOff: true, visibleAt: 0 },
  );
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(log).toEqual(["list", "delete x", "create a"]);
  records.push({ id: "z", value: "a", isOff: true, visibleAt: 0 });
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(records.map(({ id }) => id)).toEqual(["y"]);
});

test("a present is one list and one create per value, a repeated one is one list", async () => {
  const { backend, clock, log } = setUp();
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(log).toEqual(["list", "create a", "list"]);
});

test("an owner that is named by several edits is listed once, and each edit is answered", async () => {
  const { backend, clock, log, values } = setUp();
  const answers = await clock.drive(backend.apply(zone, [add("a"), add("b", "a"), remove("c")], call));
  expect(answers).toEqual(["changed", "changed", "unchanged"]);
  expect(log).toEqual(["list", "create a", "create b"]);
  expect(values()).toEqual(["a", "b"]);
});

test("a value that is stored twice is removed twice", async () => {
  const { backend, clock, records } = setUp();
  records.push(
    { id: "x", value: "a", visibleAt: 0 },
    { id: "y", value: "a", visibleAt: 0 },
    { id: "z", value: "b", visibleAt: 0 },
  );
  await clock.drive(backend.apply(zone, [remove("a")], call));
  expect(records.map(({ id }) => id)).toEqual(["z"]);
});

test("an empty list moments after a create is not proof that the record is gone", async () => {
  const { backend, clock, values } = setUp(20_000);
  await clock.drive(backend.apply(zone, [add("a")], call));
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual([]);
  expect(clock.now()).toBeGreaterThanOrEqual(20_000);
});

test("nor moments after another process began to write it, where the journal tells", async () => {
  const { connect, clock, values, log } = setUp(20_000);
  await clock.drive(connect().apply(zone, [add("a", "b")], call));
  const later = (value: string, writtenMsAgo: number) =>
    clock.drive(connect().apply(zone, [{ ...remove(value), writtenMsAgo }], call));
  expect(await later("a", 29_000)).toEqual(["unchanged"]);
  expect(clock.now()).toBe(1000);
  expect(await later("b", 1000)).toEqual(["changed"]);
  expect(values()).toEqual(["a"]);
  log.length = 0;
  // Older than the lag: believed at once.
  expect(await later("c", 30_000)).toEqual(["unchanged"]);
  expect(log).toEqual(["list"]);
});

test("after the longest lag an empty list is believed", async () => {
  const { backend, clock, records } = setUp();
  await clock.drive(backend.apply(zone, [add("a")], call));
  records.length = 0;
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["unchanged"]);
  expect(clock.now()).toBe(30_000);
});

test("once a list has shown the record, lists are believed at once", async () => {
  const { backend, clock, records } = setUp();
  await clock.drive(backend.apply(zone, [add("a")], call));
  await clock.drive(backend.apply(zone, [add("a")], call));
  records.length = 0;
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["unchanged"]);
  expect(clock.now()).toBe(0);
});

test("a second present within the lag takes 'exists already' for presence", async () => {
  const { backend, clock, values } = setUp(20_000);
  await clock.drive(backend.apply(zone, [add("a")], call));
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(values()).toEqual(["a"]);
  expect(clock.now()).toBe(0);
});

test("what another process made within the lag is recognised as soon as it is listed", async () => {
  const { connect, clock, values } = setUp(5000);
  await clock.drive(connect().apply(zone, [add("a")], call));
  expect(await clock.drive(connect().apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(values()).toEqual(["a"]);
});

test("a create whose answer is lost is not repeated, and counts as a change", async () => {
  const { api, connect, clock, values, log } = setUp();
  let lost = false;
  const backend = connect({
    ...api,
    async create(...args) {
      await api.create(...args);
      if (lost) return;
      lost = true;
      throw new TransientError("reset");
    },
  });
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual(["a"]);
  expect(log).toEqual(["list", "create a", "list"]);
});

test("a delete whose answer is lost counts as a change", async () => {
  const { api, connect, clock, values, records } = setUp();
  records.push({ id: "x", value: "a", visibleAt: 0 });
  let lost = false;
  const backend = connect({
    ...api,
    async delete(...args) {
      await api.delete(...args);
      if (lost) return;
      lost = true;
      throw new TransientError("reset");
    },
  });
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual([]);
});

test("clean-up waits for a create that may still land, also where lists are never behind", async () => {
  const { api, connect, clock, records, values } = setUp(0, { listLagMs: 0 });
  const stop = new AbortController();
  const backend = connect({
    ...api,
    // The request is cut off on our side, and carried out a second later on the other.
    create: (_owner, value, { signal }) =>
      new Promise((_, reject) => {
        void clock.sleep(1000).then(() => records.push({ id: "late", value, visibleAt: 0 }));
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  });
  const present = backend.apply(zone, [add("a")], { ...call, signal: stop.signal });
  present.catch(() => {});
  await clock.drive(clock.sleep(100));
  stop.abort(new Error("enough"));
  await expect(present).rejects.toThrow("enough");
  await clock.drive(backend.apply(zone, [remove("a")], call));
  expect(values()).toEqual([]);
});

test("a create that was refused is not waited for in clean-up", async () => {
  const { api, connect, clock } = setUp();
  const backend = connect({ ...api, create: () => Promise.reject(new RejectedError("too many records")) });
  await expect(clock.drive(backend.apply(zone, [add("a")], call))).rejects.toThrow("too many records");
  await clock.drive(backend.apply(zone, [remove("a")], call));
  expect(clock.now()).toBe(0);
});

test("a conflict that the list does not confirm is no success", async () => {
  const { api, connect, clock } = setUp();
  const backend = connect({ ...api, create: () => Promise.reject(new ConflictError("the zone is locked")) });
  await expect(clock.drive(backend.apply(zone, [add("a")], call))).rejects.toThrow(/the zone is locked/);
});

test("when one of many owners fails, nothing is under way any more", async () => {
  const { api, connect, clock } = setUp();
  let running = 0;
  const backend = connect({
    ...api,
    async create({ relative }, value, inner) {
      running++;
      await clock.sleep(relative.endsWith("3") ? 10 : 500);
      running--;
      if (relative.endsWith("3")) throw new RejectedError("no");
      await api.create(owner, value, inner);
    },
  });
  const edits = Array.from({ length: 9 }, (_, i): Edit => {
    const relative = `_acme-challenge.h${i}`;
    return { owner: { zone, relative, fqdn: parseName(`${relative}.example.com`) }, add: ["a"], remove: [] };
  });
  await expect(clock.drive(backend.apply(zone, edits, call))).rejects.toThrow("no");
  expect(running).toBe(0);
});

test("where a conflict proves presence, a value made by somebody else and not listed yet needs no second look", async () => {
  const { clock, connect, log, api } = setUp(20_000, { conflictProvesPresence: true });
  const other = connect(api);
  expect(await clock.drive(other.apply(zone, [add("a")], call))).toEqual(["changed"]);
  const replica = guard(recordBackend(api, { conflictProvesPresence: true }), {
    provider: { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } },
    observer: silent,
    clock,
  });
  expect(await clock.drive(replica.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(log).toEqual(["list", "create a", "list", "create a"]);
});

test("a value whose presence was proven is waited for by the clean-up that follows", async () => {
  const { clock, api, values } = setUp(20_000);
  const traits = { ttlSeconds: { min: 1, default: 60 } };
  const replica = () =>
    guard(recordBackend(api, { conflictProvesPresence: true }), {
      provider: { id: "fake", traits },
      observer: silent,
      clock,
    });
  await clock.drive(replica().apply(zone, [add("a")], call));
  const second = replica();
  await clock.drive(second.apply(zone, [add("a")], call));
  expect(await clock.drive(second.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual([]);
});

test("a record that was deleted moments ago and is still listed counts as gone where lists are late", async () => {
  const { api, clock, connect, log } = setUp(0, { listLagMs: 30_000 });
  const gone: TxtRecord = { id: "7", value: "a" };
  const late: RecordApi = {
    ...api,
    list: async (o, c) => [gone, ...(await api.list(o, c))],
    delete: async (_owner, record) => void log.push(`delete ${record.id}`),
  };
  const backend = connect(late);
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["unchanged"]);
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(log.filter((entry) => entry !== "list")).toEqual(["delete 7", "create a"]);
});

test("a clean-up without a journal waits for a value that another process may just have written, once", async () => {
  const { api, clock, connect, values, log } = setUp(20_000, { listLagMs: 30_000 });
  const replica = (): TxtBackend => connect(api);
  await clock.drive(replica().apply(zone, [add("a")], call));
  const backend = replica();
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual([]);
  log.length = 0;
  expect(await clock.drive(backend.apply(zone, [remove("a")], call))).toEqual(["unchanged"]);
  expect(log).toEqual(["list"]);
});

test("a present stores what a late list still shows although another process deleted it", async () => {
  const { api, clock, connect, values, records } = setUp(0, { listLagMs: 30_000, conflictProvesPresence: true });
  const gone: TxtRecord = { id: "7", value: "a" };
  const late: RecordApi = { ...api, list: async (o, c) => [gone, ...(await api.list(o, c))] };
  const backend = connect(late);
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual(["a"]);
  // What this process made itself is believed; what another one made is proven by one create.
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(await clock.drive(connect(late).apply(zone, [add("a")], call))).toEqual(["unchanged"]);
  expect(records).toHaveLength(1);
});

test("a late list that shows a deleted record does not hide the record that was made in its place from a clean-up", async () => {
  const { api, clock, connect, values, records, log } = setUp(20_000, {
    listLagMs: 30_000,
    conflictProvesPresence: true,
  });
  const gone: TxtRecord = { id: "old", value: "a" };
  const late: RecordApi = {
    ...api,
    list: async (o, c) => [...(clock.now() < 10_000 ? [gone] : []), ...(await api.list(o, c))],
    delete: async (o, record, c) => {
      if (!records.some(({ id }) => id === record.id)) throw new ConflictError("there is no such record");
      await api.delete(o, record, c);
    },
  };
  await clock.drive(connect(late).apply(zone, [add("a")], call));
  expect(values()).toEqual(["a"]);
  const lists = log.length;
  expect(await clock.drive(connect(late).apply(zone, [remove("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual([]);
  expect(log.slice(lists).length).toBeLessThan(12);
});

test("values of a name that share one TTL give it to what is added", async () => {
  const given: number[] = [];
  const api: RecordApi = {
    findZone: async (apex) => ({ apex, id: apex }),
    list: async ({ relative }) => (relative === "@" ? [{ id: "1", value: "theirs", ttlSeconds: 4321 }] : []),
    create: async (_owner, _value, { ttlSeconds }) => void given.push(ttlSeconds),
    delete: async () => {},
  };
  const apex = parseName("example.com");
  const zone = { apex, id: apex };
  const edits = [apex, parseName("www.example.com")].map((fqdn) => {
    const owner = { zone, fqdn, relative: fqdn === apex ? "@" : "www" };
    return { owner, add: ["ours"], remove: [] };
  });
  await recordBackend(api).apply(zone, edits, { signal: new AbortController().signal, ttlSeconds: 60 });
  expect(given).toEqual([4321, 60]);
});
