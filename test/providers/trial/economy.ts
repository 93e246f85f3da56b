import assert from "node:assert/strict";
import { domain } from "./lab.ts";
import type { AdapterFake, Calls, Check, Economy, Instance, Lab } from "./subject.ts";

const apex = "example.com";
const owner = "_acme-challenge.a.b.example.com";
/** Names asked for on the way to example.com: the owner itself, a.b, b and the apex. */
const walked = 4;

/** So slow that what was found out about zones does not grow old on a busy machine. */
const slow = { speed: 5 };

/** Every label is asked for; then one read for each name. Records are written one by one, */
export const perRecord: Economy = {
  first: `${1 + walked}+1`,
  warm: "1+1",
  again: "1+0",
  cleanUp: "1+1",
  gone: "1+0",
  pair: "1+2",
  pairOut: "1+2",
  names: "20+20",
  namesOut: "20+20",
};
/** sets name by name, */
export const perSet: Economy = { ...perRecord, pair: "1+1", pairOut: "1+1" };
/** and in batches all at once. */
export const perBatchOfSets: Economy = { ...perSet, names: "20+1", namesOut: "20+1" };

export const economyChecks: readonly Check[] = [
  {
    id: "economy.one",
    title: "takes two calls for a change, one more per label to find the zone, and exactly those it says",
    async run(lab) {
      const { fake, instance } = await stage(lab);
      const took: Partial<Economy> = {
        first: await callsOf(fake, () => instance.present(owner, "value-1")),
        warm: await callsOf(fake, () => instance.present(owner, "value-2")),
        again: await callsOf(fake, () => instance.present(owner, "value-2")),
        cleanUp: await callsOf(fake, () => instance.cleanUp(owner, "value-1")),
      };
      await instance.cleanUp(owner, "value-2");
      const gone = await callsOf(fake, () => instance.cleanUp(owner, "value-2"));
      expectTook(lab, { ...took, gone });
      const most = { first: 2 + walked, warm: 2, again: 1, cleanUp: 2, gone: 1 };
      for (const [what, limit] of Object.entries(most)) {
        const calls = sum({ ...took, gone }[what as keyof typeof most] ?? "0+0");
        assert.ok(calls <= limit, `${what}: ${calls} calls, at most ${limit}`);
      }
    },
  },
  {
    id: "economy.pair",
    title: "puts and takes both values of apex and wildcard with exactly the calls it says",
    async run(lab) {
      const { fake, instance } = await stage(lab);
      await instance.present(owner, "warm");
      const pair = await callsOf(fake, () => instance.present(owner, "value-1", "value-2"));
      const pairOut = await callsOf(fake, () => instance.cleanUp(owner, "value-1", "value-2"));
      expectTook(lab, { pair, pairOut });
    },
  },
  {
    id: "economy.batch",
    title: "changes twenty names of one zone with exactly the calls it says, and no more than one read for each",
    async run(lab) {
      const owners = Array.from({ length: 20 }, (_, i) => `_acme-challenge.host-${i}.example.com`);
      const { fake, instance } = await stage(lab);
      await instance.present(`_acme-challenge.${apex}`, "warm");
      const standing = () => owners.filter((name) => fake.values(domain(apex), domain(name)).includes("value")).length;
      const names = await callsOf(fake, () => instance.presentAll(apex, owners, "value"));
      assert.equal(standing(), owners.length, "present");
      const namesOut = await callsOf(fake, () => instance.cleanUpAll(apex, owners, "value"));
      assert.equal(standing(), 0, "clean-up");
      expectTook(lab, { names, namesOut });
      for (const calls of [names, namesOut]) {
        const [reads = 0, writes = 0] = calls.split("+").map(Number);
        assert.ok(reads <= owners.length && writes <= owners.length, `${calls}, at most one of each for a name`);
      }
    },
  },
];

async function stage(lab: Lab): Promise<{ readonly fake: AdapterFake; readonly instance: Instance }> {
  const fake = await lab.start(apex);
  if (lab.foreign.length > 0) fake.put(domain(apex), domain(owner), lab.foreign, 600);
  return { fake, instance: await lab.connect(fake, slow) };
}

async function callsOf(fake: AdapterFake, act: () => Promise<void>): Promise<Calls> {
  fake.http.clearCalls();
  await act();
  const counted = fake.http.calls.filter(({ poll }) => poll !== true);
  const writes = counted.filter(({ write }) => write).length;
  return `${counted.length - writes}+${writes}`;
}

function expectTook({ trial: { economy } }: Lab, took: Partial<Economy>): void {
  const told = Object.fromEntries(Object.keys(took).map((what) => [what, economy[what as keyof Economy]]));
  assert.deepEqual(took, told, "calls, reads+writes");
}

function sum(calls: Calls): number {
  return calls.split("+").reduce((all, part) => all + Number(part), 0);
}
