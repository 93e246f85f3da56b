import assert from "node:assert/strict";
import { domain, expectValues } from "./stage.ts";
import type { Case } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

/** More than the usual first page of 100. */
const many = 120;

export const pagingCases: readonly Case[] = [
  {
    id: "paging.values",
    title: "sees all values of a name, also those of later pages",
    run: async ({ connect, service }) => {
      const foreign = Array.from({ length: many }, (_, i) => `somebody-else-${i}`);
      await service.put(domain(apex), domain(name), foreign, 600);
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await expectValues(service, apex, name, [...foreign, "value-1"], "ours stands beside theirs");
      assert.equal(await connection.add(apex, name, "value-1"), false, "it is seen behind the others");
      await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, foreign, "exactly ours is gone");
    },
  },
  {
    id: "paging.names",
    title: "finds the values of a name behind many other names",
    run: async ({ connect, service }) => {
      const foreign = ["somebody-else"];
      const others = Array.from({ length: many }, (_, i) => `a-${i}.example.com`);
      for (const other of others) await service.put(domain(apex), domain(other), foreign, 600);
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      assert.equal(await connection.add(apex, name, "value-1"), false, "it is seen behind the others");
      await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, [], "ours is gone");
      for (const other of [others[0], others[many - 1]]) {
        await expectValues(service, apex, other ?? "", foreign, "theirs are not");
      }
    },
  },
];
