import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { AuthError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/events.ts";
import type { TxtBackend } from "../../src/core/provider.ts";
import { createSolver } from "../../src/core/solver.ts";
import { issue } from "../../src/issuer/issue.ts";
import type { IssueDeps } from "../../src/issuer/request.ts";
import { createRouter } from "../../src/issuer/router.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.close());

/** A service that holds the sandbox's zone; `refused`: its credentials have expired. */
function service(refused: () => boolean = () => false): {
  readonly deps: Partial<IssueDeps>;
  readonly calls: string[];
} {
  const { zone } = world.box;
  const calls: string[] = [];
  const backend: TxtBackend = {
    async findZone(apex) {
      calls.push(`findZone ${apex}`);
      if (refused()) throw new AuthError("the token has expired", { provider: "fake" });
      return apex === "example.test" ? { apex, id: apex } : undefined;
    },
    async apply(_zone, edits) {
      calls.push("apply");
      for (const { owner, add, remove } of edits) {
        for (const value of add) zone.addTxt(owner.fqdn, value);
        if (remove.length > 0) zone.remove(owner.fqdn);
      }
      return edits.map(() => "changed");
    },
  };
  const traits = { ttlSeconds: { min: 1, default: 60 } };
  const provider = { id: "fake", traits } as unknown as Parameters<typeof createSolver>[0]["provider"];
  const solver = createSolver({ provider, backend, observer: silent, clock: systemClock });
  return { calls, deps: { solvers: createRouter([{ zones: [], provider: "fake", connect: async () => solver }]) } };
}

const ordered = () => world.box.log.entries.filter((e) => e.kind === "acme" && e.path === "/new-order").length;

test("credentials that are refused are found out before an order is placed at the CA", async () => {
  world = await openWorld();
  const { deps, calls } = service(() => true);
  const issued = issue(world.request(["a.example.test", "*.a.example.test"]), await world.deps(deps));
  await expect(issued).rejects.toMatchObject({ code: "AUTH", message: expect.stringContaining("has expired") });
  expect(ordered()).toBe(0);
  expect(calls).not.toContain("apply");
  expect(await world.store.certificates.loadPending("a.example.test")).toBeUndefined();
});

test("a name that no solver is for is found out before an order is placed at the CA", async () => {
  world = await openWorld();
  const issued = issue(world.request(["a.example.test"]), await world.deps({ solvers: createRouter([]) }));
  await expect(issued).rejects.toMatchObject({ code: "CONFIG" });
  expect(ordered()).toBe(0);
});

test("the zone that was found that way is not asked for again", async () => {
  world = await openWorld();
  const { deps, calls } = service();
  await issue(world.request(["a.example.test", "*.a.example.test"]), await world.deps(deps));
  expect(calls).toEqual(["findZone example.test", "apply", "apply"]);
});

test("an order of an earlier run that needs no proof any more is finished without the service", async () => {
  world = await openWorld();
  let isRefused = false;
  const { deps } = service(() => isRefused);
  const request = world.request(["a.example.test"]);
  const full = async () => {
    throw new Error("no space left on the disk");
  };
  const used = await world.deps(deps);
  const failing = { ...used, certificates: { ...used.certificates, save: full } };
  await expect(issue(request, failing)).rejects.toThrow("no space left");
  isRefused = true;
  const { deps: expired } = service(() => isRefused);
  expect(await issue(request, await world.deps(expired))).toMatchObject({ reused: false, domains: ["a.example.test"] });
  expect(ordered()).toBe(1);
});
