import { afterEach, expect, test } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import type { Edit, Provider } from "../../src/core/provider.ts";
import { issue } from "../../src/issuer/issue.ts";
import { createRouter } from "../../src/issuer/router.ts";
import { connectSolver } from "../../src/providers.ts";
import { openWorld, type World } from "./world.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const owner = "_acme-challenge.example.test";
const pair = ["example.test", "*.example.test"];
const signal = new AbortController().signal;

/** The sandbox's zone through a provider whose writes can be overwritten; `after` each of them. */
async function depsOf(opened: World, after: (edits: readonly Edit[]) => void) {
  const usual: Provider = rfc2136;
  const overwritable: Provider = {
    ...usual,
    connect: async (...given) => {
      const right = await usual.connect(...given);
      return {
        ...right,
        async apply(zone, edits, call) {
          const changes = await right.apply(zone, edits, call);
          after(edits);
          return changes.map((change) => (change === "changed" ? "unsettled" : change));
        },
      };
    },
  };
  const resolved = await resolveConfig(overwritable, { env: opened.box.env });
  const observer = (await opened.deps()).observer;
  const connect = () => connectSolver(overwritable, resolved, { signal, observer });
  return await opened.deps({ solvers: createRouter([{ zones: [], provider: "rfc2136", connect }]) });
}

const warningsOf = ({ events }: World) => events.flatMap((event) => (event.type === "warning" ? [event.code] : []));

test("values that somebody overwrites during the wait are written again, and the order is valid", async () => {
  world = await openWorld();
  const { box } = world;
  let writes = 0;
  const deps = await depsOf(world, () => {
    if (++writes === 1) box.zone.remove(owner);
  });
  const result = await issue(world.request(pair), deps);
  expect(result.challenges).toHaveLength(2);
  expect(warningsOf(world)).toContain("W_OVERWRITTEN");
  expect(box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});

test("without a check of the nameservers nothing is answered before the values have stood the time", async () => {
  world = await openWorld();
  const acts: string[] = [];
  const deps = await depsOf(world, ([edit]) => void acts.push((edit?.add.length ?? 0) > 0 ? "present" : "clean-up"));
  const propagation = { mode: "none", timeoutMs: 20_000 } as const;
  await issue(world.request(pair, { propagation }), deps);
  // The second look is the same call; so is that of the clean-up, since this provider says so.
  expect(acts).toEqual(["present", "present", "clean-up", "clean-up"]);
  expect(warningsOf(world)).not.toContain("W_OVERWRITTEN");
});

test("what is brought back after the clean-up is taken out again before the journal forgets it", async () => {
  world = await openWorld();
  const { box } = world;
  let removals = 0;
  const deps = await depsOf(world, ([edit]) => {
    const [value] = edit?.remove ?? [];
    if (value !== undefined && ++removals === 1) box.zone.addTxt(owner, value);
  });
  await issue(world.request(pair), deps);
  expect(removals).toBeGreaterThan(1);
  expect(box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});
