import assert from "node:assert/strict";
import { createLock } from "../core/lock.ts";
import { createRandom } from "./random.ts";
import { domain, expectValueSet } from "./stage.ts";
import type { Case, Connection, Stage } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";
const foreign = ["google-site-verification=abc", "somebody-else"];
const values = ["value-a", "value-b", "value-c", "value-d", "value-e"];

/** A race is lost by chance: once in a dozen times nothing happens. */
const owners = (what: string): readonly string[] =>
  [1, 2, 3].map((round) => `_acme-challenge.${what}-${round}.example.com`);

/**
 * Several writers at one name. Within an instance the program lets one call at a time write a name, as the solver does;
 * the instances share nothing.
 */
export const concurrencyCases: readonly Case[] = [
  {
    id: "concurrency.adding",
    title: "loses no value when all are added at the same moment",
    run: async (stage) => {
      const instances = await connectAll(stage);
      for (const at of owners("adding")) {
        await Promise.all(values.map((value, i) => instances[i % instances.length]?.add(apex, at, value)));
        await expectValueSet(stage.service, apex, at, values, "every value is served");
      }
    },
  },
  {
    id: "concurrency.mixed",
    title: "neither loses nor revives a value when some are added while others are removed",
    run: async (stage) => {
      const instances = await connectAll(stage);
      for (const at of owners("mixed")) {
        await instances[0]?.add(apex, at, "value-a", "value-b");
        const work = values.map((value, i) => {
          const instance = instances[i % instances.length];
          return i < 2 ? instance?.remove(apex, at, value) : instance?.add(apex, at, value);
        });
        await Promise.all(work);
        await expectValueSet(stage.service, apex, at, values.slice(2), "the added values and none of the removed");
      }
    },
  },
  {
    id: "concurrency.settling",
    title: 'is sure of what it does not call "unsettled", and brings the rest back when it is asked once more',
    run: async ({ connect, service }) => {
      // Three even where one at a time is the rule: this is what happens when that is broken.
      const instances = [await connect(), await connect(), await connect()];
      for (let round = 1; round <= 8; round++) {
        const at = `_acme-challenge.settling-${round}.example.com`;
        const mine = values.slice(0, instances.length);
        const answers = await Promise.all(instances.map((instance, i) => instance.ask(apex, at, mine[i] ?? "")));
        const standing = await service.values(domain(apex), domain(at));
        for (const [i, value] of mine.entries()) {
          if (answers[i] === "unsettled") continue;
          assert.ok(
            standing.includes(value),
            `round ${round}: ${value} was overwritten, and the answer "${answers[i]}"`,
          );
        }
        // One after the other, as after a pause that was long enough.
        for (const [i, instance] of instances.entries()) {
          if (answers[i] === "unsettled") await instance.ask(apex, at, mine[i] ?? "");
        }
        await expectValueSet(service, apex, at, mine, `round ${round}: everybody has looked again`);
        for (const [i, instance] of instances.entries()) {
          const answer = await instance.ask(apex, at, mine[i] ?? "");
          assert.notEqual(answer, "unsettled", "asked for what stands there, it has nothing to settle");
        }
      }
    },
  },
  {
    id: "concurrency.interleavings",
    random: true,
    title: "ends with exactly the expected values after random present and clean-up",
    run: async (stage) => {
      const { service, seed, operations } = stage;
      await service.put(domain(apex), domain(name), foreign, 600);
      const instances = await connectAll(stage);
      const random = createRandom(seed);
      const rounds = Math.ceil(operations / (values.length * 2));
      const standing = new Map<string, boolean>();
      for (let round = 0; round < rounds; round++) {
        // What happens to one value happens in order, as one challenge's present and clean-up do; values run side by side.
        const chains = values.map((value) => ({
          value,
          steps: Array.from({ length: 2 }, () => ({
            add: random() < 0.5,
            instance: Math.floor(random() * instances.length),
          })),
        }));
        await Promise.all(
          chains.map(async ({ value, steps }) => {
            for (const { add, instance } of steps) {
              await (add
                ? instances[instance]?.add(apex, name, value)
                : instances[instance]?.remove(apex, name, value));
              standing.set(value, add);
            }
          }),
        );
        const expected = [...foreign, ...values.filter((value) => standing.get(value))];
        await expectValueSet(service, apex, name, expected, `round ${round} of ${rounds}, seed ${seed}`);
      }
    },
  },
];

type Writer = Pick<Connection, "add" | "remove">;

async function connectAll({ connect, subject }: Stage): Promise<readonly Writer[]> {
  const count = subject.writers ?? 3;
  const instances: Writer[] = [];
  for (let i = 0; i < count; i++) {
    const connection = await connect();
    const lock = createLock();
    const never = new AbortController().signal;
    instances.push({
      add: (...given) => lock.hold(["name"], never, () => connection.add(...given)),
      remove: (...given) => lock.hold(["name"], never, () => connection.remove(...given)),
    });
  }
  return instances;
}
