import assert from "node:assert/strict";
import { expectValues } from "./stage.ts";
import type { Case } from "./subject.ts";

const many = Array.from({ length: 120 }, (_, i) => `zone-${i}.example.org`);
const name = "_acme-challenge.www.sub.example.com";

/** findZone answers one question: does this account hold exactly this zone? */
export const zoneCases: readonly Case[] = [
  {
    id: "zones.every",
    title: "finds every zone of the account, also those of later pages",
    zones: many,
    run: async ({ connect }) => {
      const connection = await connect();
      for (const apex of [many[0], many[59], many[119]]) {
        assert.equal((await connection.zone(apex ?? ""))?.apex, apex, `the account holds ${apex}`);
      }
    },
  },
  {
    id: "zones.absent",
    title: "answers undefined, not an error, for a zone the account does not hold",
    run: async ({ connect }) => {
      assert.equal(await (await connect()).zone("example.net"), undefined);
    },
  },
  {
    id: "zones.boundary",
    title: "keeps label boundaries: notexample.com is not example.com",
    run: async ({ connect }) => {
      const connection = await connect();
      assert.equal(await connection.zone("notexample.com"), undefined, "notexample.com");
      assert.equal(await connection.zone("xample.com"), undefined, "xample.com");
    },
  },
  {
    id: "zones.exact",
    title: "does not take a name inside a zone for a zone",
    run: async ({ connect }) => {
      assert.equal(await (await connect()).zone("www.example.com"), undefined);
    },
  },
  {
    id: "zones.longer",
    title: "does not take a zone for another one whose name is a part of its own",
    zones: ["sub.example.com", "example.com.example.org"],
    run: async ({ connect }) => {
      assert.equal(await (await connect()).zone("example.com"), undefined);
    },
  },
  {
    id: "zones.nested",
    title: "writes into the child zone when parent and child are both hosted",
    zones: ["example.com", "sub.example.com"],
    run: async ({ connect, service }) => {
      await (await connect()).add("sub.example.com", name, "value");
      await expectValues(service, "sub.example.com", name, ["value"], "the child zone serves the value");
      await expectValues(service, "example.com", name, [], "nothing was written into the parent zone");
    },
  },
];
