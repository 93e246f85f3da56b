import assert from "node:assert/strict";
import { domain, expectValues, ownerIn } from "./stage.ts";
import type { Case } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

export const removingCases: readonly Case[] = [
  {
    id: "removing.value",
    title: "removes the value and answers changed",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      const changed = await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, [], "nothing is served");
      assert.equal(changed, true, "removing a value is a change");
    },
  },
  {
    id: "removing.gone",
    title: "takes a value that is gone for removed: no error, no change",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      assert.equal(await connection.remove(apex, name, "value-2"), false, "removing what is not there is no change");
      await expectValues(service, apex, name, ["value-1"], "the other value stays");
    },
  },
  {
    id: "removing.nothing",
    title: "takes a name without any value for clean",
    run: async ({ connect }) => {
      assert.equal(await (await connect()).remove(apex, "_acme-challenge.never.example.com", "value-1"), false);
    },
  },
  {
    id: "removing.own",
    title: "leaves the other values that it added itself",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1", "value-2", "value-3");
      await connection.remove(apex, name, "value-2");
      await expectValues(service, apex, name, ["value-1", "value-3"], "only the value that was named is gone");
    },
  },
  {
    id: "removing.together",
    title: "removes several values of one name at once",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1", "value-2", "value-3");
      await connection.remove(apex, name, "value-1", "value-3");
      await expectValues(service, apex, name, ["value-2"], "both values that were named are gone");
    },
  },
  {
    id: "removing.alike",
    title: "removes exactly the value, and none that is like it",
    run: async ({ connect, service }) => {
      const connection = await connect();
      const alike = ["value-10", "-value-1", "VALUE-1"];
      await connection.add(apex, name, "value-1", ...alike);
      await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, alike, "what only looks like it stays");
    },
  },
  {
    id: "removing.owners",
    title: "removes at many names in one call",
    run: async ({ connect, service, signal }) => {
      const { backend, zone: find } = await connect();
      const zone = await find(apex);
      assert.ok(zone);
      const names = Array.from({ length: 12 }, (_, i) => `_acme-challenge.host-${i}.example.com`);
      const edits = names.map((n, i) => ({ owner: ownerIn(zone, n), add: [`value-${i}`, "kept"], remove: [] }));
      await backend.apply(zone, edits, { signal, ttlSeconds: 600 });
      const removals = edits.map(({ owner }, i) => ({ owner, add: [], remove: [`value-${i}`] }));
      await backend.apply(zone, removals, { signal, ttlSeconds: 600 });
      assert.deepEqual(
        await Promise.all(names.map((n) => service.values(domain(apex), domain(n)))),
        names.map(() => ["kept"]),
        "at every name its value is gone, and nothing else",
      );
    },
  },
  {
    id: "removing.exchange",
    title: "adds and removes at one name in one call",
    run: async ({ connect, service, signal }) => {
      const { backend, zone: find, add } = await connect();
      await add(apex, name, "old");
      const zone = await find(apex);
      assert.ok(zone);
      const edit = { owner: ownerIn(zone, name), add: ["new"], remove: ["old"] };
      await backend.apply(zone, [edit], { signal, ttlSeconds: 600 });
      await expectValues(service, apex, name, ["new"], "the old value made way for the new one");
    },
  },
];
