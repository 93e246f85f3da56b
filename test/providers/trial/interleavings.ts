import assert from "node:assert/strict";
import { createRandom } from "../../../src/testing/random.ts";
import { domain, expectServed } from "./lab.ts";
import type { Check, Instance } from "./subject.ts";

const apex = "example.com";
const owner = "_acme-challenge.example.com";
const values = ["value-a", "value-b", "value-c", "value-d", "value-e"];

export const interleavingChecks: readonly Check[] = [
  {
    id: "interleavings",
    title: "ends every random interleaving of three programs with exactly the expected values",
    async run(lab) {
      const { trial, foreign, seed, rounds } = lab;
      const random = createRandom(seed);
      const fake = await lab.start(apex);
      if (foreign.length > 0) fake.put(domain(apex), domain(owner), foreign, 600);
      const otherStands = fake.putOtherType?.(domain(apex), domain(owner));
      fake.http.setLatency(() => (random() < 0.5 ? 0 : random() * 4));
      const instances: Instance[] = [];
      // So fast that no pause of the program is felt, and no time limit that a busy machine would meet.
      const patient = { speed: 1000, timeoutMs: 60_000_000, requestTimeoutMs: 5_000_000 };
      while (instances.length < (trial.unconditional === undefined ? 3 : 1)) {
        instances.push(await lab.connect(fake, patient));
      }
      const standing = new Set<string>();
      for (let round = 1; round <= rounds; round++) {
        // What happens to one value happens in order, as one challenge's present and clean-up do; values run side by side.
        const chains = values.map((value) => ({
          value,
          steps: Array.from({ length: 1 + Math.floor(random() * 2) }, () => ({
            add: random() < 0.5,
            instance: instances[Math.floor(random() * instances.length)],
          })),
        }));
        await Promise.all(
          chains.map(async ({ value, steps }) => {
            for (const { add, instance } of steps) {
              await (add ? instance?.present(owner, value) : instance?.cleanUp(owner, value));
              if (add) standing.add(value);
              else standing.delete(value);
            }
          }),
        );
        expectServed(fake, apex, owner, [...foreign, ...standing], `round ${round} of ${rounds}, seed ${seed}`);
        assert.notEqual(otherStands?.(), false, `the record of another type is gone (round ${round}, seed ${seed})`);
      }
    },
  },
];
