import { afterEach, expect, test, vi } from "vitest";
import { openBudget } from "../../src/issuer/budget-use.ts";
import { issueAnywhere } from "../../src/issuer/issue-anywhere.ts";
import { createOrderGate } from "../../src/issuer/order-gate.ts";
import type { IssueDeps, IssueRequest } from "../../src/issuer/request.ts";
import type { SandboxOptions } from "../../src/sandbox/index.ts";
import { openWorld, type World } from "./world.ts";

const HOUR = 3_600_000;
const until = (condition: () => boolean) => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000 });
const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

/** A world whose wall clock the test sets forward; each order is another process's over the same state folder. */
async function open(options: SandboxOptions = {}) {
  const world = await openWorld(options);
  worlds.push(world);
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  return {
    world,
    pass: (ms: number) => {
      ahead += ms;
    },
    async issue(request: IssueRequest, others: readonly IssueRequest[] = [], more: Partial<IssueDeps> = {}) {
      const deps = await world.deps({ now, ...more });
      const budget = await openBudget(world.store.budget, deps);
      return await issueAnywhere(request, others, { ...deps, gate: createOrderGate(budget, deps) });
    },
    askedFor: () => world.box.log.entries.filter((e) => e.kind === "acme").length,
  };
}

test("until the time a CA has named it is not asked again, --force or not; after it the order is placed", async () => {
  const { world, issue, pass, askedFor } = await open({ orderLimit: { count: 1, perMs: 48 * HOUR } });
  await issue(world.request(["a.example.test"]));
  const wanted = world.request(["b.example.test"]);
  const refused: unknown = await issue(wanted).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "RATE_LIMITED" });
  const before = askedFor();
  const first: unknown = await issue(wanted).catch((error: unknown) => error);
  expect(first).toMatchObject({
    code: "RATE_LIMITED",
    retryAfterMs: expect.closeTo(48 * HOUR, -6),
    details: { ca: world.box.directoryUrl, name: "b.example.test" },
    hint: expect.stringContaining("another CA with --ca"),
  });
  const { message } = first as Error;
  expect(message).toMatch(/^https:.* is not asked for "b\.example\.test" before 2\d{3}-.* UTC: .*too many new orders/);
  pass(24 * HOUR);
  await expect(issue({ ...wanted, force: true })).rejects.toThrow(message);
  // The limit is the account's, whatever the certificate.
  await expect(issue(world.request(["c.example.test"]))).rejects.toMatchObject({ code: "RATE_LIMITED" });
  // What is stored and not due needs no leave.
  expect((await issue(world.request(["a.example.test"]))).reused).toBe(true);
  expect(askedFor()).toBe(before);
  pass(25 * HOUR);
  Object.assign(world.box.ca.state.behaviour, { orderLimit: undefined });
  expect((await issue(wanted)).reused).toBe(false);
  expect(await world.store.budget.load("certificates", "b.example.test")).toBeUndefined();
});

test("a refusal keeps nobody from mending what failed and trying again at once; it is kept for run, and a success ends it", async () => {
  const { world, issue } = await open({ blocked: ["example.test"] });
  const wanted = world.request(["example.test"]);
  for (let n = 0; n < 3; n++) await expect(issue(wanted)).rejects.toMatchObject({ code: "ACME" });
  expect(await world.store.budget.load("certificates", "example.test")).toMatchObject({
    record: { cas: { [world.box.directoryUrl]: { failures: 3 } } },
  });
  Object.assign(world.box.ca.state.behaviour, { blocked: [] });
  expect((await issue(wanted)).reused).toBe(false);
  expect(await world.store.budget.load("certificates", "example.test")).toBeUndefined();
});

test("a day's patience with an order is that order's: others are issued, and the same run again takes what is there by then", async () => {
  const { world, issue } = await open({ issuanceDelayMs: 1_000, retryAfterSeconds: 86_400 });
  const slow = world.request(["slow.example.test"]);
  await expect(issue(slow)).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 24 * HOUR });
  Object.assign(world.box.ca.state.behaviour, { retryAfterSeconds: undefined });
  expect((await issue(world.request(["quick.example.test"]))).reused).toBe(false);
  await until(() => [...world.box.ca.state.orders.values()].every(({ status }) => status === "valid"));
  expect((await issue(slow)).reused).toBe(false);
  expect(world.box.ca.state.orders.size).toBe(2);
});

test("another CA is asked while one is to be left alone, but not about what would fail there, too", async () => {
  const limited = await open({ orderLimit: { count: 1, perMs: 48 * HOUR } });
  const { world, issue, askedFor } = limited;
  await issue(world.request(["a.example.test"]));
  const wanted = world.request(["b.example.test"]);
  await expect(issue(wanted)).rejects.toMatchObject({ code: "RATE_LIMITED" });
  const before = askedFor();
  const directoryUrl = "http://127.0.0.1:1/directory";
  const there = { ...wanted, ca: { ...wanted.ca, directoryUrl } };
  // It was gone over to, and cannot be reached.
  await expect(issue(wanted, [there])).rejects.toMatchObject({ code: "TRANSIENT" });
  expect(world.events).toContainEqual(expect.objectContaining({ code: "W_OTHER_CA" }));
  expect(askedFor()).toBe(before);
});

test("what fails on this side of the CA, or is stopped, may be tried again at once", async () => {
  const { world, issue } = await open();
  const wanted = world.request(["example.test"]);
  const broken = {
    solverFor: () => Promise.reject(new Error("no such zone")),
    solverOf: async () => undefined,
  };
  await expect(issue(wanted, [], { solvers: broken })).rejects.toThrow("no such zone");
  const stop = new AbortController();
  const observer: IssueDeps["observer"] = (event) => {
    if (event.type === "phase" && event.phase === "order") stop.abort(new Error("stopped"));
  };
  await expect(issue(wanted, [], { signal: stop.signal, observer })).rejects.toThrow("stopped");
  expect((await issue(wanted)).reused).toBe(false);
});

test("a dry run asks and tells the budget of the CA that it talks to, and clears nothing of another one's", async () => {
  const { world, issue } = await open({ blocked: ["example.test"] });
  const staging = await open();
  const wanted = world.request(["example.test"]);
  await expect(issue(wanted)).rejects.toMatchObject({ code: "ACME" });
  const trial = { ...staging.world.request(["example.test"]), dryRun: true };
  const deps = await staging.world.deps();
  // Both CAs' budgets are in one state folder.
  const budget = await openBudget(world.store.budget, deps);
  const gate = createOrderGate(budget, deps);
  const result = await issueAnywhere(trial, [], { ...deps, gate });
  expect(result.dryRun).toBe(true);
  const rows = async () => await world.store.budget.load("certificates", "example.test");
  expect(await rows()).toMatchObject({ record: { cas: { [world.box.directoryUrl]: { failures: 1 } } } });
  Object.assign(staging.world.box.ca.state.behaviour, { blocked: ["example.test"] });
  await expect(issueAnywhere(trial, [], { ...deps, gate })).rejects.toMatchObject({ code: "ACME" });
  const both = [world, staging.world].map(({ box }) => [box.directoryUrl, { failures: 1 }]);
  expect(await rows()).toMatchObject({ record: { cas: Object.fromEntries(both) } });
});
