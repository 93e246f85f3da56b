import assert from "node:assert/strict";
import { Dns01Error } from "../core/errors.ts";
import { atEachCall, removes } from "./each-call.ts";
import { expectValues, ownerIn } from "./stage.ts";
import { type Case, type ServiceFault, Untried } from "./subject.ts";

const apex = "example.com";
const foreign = ["somebody-else"];

const faults: Readonly<Record<ServiceFault, string>> = {
  throttle: "is asked for fewer requests",
  unavailable: "is refused by a failing service",
  reset: "loses its connection before it is handled",
  page: "is answered by a proxy's page of HTML",
  lost: "is carried out, but its answer is lost",
};

/** One bad moment of a service that is well before and after costs time and nothing else. */
const singleCases: readonly Case[] = Object.entries(faults).map(([kind, what]) => ({
  id: `faults.${kind}`,
  title: `ends in the right state when any one request ${what}`,
  needs: ["inject"],
  run: async (stage) => {
    const inject = (nth: number) => stage.service.inject?.(kind as ServiceFault, nth);
    await atEachCall(stage, { label: "add", foreign, inject }, async (name, inject) => {
      const connection = await stage.connect();
      inject();
      await connection.add(apex, name, "value-1");
      await expectValues(stage.service, apex, name, [...foreign, "value-1"], "added once, theirs untouched");
    });
    await atEachCall(stage, { label: "remove", foreign, inject }, async (name, inject) => {
      const connection = await stage.connect();
      await connection.add(apex, name, "value-1");
      inject();
      await connection.remove(apex, name, "value-1");
      await expectValues(stage.service, apex, name, foreign, "ours is gone, theirs untouched");
    });
  },
}));

export const faultCases: readonly Case[] = [
  ...singleCases,
  {
    id: "faults.owners",
    title: "leaves out none of several names when any one request is refused by a failing service",
    needs: ["inject"],
    run: async (stage) => {
      const inject = (nth: number) => stage.service.inject?.("unavailable", nth);
      await atEachCall(stage, { label: "several", foreign, inject }, async (name, inject) => {
        const { backend, zone: find } = await stage.connect();
        const zone = await find(apex);
        assert.ok(zone);
        const names = [name, `_acme-challenge.a.${name}`, `_acme-challenge.b.${name}`];
        const edits = names.map((n) => ({ owner: ownerIn(zone, n), add: ["value-1"], remove: [] }));
        inject();
        await backend.apply(zone, edits, { signal: stage.signal, ttlSeconds: 600 });
        for (const n of names.slice(1))
          await expectValues(stage.service, apex, n, ["value-1"], "every name has its value");
        await expectValues(stage.service, apex, name, [...foreign, "value-1"], "every name has its value");
      });
    },
  },
  {
    id: "faults.last",
    title: "takes out the last value of a name, whatever fault any one request meets",
    needs: ["inject"],
    buildsOn: "removing.value",
    run: async (stage) => {
      const { service, subject } = stage;
      const kinds = Object.keys(faults).filter((kind) => subject.skip?.[`faults.${kind}`] === undefined);
      if (kinds.length === 0) throw new Untried("no kind of fault can be tried here");
      for (const kind of kinds) {
        const inject = (nth: number) => service.inject?.(kind as ServiceFault, nth);
        await atEachCall(stage, { label: `last-${kind}`, inject }, async (name, inject) => {
          const connection = await stage.connect();
          await connection.add(apex, name, "value-1");
          inject();
          await connection.remove(apex, name, "value-1");
          await expectValues(service, apex, name, [], `${kind}: a removal that succeeds leaves nothing`);
        });
      }
    },
  },
  {
    id: "faults.not-found-page",
    title: "does not take a proxy's 404 page of HTML for a value or a zone that is gone",
    needs: ["notFoundPage"],
    buildsOn: "faults.page",
    run: async (stage) => {
      const { service, subject } = stage;
      const inject = (nth: number) => service.notFoundPage?.(nth);
      await atEachCall(stage, { label: "add", foreign, inject }, async (name, inject) => {
        const connection = await stage.connect();
        inject();
        if (await succeeds(connection.add(apex, name, "value-1")))
          await expectValues(service, apex, name, [...foreign, "value-1"], "a success has added the value");
      });
      if (!removes(subject)) return;
      for (const [label, others] of Object.entries({ remove: foreign, last: [] })) {
        await atEachCall(stage, { label, foreign: others, inject }, async (name, inject) => {
          await (await stage.connect()).add(apex, name, "value-1");
          // Another one: the first would wait for a list to show the value that it has just written.
          const connection = await stage.connect();
          inject();
          if (await succeeds(connection.remove(apex, name, "value-1")))
            await expectValues(service, apex, name, others, "a success has taken the value out");
        });
      }
    },
  },
];

/** Whether it succeeds; it may also fail with an error that says what to do. */
async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    (error: unknown) => {
      if (Dns01Error.is(error) && error.code !== "UNKNOWN") return false;
      throw error;
    },
  );
}
