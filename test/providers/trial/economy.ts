import assert from "node:assert/strict";
import { domain } from "./lab.ts";
import type { AdapterFake, Check } from "./subject.ts";

const apex = "example.com";
const owner = "_acme-challenge.a.b.example.com";
/** Names asked for on the way to example.com: the owner itself, a.b, b and the apex. */
const walked = 4;

/** So slow that what was found out about zones does not grow old on a busy machine. */
const slow = { speed: 5 };

export const economyChecks: readonly Check[] = [
  {
    id: "economy.one",
    title: "takes two calls for a change, and one more per label to find the zone",
    async run(lab) {
      const fake = await lab.start(apex);
      if (lab.foreign.length > 0) fake.put(domain(apex), domain(owner), lab.foreign, 600);
      const instance = await lab.connect(fake, slow);
      // Reading back is all that makes a write without compare-and-swap halfway safe.
      const change = lab.trial.unconditional === undefined ? 2 : 3;
      await expectCalls(fake, change + walked, "first present", () => instance.present(owner, "value-1"));
      await expectCalls(fake, change, "present with a warm zone cache", () => instance.present(owner, "value-2"));
      await expectCalls(fake, 1, "present of what is there", () => instance.present(owner, "value-2"));
      await expectCalls(fake, change, "clean-up", () => instance.cleanUp(owner, "value-1"));
      await expectCalls(fake, change, "clean-up of the last value", () => instance.cleanUp(owner, "value-2"));
      await expectCalls(fake, 1, "clean-up of what is gone", () => instance.cleanUp(owner, "value-2"));
    },
  },
  {
    id: "economy.batch",
    title: "changes twenty names of one zone with as few calls as the service allows",
    async run(lab) {
      const { batchWrites = 20, batchReads = 20 } = lab.trial;
      const owners = Array.from({ length: 20 }, (_, i) => `_acme-challenge.host-${i}.example.com`);
      const fake = await lab.start(apex);
      const instance = await lab.connect(fake, slow);
      await instance.present(`_acme-challenge.${apex}`, "warm");
      const acts = {
        present: () => instance.presentAll(apex, owners, "value"),
        "clean-up": () => instance.cleanUpAll(apex, owners, "value"),
      };
      for (const [what, act] of Object.entries(acts)) {
        fake.http.clearCalls();
        await act();
        const counted = fake.http.calls.filter(({ poll }) => poll !== true);
        const writes = counted.filter(({ write }) => write).length;
        const reads = counted.length - writes;
        const mostReads = lab.trial.unconditional === undefined ? batchReads : 2 * batchReads;
        assert.ok(writes >= 1 && writes <= batchWrites, `${what}: ${writes} writes, at most ${batchWrites}`);
        assert.ok(reads <= mostReads, `${what}: ${reads} reads, at most ${mostReads}`);
        const left = owners.filter((name) => fake.values(domain(apex), domain(name)).includes("value"));
        assert.equal(left.length, what === "present" ? owners.length : 0, what);
      }
    },
  },
];

async function expectCalls(fake: AdapterFake, most: number, what: string, act: () => Promise<void>): Promise<void> {
  fake.http.clearCalls();
  await act();
  const counted = fake.http.calls.filter(({ poll }) => poll !== true).map(({ operation }) => operation);
  assert.ok(counted.length <= most, `${what}: ${counted.length} calls, at most ${most}: ${counted.join(", ")}`);
}
