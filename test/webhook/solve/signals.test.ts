import { afterEach, expect, test } from "vitest";
import { memoryProvider } from "../../../providers/memory.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { ok, startReplica } from "./world.ts";

const { AbortController: real } = globalThis;
afterEach(() => {
  globalThis.AbortController = real;
});

test("a call makes no AbortSignal where the adapter looks at none: each costs as much as ten steps", async () => {
  const replica = await startReplica([memoryProvider()], { solver: "memory", config: {}, clock: systemClock });
  const { signal } = new AbortController();
  expect(await replica.present({}, signal)).toEqual(ok);
  let made = 0;
  globalThis.AbortController = class extends real {
    constructor() {
      super();
      made += 1;
    }
  };
  expect(await replica.present({}, signal)).toEqual(ok);
  expect(await replica.cleanUp({}, signal)).toEqual(ok);
  expect(made).toBe(0);
  await replica.solving.close();
});
