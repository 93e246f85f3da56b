import fc from "fast-check";
import { expect, test } from "vitest";
import { ConflictError, TransientError } from "../../src/core/errors.ts";
import { type Dns01Event, type Observer, silent } from "../../src/core/events.ts";
import { guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import type { Edit, Owner, RRset, RRsetApi } from "../../src/core/provider.ts";
import { rrsetBackend } from "../../src/core/rrsets.ts";
import { settle } from "../../src/core/settle.ts";
import { createSolver } from "../../src/core/solver.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

const zone = { apex: parseName("example.com"), id: "1" };
const ownerAt = (label: string): Owner => ({
  zone,
  fqdn: parseName(`_acme-challenge.${label}.example.com`),
  relative: `_acme-challenge.${label}`,
});
const owner = ownerAt("www");
const call = { signal: new AbortController().signal, ttlSeconds: 60 };
const add = (...values: string[]): Edit => ({ owner, add: values, remove: [] });
const remove = (...values: string[]): Edit => ({ owner, add: [], remove: values });

/** A service that takes some time for everything and carries a write out somewhere within that time. */
function slowApi(clock: VirtualClock, conditional: boolean, slowMs = 0) {
  const sets = new Map<string, RRset>();
  const log: string[] = [];
  const delay = () => (slowMs === 0 ? Promise.resolve() : clock.sleep(clock.random() * slowMs));
  const api: RRsetApi = {
    conditional,
    findZone: async () => zone,
    async read({ fqdn }) {
      log.push(`read ${fqdn}`);
      await delay();
      const set = sets.get(fqdn);
      await delay();
      return set;
    },
    async replace(_zone, changes) {
      log.push(`replace ${changes.length}`);
      await delay();
      if (conditional && changes.some((c) => JSON.stringify(c.previous) !== JSON.stringify(sets.get(c.owner.fqdn)))) {
        throw new ConflictError("changed in between");
      }
      for (const { owner: at, next } of changes) {
        if (next === undefined) sets.delete(at.fqdn);
        else sets.set(at.fqdn, next);
      }
      await delay();
    },
  };
  return { api, sets, log, values: () => [...(sets.get(owner.fqdn)?.values ?? [])] };
}

function setUp(conditional: boolean, slowMs = 0, seed = 1) {
  const clock = virtualClock(seed);
  const service = slowApi(clock, conditional, slowMs);
  const provider = { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } };
  const connect = (api: RRsetApi = service.api) => guard(rrsetBackend(api), { provider, observer: silent, clock });
  /** One more program: present or clean-up, and the second looks. */
  const program = (api: RRsetApi = service.api, observer: Observer = silent) => {
    const solver = createSolver({ provider, backend: connect(api), observer, clock });
    const act = (what: "present" | "cleanUp") => async (value: string) => {
      const items = [{ owner: owner.fqdn, values: [value], zoneCut: zone.apex }];
      const solved = await solver[what](items, call.signal);
      await settle({ solver, act: what, items, solved }, { clock, observer, signal: call.signal });
      return solved;
    };
    return { present: act("present"), cleanUp: act("cleanUp") };
  };
  return { ...service, clock, connect, program, backend: connect() };
}

test("twenty names are twenty reads and one batch, and nothing is written when nothing changes", async () => {
  const { backend, clock, log } = setUp(true);
  const edits = Array.from({ length: 20 }, (_, i): Edit => ({ owner: ownerAt(`h${i}`), add: ["a", "b"], remove: [] }));
  expect(await clock.drive(backend.apply(zone, edits, call))).toEqual(edits.map(() => "changed"));
  expect(log.filter((line) => line.startsWith("read"))).toHaveLength(20);
  expect(log.filter((line) => line.startsWith("replace"))).toEqual(["replace 20"]);
  expect(await clock.drive(backend.apply(zone, edits, call))).toEqual(edits.map(() => "unchanged"));
  expect(log.filter((line) => line.startsWith("replace"))).toHaveLength(1);
});

test("what does not fit one request goes in parts, and a part that was refused undoes nothing of those before", async () => {
  const { api, connect, clock, log, sets } = setUp(true);
  const edits = Array.from({ length: 5 }, (_, i): Edit => ({ owner: ownerAt(`h${i}`), add: ["a"], remove: [] }));
  const last = ownerAt("h4").fqdn;
  let refused = false;
  const backend = connect({
    ...api,
    batchesOf: (changes) => [changes.slice(0, 2), changes.slice(2, 4), changes.slice(4)].filter((b) => b.length > 0),
    async replace(inZone, changes, inner) {
      // Somebody else is faster at the last name, with just the value that is to be added.
      if (!refused && changes.some((c) => c.owner.fqdn === last)) {
        refused = true;
        sets.set(last, { values: ["a"], ttlSeconds: 60 });
      }
      return api.replace(inZone, changes, inner);
    },
  });
  expect(await clock.drive(backend.apply(zone, edits, call))).toEqual([
    ...Array.from({ length: 4 }, () => "changed"),
    "unchanged",
  ]);
  expect(log.filter((line) => line.startsWith("replace"))).toEqual(["replace 2", "replace 2", "replace 1"]);
  expect(sets.size).toBe(5);
});

test("an owner that several edits name is one change", async () => {
  const { backend, clock, log, values } = setUp(true);
  expect(await clock.drive(backend.apply(zone, [add("a"), add("b"), remove("c")], call))).toEqual([
    "changed",
    "changed",
    "unchanged",
  ]);
  expect(log).toEqual([`read ${owner.fqdn}`, "replace 1"]);
  expect(values()).toEqual(["a", "b"]);
});

test("foreign values and the TTL that was read stay; the last value takes the set with it", async () => {
  const { backend, clock, sets } = setUp(true);
  sets.set(owner.fqdn, { values: ["foreign"], ttlSeconds: 4321 });
  await clock.drive(backend.apply(zone, [add("a")], call));
  expect(sets.get(owner.fqdn)).toEqual({ values: ["foreign", "a"], ttlSeconds: 4321 });
  await clock.drive(backend.apply(zone, [remove("a", "foreign")], call));
  expect(sets.has(owner.fqdn)).toBe(false);
});

test("what was read goes back to the service exactly as it was", async () => {
  const { api, connect, clock, sets } = setUp(true);
  const stored = { values: ["x"], ttlSeconds: 5, version: "etag-1" };
  sets.set(owner.fqdn, stored);
  let previous: RRset | undefined;
  const backend = connect({
    ...api,
    replace: async (_zone, changes) => {
      previous = changes[0]?.previous;
    },
  });
  await clock.drive(backend.apply(zone, [add("a")], call));
  expect(previous).toEqual(stored);
});

test("a replace whose answer is lost is seen as done, and counts as a change", async () => {
  const { api, connect, clock, values, log } = setUp(true);
  let lost = false;
  const backend = connect({
    ...api,
    async replace(...args) {
      await api.replace(...args);
      if (lost) return;
      lost = true;
      throw new TransientError("reset");
    },
  });
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["changed"]);
  expect(values()).toEqual(["a"]);
  expect(log.filter((line) => line.startsWith("replace"))).toHaveLength(1);
});

test("a value that somebody else added in a lost race is kept, not changed", async () => {
  const { api, connect, clock, sets } = setUp(true);
  let first = true;
  const backend = connect({
    ...api,
    async replace(...args) {
      if (first) sets.set(owner.fqdn, { values: ["a"], ttlSeconds: 60 });
      first = false;
      await api.replace(...args);
    },
  });
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unchanged"]);
});

test("with compare-and-swap six writers who share nothing lose no value", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const { clock, connect, values } = setUp(true, 40, seed);
      const writers = Array.from({ length: 6 }, (_, i) => connect().apply(zone, [add(`v${i}`)], call));
      await clock.drive(Promise.all(writers));
      expect(values().sort()).toEqual(["v0", "v1", "v2", "v3", "v4", "v5"]);
    }),
    { numRuns: 60 },
  );
});

test("without it a change is one read and one write, and unsettled; asked for again it is one read", async () => {
  const { backend, clock, log } = setUp(false);
  const ask = (edit: Edit) => clock.drive(backend.apply(zone, [edit], call));
  expect(await ask(add("a"))).toEqual(["unsettled"]);
  expect(log.splice(0)).toEqual([`read ${owner.fqdn}`, "replace 1"]);
  expect(await ask(add("a"))).toEqual(["unchanged"]);
  expect(log.splice(0)).toEqual([`read ${owner.fqdn}`]);
  await ask(add("b"));
  log.length = 0;
  // Others stand beside it: whoever put them there may have read before.
  expect(await ask(remove("a"))).toEqual(["unsettled"]);
  expect(await ask(remove("a"))).toEqual(["unchanged"]);
  expect(await ask(remove("b"))).toEqual(["changed"]);
  expect(log.filter((line) => line.startsWith("replace"))).toHaveLength(2);
});

test("of a batch only what may be undone is unsettled", async () => {
  const { backend, clock, sets } = setUp(false);
  const at = (label: string) => ownerAt(label);
  sets.set(at("alone").fqdn, { values: ["a"], ttlSeconds: 60 });
  sets.set(at("shared").fqdn, { values: ["a", "theirs"], ttlSeconds: 60 });
  sets.set(at("there").fqdn, { values: ["a"], ttlSeconds: 60 });
  const edits: Edit[] = [
    { owner: at("alone"), add: [], remove: ["a"] },
    { owner: at("shared"), add: [], remove: ["a"] },
    { owner: at("there"), add: ["a"], remove: [] },
    { owner: at("new"), add: ["a"], remove: [] },
  ];
  const answers = await clock.drive(backend.apply(zone, edits, call));
  expect(answers).toEqual(["changed", "unsettled", "unchanged", "unsettled"]);
});

test("a write whose answer is lost is unsettled too", async () => {
  const { api, connect, clock } = setUp(false);
  let lost = false;
  const backend = connect({
    ...api,
    async replace(...args) {
      await api.replace(...args);
      if (lost) return;
      lost = true;
      throw new TransientError("reset");
    },
  });
  expect(await clock.drive(backend.apply(zone, [add("a")], call))).toEqual(["unsettled"]);
});

test.each([40, 120])(
  "writers who all look again lose no value (up to %i ms on either way of a request)",
  async (slowMs) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
        const { clock, program, values } = setUp(false, slowMs, seed);
        await clock.drive(Promise.all(Array.from({ length: 6 }, (_, i) => program().present(`v${i}`))));
        expect(values().sort()).toEqual(["v0", "v1", "v2", "v3", "v4", "v5"]);
      }),
      { numRuns: 60 },
    );
  },
);

test("what some add while others clean up stands in the end, and what was cleaned up beside others does not", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const { clock, program, values, sets } = setUp(false, 40, seed);
      sets.set(owner.fqdn, { values: ["old0", "old1", "old2", "theirs"], ttlSeconds: 60 });
      const work = [0, 1, 2].flatMap((i) => [program().present(`v${i}`), program().cleanUp(`old${i}`)]);
      await clock.drive(Promise.all(work));
      expect(values().sort()).toEqual(["theirs", "v0", "v1", "v2"]);
    }),
    { numRuns: 60 },
  );
});

test("a value that somebody else undoes is written again, and told", async () => {
  const { clock, program, sets, values } = setUp(false);
  const warnings: Dns01Event[] = [];
  const { present } = program(undefined, (event) => void (event.type === "warning" && warnings.push(event)));
  const work = present("a");
  const other = clock.sleep(500).then(() => sets.set(owner.fqdn, { values: ["theirs"], ttlSeconds: 60 }));
  await clock.drive(Promise.all([work, other]));
  expect(values()).toEqual(["theirs", "a"]);
  expect(warnings).toMatchObject([{ code: "W_OVERWRITTEN", text: expect.stringContaining(owner.fqdn) }]);
});

test("a writer who is overwritten for ever gives up with CONFLICT", async () => {
  const { api, program, clock, sets } = setUp(false);
  const { present } = program({
    ...api,
    async replace() {
      sets.set(owner.fqdn, { values: ["somebody-else"], ttlSeconds: 60 });
    },
  });
  await expect(clock.drive(present("a"))).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("were overwritten 30 times by somebody else"),
  });
});
