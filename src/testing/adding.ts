import assert from "node:assert/strict";
import { domain, expectValues, ownerIn } from "./stage.ts";
import type { Case } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

export const addingCases: readonly Case[] = [
  {
    id: "adding.new",
    title: "serves a new value and answers changed",
    run: async ({ connect, service }) => {
      const changed = await (await connect()).add(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-1"], "the service serves the value");
      assert.equal(changed, true, "adding a new value is a change");
    },
  },
  {
    id: "adding.again",
    title: "is idempotent: a value that is there stays one value, and that is no change",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      const changed = await connection.add(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-1"], "the value stands there once");
      assert.equal(changed, false, "adding what is there is no change");
    },
  },
  {
    id: "adding.beside",
    title: "puts a second value beside the first",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await connection.add(apex, name, "value-2");
      await expectValues(service, apex, name, ["value-1", "value-2"], "example.com and *.example.com share one name");
    },
  },
  {
    id: "adding.together",
    title: "adds several values of one name at once",
    run: async ({ connect, service }) => {
      await (await connect()).add(apex, name, "value-1", "value-2", "value-3");
      await expectValues(service, apex, name, ["value-1", "value-2", "value-3"], "all values are served");
    },
  },
  {
    id: "adding.verbatim",
    title: "keeps the value as it is, capitals included",
    run: async ({ connect, service }) => {
      const value = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo";
      await (await connect()).add(apex, name, value);
      await expectValues(service, apex, name, [value], "the value is served as it was given");
    },
  },
  {
    id: "adding.alike",
    title: "tells values apart that are alike: by their case, their beginning or their end",
    run: async ({ connect, service }) => {
      const connection = await connect();
      const alike = ["Value-10", "-value-1", "value-1", "VALUE-1"];
      for (const value of alike) await connection.add(apex, name, value);
      await expectValues(service, apex, name, alike, "each value is served");
    },
  },
  {
    id: "adding.ttl",
    title: "gives a new value the TTL that is asked for",
    needs: ["ttlSeconds"],
    run: async ({ connect, service, signal }) => {
      const { backend, zone: find } = await connect();
      const zone = await find(apex);
      assert.ok(zone);
      const edit = { owner: ownerIn(zone, name), add: ["value-1"], remove: [] };
      await backend.apply(zone, [edit], { signal, ttlSeconds: 4321 });
      assert.equal(await service.ttlSeconds?.(domain(apex), domain(name)), 4321, "the TTL of the call counts");
    },
  },
  {
    id: "adding.owners",
    title: "changes many names in one call and answers for each in order",
    run: async ({ connect, service, signal }) => {
      const { backend, zone: find, add } = await connect();
      const names = Array.from({ length: 12 }, (_, i) => `_acme-challenge.host-${i}.example.com`);
      await add(apex, names[3] ?? "", "value");
      const zone = await find(apex);
      assert.ok(zone);
      // Each name its own value, but one that is there already.
      const wanted = names.map((_, i) => (i === 3 ? "value" : `value-${i}`));
      const edits = names.map((n, i) => ({ owner: ownerIn(zone, n), add: [wanted[i] ?? ""], remove: [] }));
      const answers = await backend.apply(zone, edits, { signal, ttlSeconds: 600 });
      const served = await Promise.all(names.map((n) => service.values(domain(apex), domain(n))));
      assert.deepEqual(
        served,
        wanted.map((value) => [value]),
        "every name has its value once",
      );
      assert.deepEqual(
        answers.map((answer) => answer === "unchanged"),
        names.map((_, i) => i === 3),
        "only the fourth had it before",
      );
    },
  },
];
