import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterEach, expect, test, vi } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { malformedAnswer } from "../../src/acme/problem.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AcmeError, PropagationError, TransientError } from "../../src/core/errors.ts";
import { signalOf } from "../../src/core/lazy-signal.ts";
import { parseName } from "../../src/core/name.ts";
import type { Solver } from "../../src/core/solver.ts";
import { ExchangeError } from "../../src/dns/exchange.ts";
import { issue } from "../../src/issuer/issue.ts";
import type { IssueDeps } from "../../src/issuer/request.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { openWorld, updatesOf, type World } from "./world.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const owner = "_acme-challenge.example.test";
const pair = ["example.test", "*.example.test"];

test("the pair: one update with both values, one to take them out, and nothing left in DNS or the journal", async () => {
  world = await openWorld();
  const result = await issue(world.request(pair), await world.deps());
  expect(updatesOf(world.box).map((changes) => changes.length)).toEqual([2, 2]);
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
  expect(await world.store.certificates.loadPending("example.test")).toBeUndefined();
  expect(result.challenges.map((c) => [c.domain, c.owner, c.zone, c.status]).sort()).toEqual([
    ["*.example.test", owner, "example.test", "valid"],
    ["example.test", owner, "example.test", "valid"],
  ]);
  const cert = new X509Certificate(await readFile(result.files?.cert ?? ""));
  expect(cert.subjectAltName).toContain("DNS:*.example.test");
  expect(result.propagation.servers.map((s) => s.address)).toHaveLength(2);
});

test("the challenges are answered before the zone's history is on disk", async () => {
  world = await openWorld();
  const { log } = world.box;
  const answeredWhileWriting: boolean[] = [];
  const isAnswered = () => log.entries.some((e) => e.kind === "acme" && e.path.includes("/chall"));
  const hints = {
    load: async () => undefined,
    record: async () => {
      for (let turn = 0; turn < 200 && !isAnswered(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
      answeredWhileWriting.push(isAnswered());
    },
  };
  const deps = await world.deps();
  await issue(world.request(pair), { ...deps, dns: { ...deps.dns, hints } });
  expect(answeredWhileWriting).toEqual([true]);
});

test("a stored certificate that covers the names is reused without a request to the CA", async () => {
  world = await openWorld();
  await issue(world.request(pair), await world.deps());
  const before = world.box.log.entries.length;
  const again = await issue(world.request([...pair].reverse(), { name: "example.test" }), await world.deps());
  expect(again.reused).toBe(true);
  expect(world.box.log.entries.slice(before).filter((e) => e.kind === "acme")).toEqual([]);
});

test("other names, another key type or --force order anew", async () => {
  world = await openWorld();
  const first = await issue(world.request(pair), await world.deps());
  for (const request of [
    world.request(["example.test"]),
    world.request(["example.test"], { keyType: "ec384" }),
    world.request(["example.test"], { keyType: "ec384", force: true }),
  ]) {
    const result = await issue(request, await world.deps());
    expect(result.reused).toBe(false);
    expect(result.serial).not.toBe(first.serial);
  }
});

test("a CSR for another key is ordered, whatever is stored; another request of the same key is not", async () => {
  world = await openWorld();
  const [key, other] = [await generateKey("ec256"), await generateKey("ec256")];
  const first = await issue(world.request(pair, { csr: await buildCsr(key, pair) }), await world.deps());
  const again = await issue(world.request(pair, { csr: await buildCsr(key, pair) }), await world.deps());
  expect(again).toMatchObject({ reused: true, serial: first.serial });
  const exchanged = await issue(world.request(pair, { csr: await buildCsr(other, pair) }), await world.deps());
  expect(exchanged.reused).toBe(false);
  const { publicKey } = new X509Certificate(await readFile(exchanged.files?.cert ?? ""));
  expect(publicKey.equals(createPublicKey(other))).toBe(true);
});

test("valid authorizations are skipped: no value is written for them", async () => {
  world = await openWorld({ authzReuse: 1 });
  await issue(world.request(pair), await world.deps());
  const before = updatesOf(world.box).length;
  const result = await issue(world.request(pair, { force: true }), await world.deps());
  expect(updatesOf(world.box)).toHaveLength(before);
  expect(result.reused).toBe(false);
  expect(result.challenges).toEqual([]);
});

test("an order born ready needs no challenge", async () => {
  world = await openWorld({ preauthorized: true });
  const result = await issue(world.request(pair), await world.deps());
  expect(updatesOf(world.box)).toEqual([]);
  expect(result.serial).toBeDefined();
});

test("an order that is stuck at the CA is gone on with for a day, and then replaced", async () => {
  const hour = 3_600_000;
  world = await openWorld({ issuanceDelayMs: 1e9, pendingSeconds: 90 * 86_400 });
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  const ordered = new Set<string | undefined>();
  // A second of the machine's is a quarter of an hour here.
  const propagation = { mode: "authoritative" as const, timeoutMs: 24 * hour };
  for (const passed of [0, 20 * hour, 25 * hour]) {
    ahead = passed;
    const { certificates } = world.store;
    const deps = await world.deps({ now, clock: createFastClock(1000) });
    await expect(issue(world.request(pair, { propagation }), deps)).rejects.toMatchObject({ code: "TRANSIENT" });
    ordered.add((await certificates.loadPending("example.test"))?.orderUrl);
    expect(ordered.size).toBe(passed > 24 * hour ? 2 : 1);
  }
  Object.assign(world.box.ca.state.behaviour, { issuanceDelayMs: 0 });
  ahead = 50 * hour;
  expect((await issue(world.request(pair), await world.deps({ now }))).reused).toBe(false);
});

test("an order that lives for less than a minute is not given up before DNS is looked at", async () => {
  world = await openWorld({ validationDelayMs: 300, lagMs: 300, pendingSeconds: 45 });
  expect((await issue(world.request(pair), await world.deps())).reused).toBe(false);
});

test("a clock that is ahead of the CA's by more than an order lasts makes no order expire", async () => {
  world = await openWorld({ validationDelayMs: 300, lagMs: 300, pendingSeconds: 3600 });
  const ahead = () => Date.now() + 8 * 3_600_000;
  const connectAcme: IssueDeps["connectAcme"] = (acme) =>
    createAcmeClient(acme, { userAgent: "dns01/test", wallNow: ahead });
  const deps = await world.deps({ connectAcme, now: () => new Date(ahead()) });
  expect((await issue(world.request(pair), deps)).reused).toBe(false);
});

test("--reuse-key does not go on with an order of an earlier run that has another key", async () => {
  world = await openWorld();
  const { certificates } = world.store;
  await issue(world.request(pair), await world.deps());
  const first = (await certificates.load("example.test"))?.pem.privkey;
  Object.assign(world.box.ca.state.behaviour, { issuanceDelayMs: 60_000 });
  // By the fast clock, which a busy machine runs away from.
  const propagation = { mode: "authoritative" as const, timeoutMs: 86_400_000 };
  const request = world.request(pair, { force: true, propagation });
  const slow = issue(request, await world.deps({ clock: createFastClock(1000) }));
  await expect(slow).rejects.toMatchObject({ code: "TRANSIENT" });
  expect((await certificates.loadPending("example.test"))?.privkey).not.toBe(first);
  Object.assign(world.box.ca.state.behaviour, { issuanceDelayMs: 0 });
  const result = await issue(world.request(pair, { force: true, reuseKey: true }), await world.deps());
  expect(result.reused).toBe(false);
  expect((await certificates.load("example.test"))?.pem.privkey).toBe(first);
});

test("a key that was revoked as compromised is not used again, whatever --reuse-key says", async () => {
  world = await openWorld();
  const { certificates } = world.store;
  const keyOf = async () => (await certificates.load("example.test"))?.pem.privkey;
  const request = world.request(pair, { reuseKey: true, force: true });
  await issue(request, await world.deps());
  const first = await keyOf();
  await issue(request, await world.deps());
  expect(await keyOf()).toBe(first);
  const stored = await certificates.load("example.test");
  const revoked = { at: new Date().toISOString(), reason: "keyCompromise" };
  if (stored !== undefined) await certificates.saveMeta("example.test", { ...stored.meta, revoked });
  await issue(request, await world.deps());
  expect(await keyOf()).not.toBe(first);
});

test("a dry run that the CA refuses leaves the order of an earlier run, and its key, where they are", async () => {
  world = await openWorld({ issuanceDelayMs: 1e9 });
  const { certificates } = world.store;
  // By the fast clock, which a busy machine runs away from.
  const ample = { mode: "authoritative" as const, timeoutMs: 86_400_000 };
  const slow = issue(world.request(pair, { propagation: ample }), await world.deps({ clock: createFastClock(1000) }));
  await expect(slow).rejects.toMatchObject({ code: "TRANSIENT" });
  const pending = await certificates.loadPending("example.test");
  expect(pending).toBeDefined();
  const solvers = { solverFor: async () => lost, solverOf: async () => undefined };
  const lost: Solver = {
    provider: "lost",
    locate: async () => ({ apex: parseName("example.test", "zone"), id: "" }),
    present: async () => [],
    cleanUp: async () => [],
  };
  const propagation = { mode: "none" as const, timeoutMs: 1000 };
  const trial = issue(world.request(pair, { dryRun: true, propagation }), await world.deps({ solvers }));
  await expect(trial).rejects.toMatchObject({ code: "ACME" });
  expect(await certificates.loadPending("example.test")).toEqual(pending);
});

test("what is left with a provider that cannot be connected stops no order by another one", async () => {
  world = await openWorld();
  const { journal } = world.store;
  const left = { certificate: "example.test", provider: "earlier", zone: "example.test", owner, value: "left" };
  await journal.add([left, { ...left, certificate: "other.test" }]);
  const deps = await world.deps();
  const solvers: IssueDeps["solvers"] = {
    solverFor: deps.solvers.solverFor,
    solverOf: async (provider, name) => {
      if (provider === "earlier") throw new TransientError("earlier: no answer within 30 s", { timeout: true });
      return await deps.solvers.solverOf(provider, name);
    },
  };
  const result = await issue(world.request(pair), { ...deps, solvers });
  expect(result.reused).toBe(false);
  expect(result.warnings.filter(({ code }) => code === "W_LEFTOVER").map(({ text }) => text)).toEqual([
    expect.stringMatching(/1 TXT value of an earlier run may still be at _acme-challenge.example.test: .*no answer/),
  ]);
  expect(await journal.list()).toHaveLength(2);
});

test("a dozen certificates' values where nobody answers hold up an order once, and the next one not at all", async () => {
  world = await openWorld();
  const { journal } = world.store;
  const left = { provider: "silent", zone: "silent.test", owner: "_acme-challenge.silent.test" };
  await journal.add(Array.from({ length: 12 }, (_, n) => ({ ...left, certificate: `c${n}`, value: `left${n}` })));
  const deps = await world.deps();
  let [calls, open, most] = [0, 0, 0];
  const silent: Solver = {
    provider: "silent",
    locate: async () => ({ apex: parseName("silent.test", "zone"), id: "" }),
    present: async () => [],
    cleanUp: async (_, stop) => {
      calls += 1;
      open += 1;
      most = Math.max(most, open);
      await systemClock.sleep(30_000, signalOf(stop)).finally(() => {
        open -= 1;
      });
      return [];
    },
  };
  const solvers: IssueDeps["solvers"] = {
    solverFor: deps.solvers.solverFor,
    solverOf: async (provider, name) => (provider === "silent" ? silent : await deps.solvers.solverOf(provider, name)),
  };
  const wait = setTimeout;
  const short = vi
    .spyOn(globalThis, "setTimeout")
    .mockImplementation(((act: () => void, ms?: number) => wait(act, ms === 60_000 ? 2_000 : ms)) as typeof setTimeout);
  try {
    const first = await issue(world.request(pair), { ...deps, solvers });
    expect(first.warnings.map(({ code }) => code)).toContain("W_LEFTOVER");
    expect([calls, most]).toEqual([12, 12]);
    await issue(world.request(["next.example.test"]), { ...deps, solvers });
    expect(calls).toBe(12);
  } finally {
    short.mockRestore();
  }
  expect(await journal.list()).toHaveLength(12);
});

test("one token for apex and wildcard is one value", async () => {
  world = await openWorld({ sameToken: true });
  const result = await issue(world.request(pair), await world.deps());
  expect(updatesOf(world.box)[0]).toHaveLength(1);
  expect(result.challenges).toHaveLength(2);
});

test("a CA that refuses leaves DNS clean and its problem in the error", async () => {
  world = await openWorld({ blocked: ["example.test"] });
  const failure = await issue(world.request(pair), await world.deps()).catch((e: unknown) => e);
  expect(failure).toBeInstanceOf(AcmeError);
  expect((failure as AcmeError).problem.type).toContain("rejectedIdentifier");
  expect(world.box.zone.txt(owner)).toEqual([]);
});

test("a nameserver that never follows ends in NOT_PROPAGATED, named, with nothing answered and DNS clean", async () => {
  world = await openWorld({ lagMs: Number.POSITIVE_INFINITY });
  const request = world.request(pair, { propagation: { mode: "authoritative", timeoutMs: 700 } });
  const failure = await issue(request, await world.deps()).catch((e: unknown) => e);
  expect(failure).toBeInstanceOf(PropagationError);
  expect((failure as Error).message).toContain("ns2.example.test");
  expect(world.box.log.entries.filter((e) => e.kind === "acme" && e.path.startsWith("/chall"))).toEqual([]);
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});

test("the step that fails is reported as failed before the clean-up begins, and no step stays open", async () => {
  world = await openWorld({ lagMs: Number.POSITIVE_INFINITY });
  const request = world.request(pair, { propagation: { mode: "authoritative", timeoutMs: 500 } });
  await expect(issue(request, await world.deps())).rejects.toBeInstanceOf(PropagationError);
  const steps = world.events.flatMap((event) => (event.type === "phase" ? [`${event.phase} ${event.state}`] : []));
  expect(steps.slice(-4)).toEqual(["propagation start", "propagation failed", "cleanup start", "cleanup done"]);
});

test("an account that cannot be opened is reported as a failed step", async () => {
  world = await openWorld();
  const deps = { ...(await world.deps()), connectAcme: () => Promise.reject(new Error("no route to the CA")) };
  await expect(issue(world.request(pair), deps)).rejects.toThrow("no route to the CA");
  const steps = world.events.flatMap((event) => (event.type === "phase" ? [`${event.phase} ${event.state}`] : []));
  expect(steps).toEqual(["account start", "account failed"]);
});

test("DNS that falls silent behind the write leaves nothing there: the clean-up goes by what was written", async () => {
  world = await openWorld();
  const deps = await world.deps();
  const silent = () => Promise.reject(new ExchangeError("silent", "nobody answers", { udp: 1, tcp: 0, doh: 0 }));
  let isWritten = false;
  const place: IssueDeps["dns"]["place"] = (...args) => (isWritten ? silent() : deps.dns.place(...args));
  const observer: IssueDeps["observer"] = (event) => {
    isWritten ||= event.type === "phase" && event.phase === "present" && event.state === "done";
    deps.observer(event);
  };
  const dns = { ...deps.dns, place, exchange: silent, discovery: { delegationOf: silent, forget: () => {} } };
  const request = world.request(pair, { propagation: { mode: "authoritative", timeoutMs: 700 } });
  await expect(issue(request, { ...deps, dns, observer })).rejects.toBeInstanceOf(PropagationError);
  expect(updatesOf(world.box).map((changes) => changes.length)).toEqual([2, 2]);
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});

test("after NOT_PROPAGATED the next run goes on with the same order", async () => {
  world = await openWorld({ lagMs: Number.POSITIVE_INFINITY });
  const request = world.request(pair, { propagation: { mode: "authoritative", timeoutMs: 500 } });
  await issue(request, await world.deps()).catch(() => {});
  world.box.zone.setLag(0);
  await issue(request, await world.deps());
  const orders = world.box.log.entries.filter((e) => e.kind === "acme" && e.path === "/new-order");
  expect(orders).toHaveLength(1);
});

test("a foreign value at the owner and another process's value survive", async () => {
  world = await openWorld();
  world.box.zone.addTxt(owner, "foreign");
  await issue(world.request(pair), await world.deps());
  expect(world.box.zone.txt(owner)).toEqual(["foreign"]);
});

test("a value an earlier run left is taken out even when nothing is due", async () => {
  world = await openWorld();
  await issue(world.request(pair), await world.deps());
  world.box.zone.addTxt(owner, "left-behind");
  const entry = { certificate: "example.test", provider: "rfc2136", zone: "example.test", owner, value: "left-behind" };
  await world.store.journal.add([entry, { ...entry, certificate: "gone.example.test" }]);
  const again = await issue(world.request(pair), await world.deps());
  expect(again.reused).toBe(true);
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});

test("a preferred chain that the CA does not offer is among the result's warnings, with what it offers", async () => {
  world = await openWorld();
  const { warnings } = await issue(world.request(pair, { preferredChain: "No Such Root" }), await world.deps());
  expect(warnings).toEqual([{ code: "W_CHAIN", text: expect.stringMatching(/"No Such Root".*"Sandbox Root X1"/) }]);
});

test("values put there by `dns01 present` are left alone", async () => {
  world = await openWorld();
  world.box.zone.addTxt(owner, "mine");
  const entry = { certificate: "", provider: "rfc2136", zone: "example.test", owner, value: "mine" };
  await world.store.journal.add([entry]);
  await issue(world.request(pair), await world.deps());
  expect(world.box.zone.txt(owner)).toEqual(["mine"]);
  expect(await world.store.journal.list()).toHaveLength(1);
});

test("an order spoilt by a crash is replaced once", async () => {
  world = await openWorld();
  const request = world.request(pair);
  const deps = await world.deps();
  // A run that dies after answering: the values are gone, so the CA fails the order.
  const dying: IssueDeps = {
    ...deps,
    certificates: { ...deps.certificates, clearPending: async () => {}, lock: async () => async () => {} },
  };
  const skipped = { ...request, propagation: { mode: "none" as const, timeoutMs: 1_000 } };
  world.box.zone.setLag(Number.POSITIVE_INFINITY);
  await expect(issue(skipped, dying)).rejects.toBeInstanceOf(AcmeError);
  world.box.zone.setLag(0);
  const result = await issue(request, await world.deps());
  expect(result.serial).toBeDefined();
});

test("an abort while waiting takes the values out and keeps the order for the next run", async () => {
  world = await openWorld({ lagMs: Number.POSITIVE_INFINITY });
  const controller = new AbortController();
  const reason = new Error("stop");
  const deps = await world.deps({ signal: controller.signal });
  const observer: IssueDeps["observer"] = (event) => {
    if (event.type === "propagation.poll") controller.abort(reason);
  };
  await expect(issue(world.request(pair), { ...deps, observer })).rejects.toBe(reason);
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.certificates.loadPending("example.test")).toBeDefined();
  expect(await world.store.journal.list()).toEqual([]);
});

test("more names at one alias target than a validator takes go in waves", async () => {
  world = await openWorld();
  const names = Array.from({ length: 8 }, (_, i) => `w${i}.example.test`);
  for (const name of names) world.box.zone.addCname(`_acme-challenge.${name}`, "shared.delegated.test");
  const deps = await world.deps();
  // Between waves the CA's cache is waited out; virtual here, since the sandbox keeps nothing.
  const clock = {
    ...deps.clock,
    sleep: (ms: number, signal?: AbortSignal) => deps.clock.sleep(ms === 60_000 ? 20 : ms, signal),
  };
  const result = await issue(world.request(names), { ...deps, clock });
  expect(result.challenges).toHaveLength(8);
  expect(updatesOf(world.box).map((c) => c.length)).toEqual([6, 6, 2, 2]);
  expect(world.box.zone.txt("shared.delegated.test")).toEqual([]);
});

test("a CSR of the user's is certified and its key never seen", async () => {
  world = await openWorld();
  const { buildCsr } = await import("../../src/acme/csr.ts");
  const csr = await buildCsr(await generateKey("ec256"), pair);
  const result = await issue(world.request(pair, { csr }), await world.deps());
  expect(result.files?.privkey).toBeUndefined();
  expect((await world.store.certificates.load("example.test"))?.meta.csr).toBe(true);
});

test("--reuse-key keeps the key, the default makes a new one", async () => {
  world = await openWorld();
  const keyOf = async () => (await world?.store.certificates.load("example.test"))?.pem.privkey;
  await issue(world.request(pair), await world.deps());
  const first = await keyOf();
  await issue(world.request(pair, { force: true, reuseKey: true }), await world.deps());
  expect(await keyOf()).toBe(first);
  await issue(world.request(pair, { force: true }), await world.deps());
  expect(await keyOf()).not.toBe(first);
});

test("a dry run proves everything and stores nothing", async () => {
  world = await openWorld();
  const result = await issue(world.request(pair, { dryRun: true }), await world.deps());
  expect(result).toMatchObject({ dryRun: true, reused: false });
  expect(await world.store.certificates.load("example.test")).toBeUndefined();
  expect(world.box.log.entries.filter((e) => e.kind === "acme" && e.path.includes("finalize"))).toEqual([]);
  expect(world.box.zone.txt(owner)).toEqual([]);
});

test("a CA that asks for a proof of a name that was not ordered gets none: nothing is written there", async () => {
  world = await openWorld();
  const deps = await world.deps();
  const lying: IssueDeps = {
    ...deps,
    connectAcme: async (options) => {
      const client = await deps.connectAcme(options);
      const authorization: typeof client.authorization = async (url, signal) => {
        const honest = await client.authorization(url, signal);
        return { ...honest, identifier: { type: "dns", value: "child.example.test" } };
      };
      return Object.assign(Object.create(client), { authorization }) as typeof client;
    },
  };
  const failure = await issue(world.request(pair), lying).catch((e: unknown) => e);
  expect(failure).toBeInstanceOf(AcmeError);
  expect((failure as Error).message).toContain("child.example.test");
  expect(updatesOf(world.box)).toEqual([]);
});

test("a page in the way of the certificate does not throw its key away: the next run fetches it", async () => {
  world = await openWorld();
  // Each run on its own, as a process is: none knows what the CA saw before.
  const blocked = (deps: IssueDeps): IssueDeps => ({
    ...deps,
    connectAcme: async (options) => {
      const client = await deps.connectAcme(options);
      const certificate: typeof client.certificate = async () => {
        throw malformedAnswer("certificate", "HTTP 403 with text/html in place of a problem document", 403);
      };
      return Object.assign(Object.create(client), { certificate }) as typeof client;
    },
  });
  await expect(issue(world.request(pair), blocked(await world.deps()))).rejects.toBeInstanceOf(AcmeError);
  const result = await issue(world.request(pair), await world.deps());
  expect(result.reused).toBe(false);
  expect(world.box.ca.state.certificates.size).toBe(1);
  // Once: what is in the way for good must not hold the name up.
  const again = world.request(pair, { force: true });
  await expect(issue(again, blocked(await world.deps()))).rejects.toBeInstanceOf(AcmeError);
  await expect(issue(again, blocked(await world.deps()))).rejects.toBeInstanceOf(AcmeError);
  expect(world.box.ca.state.certificates.size).toBe(3);
});
