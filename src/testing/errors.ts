import assert from "node:assert/strict";
import { AbortedError, Dns01Error } from "../core/errors.ts";
import { ownerIn } from "./stage.ts";
import type { Case, Stage } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

export const errorCases: readonly Case[] = [
  {
    id: "errors.credentials",
    title: "says AUTH when the credentials are refused",
    needs: ["refuseCredentials"],
    run: async (stage) => {
      const fail = await prepare(stage);
      stage.service.refuseCredentials?.();
      assert.equal((await fail()).code, "AUTH");
    },
  },
  {
    id: "errors.words",
    title: "names the provider, and says the same words for the same cause",
    needs: ["refuseCredentials"],
    run: async (stage) => {
      const fail = await prepare(stage);
      stage.service.refuseCredentials?.();
      const [first, second] = [await fail(), await fail()];
      assert.ok(first.message.includes(stage.subject.provider.id), `"${first.message}" names the provider`);
      assert.equal(second.message, first.message, "request ids and times belong into the log");
    },
  },
  {
    id: "errors.unreachable",
    title: "says TRANSIENT when nobody answers",
    needs: ["disappear"],
    run: async (stage) => {
      const fail = await prepare(stage);
      await stage.service.disappear?.();
      assert.equal((await fail()).code, "TRANSIENT");
    },
  },
  {
    id: "errors.temporary",
    title: "says RATE_LIMITED when it is asked for fewer requests, and TRANSIENT when the service or the network fails",
    needs: ["inject"],
    run: async ({ connect, service }) => {
      for (const fault of ["throttle", "unavailable", "reset", "page", "lost"] as const) {
        const { zone } = await connect({ once: true });
        service.inject?.(fault, 1);
        const error = await zone(apex).then(
          () => assert.fail(`${fault}: success, although the service has not answered`),
          (thrown: unknown) => thrown,
        );
        const code = fault === "throttle" ? "RATE_LIMITED" : "TRANSIENT";
        assert.ok(Dns01Error.is(error) && error.code === code, `${fault} is ${code}, not ${String(error)}`);
      }
    },
  },
  {
    id: "errors.abort",
    title: "stops waiting as soon as the caller gives up",
    needs: ["hang"],
    run: async ({ connect, service }) => {
      const { backend, zone } = await connect();
      const found = await zone(apex);
      assert.ok(found);
      service.hang?.();
      const stop = new AbortController();
      const edit = { owner: ownerIn(found, name), add: ["value-1"], remove: [] };
      const work = backend.apply(found, [edit], { signal: stop.signal, ttlSeconds: 600 });
      setTimeout(() => stop.abort(new AbortedError("enough")), 20);
      await assert.rejects(work, { message: "enough" });
    },
  },
];

/** A connection that works, and one attempt at a change that is expected to fail; answers with the error. */
export async function prepare({ connect, signal }: Stage): Promise<() => Promise<Dns01Error>> {
  const { backend, zone } = await connect({ once: true });
  const found = await zone(apex);
  assert.ok(found, `the service holds ${apex}`);
  const edit = { owner: ownerIn(found, name), add: ["value-1"], remove: [] };
  return async () => {
    const error = await backend.apply(found, [edit], { signal, ttlSeconds: 600 }).then(
      () => assert.fail("the change succeeded, although the service cannot have made it"),
      (thrown: unknown) => thrown,
    );
    assert.ok(Dns01Error.is(error), `one of our errors, not ${String(error)}`);
    return error;
  };
}
