import assert from "node:assert/strict";
import { expectValues } from "./stage.ts";
import type { Case } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

/** Nothing depends on what a process remembers. */
export const restartCases: readonly Case[] = [
  {
    id: "restarts.removing",
    title: "removes what another process added",
    run: async ({ connect, service }) => {
      await (await connect()).add(apex, name, "value-1", "value-2");
      await (await connect()).remove(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-2"], "the value of the other process is gone");
    },
  },
  {
    id: "restarts.adding",
    title: "recognises what another process added",
    run: async ({ connect, service }) => {
      await (await connect()).add(apex, name, "value-1");
      const changed = await (await connect()).add(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-1"], "the value stands there once");
      assert.equal(changed, false, "it was there before");
    },
  },
  {
    id: "restarts.lost-add",
    title: "ends with one value when the answer to the write was lost",
    needs: ["loseNextAnswer"],
    run: async ({ connect, service }) => {
      const connection = await connect();
      service.loseNextAnswer?.();
      await connection.add(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-1"], "the repeated write did not double the value");
    },
  },
  {
    id: "restarts.lost-remove",
    title: "ends without the value when the answer to the removal was lost",
    needs: ["loseNextAnswer"],
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1", "value-2");
      service.loseNextAnswer?.();
      await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-2"], "the repeated removal took nothing else");
    },
  },
];
