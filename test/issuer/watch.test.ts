import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { RenewalInfoClient } from "../../src/acme/ari.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import type { KeyType } from "../../src/acme/key-types.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { createBudget } from "../../src/issuer/budget.ts";
import { certificateState } from "../../src/issuer/certificate-state.ts";
import { issue } from "../../src/issuer/issue.ts";
import type { UpkeepEvent } from "../../src/issuer/kept.ts";
import type { CertificateMeta } from "../../src/issuer/ports.ts";
import { shareRouter } from "../../src/issuer/shared-router.ts";
import { createWatch, type WatchTarget } from "../../src/issuer/watch.ts";
import type { SandboxOptions } from "../../src/sandbox/index.ts";
import { openWorld, type World } from "./world.ts";

let world: World | undefined;
const stop = { controller: new AbortController(), running: Promise.resolve() };
afterEach(async () => {
  stop.controller.abort();
  await stop.running;
  await world?.close();
});

const unsupported: RenewalInfoClient = { ask: async () => ({ kind: "unsupported" }), close: () => {} };

async function begin(options: SandboxOptions = {}, aheadMs = 0, renewalInfo = unsupported) {
  const made = await openWorld(options);
  world = made;
  stop.controller = new AbortController();
  const { signal } = stop.controller;
  const now = () => Date.now() + aheadMs;
  const opened = await made.deps({ signal, now: () => new Date(now()) });
  // These orders follow each other at one name, and this CA keeps nothing that would have to be waited for.
  const deps = { ...opened, dns: { ...opened.dns, caMemory: undefined } };
  const events: UpkeepEvent[] = [];
  const watch = createWatch({
    ...deps,
    renewals: made.store.renewals,
    budget: createBudget({
      store: made.store.budget,
      now,
      steady: () => performance.now(),
      random: Math.random,
      registeredDomain: (name) => name,
    }),
    renewalInfo: () => renewalInfo,
    parallel: 2,
    ordersPerSecond: 100,
    onEvent: (event) => void events.push(event),
    observerFor: () => deps.observer,
    onFault: (name, error) => {
      throw new Error(name, { cause: error });
    },
  });
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  const byRecord = (meta: CertificateMeta): WatchTarget => ({
    name: meta.name,
    names: meta.domains,
    cas: [meta.ca],
    byRecord,
    prepare: async () => ({ request: made.request(meta.domains, { name: meta.name }), solvers, dns: deps.dns }),
  });
  const store = async (domains: readonly string[]): Promise<CertificateMeta> => {
    // By a signal of its own: what an order did to the one of the watch would be in it already.
    await issue(made.request(domains, { name: "c", force: true }), await made.deps());
    const stored = await made.store.certificates.load("c");
    if (stored === undefined) throw new Error("not stored");
    return stored.meta;
  };
  const run = () => {
    stop.running = watch.run();
  };
  return { made, watch, events, byRecord, store, run, deps };
}

test("a certificate that was deleted here is not ordered again", async () => {
  const { made, watch, events, byRecord, store, run } = await begin();
  watch.set([byRecord(await store(["a.example.test"]))]);
  const release = await made.store.certificates.lock("c", { signal: new AbortController().signal });
  await made.store.certificates.remove("c");
  await release();
  run();
  await vi.waitFor(() => expect(watch.counts).toMatchObject({ keys: 1, looking: 0, waiting: 0, working: 0 }));
  watch.set([]);
  expect(events).toEqual([]);
});

test("a record that somebody changed is followed, not the one that was read first", async () => {
  const { made, watch, events, byRecord, store, run } = await begin();
  watch.set([byRecord(await store(["a.example.test"]))]);
  const meta = await store(["b.example.test"]);
  const before = new Date(Date.now() - 80 * 86_400_000).toISOString();
  const ago = { notBefore: before, issuedAt: before };
  const soon = { notAfter: new Date(Date.now() + 86_400_000).toISOString(), renewAfter: new Date(0).toISOString() };
  const release = await made.store.certificates.lock("c", { signal: new AbortController().signal });
  await made.store.certificates.saveMeta("c", { ...meta, ...ago, ...soon });
  await release();
  run();
  await vi.waitFor(() => expect(events.some(({ type }) => type === "renewed")).toBe(true), 20_000);
  const renewed = await made.store.certificates.load("c");
  expect(renewed?.meta).toMatchObject({ domains: ["b.example.test"] });
  expect(renewed?.meta.serial).not.toBe(meta.serial);
});

test("a certificate that can no longer be read is reported, and followed again once it is whole", async () => {
  const { made, watch, events, byRecord, store, run } = await begin();
  const target = byRecord(await store(["a.example.test"]));
  const cert = join(made.store.dir, "certificates/c/current/cert.pem");
  const text = await readFile(cert, "utf8");
  await writeFile(cert, "");
  watch.set([target]);
  run();
  await vi.waitFor(() => expect(events).toMatchObject([{ type: "unreadable", name: "c" }]), 20_000);
  await writeFile(cert, text);
  watch.set([target]);
  await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ type: "planned", name: "c" }), 20_000);
});

test("other names, or another key type, are ordered at once, whatever is stored", async () => {
  const { made, watch, events, store, run, deps } = await begin();
  const meta = await store(["a.example.test"]);
  const names = ["a.example.test", "b.example.test"];
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  const prepare = async () => ({ request: made.request(names, { name: "c" }), solvers, dns: deps.dns });
  watch.set([{ name: "c", names, cas: [meta.ca], wanted: { keyType: "ec256", profile: undefined }, prepare }]);
  run();
  await vi.waitFor(() => expect(events.some(({ type }) => type === "renewed")).toBe(true), 20_000);
  expect((await made.store.certificates.load("c"))?.meta.domains).toEqual(names);
  // It is what is wanted now: nothing more is ordered.
  await vi.waitFor(() => expect(events.some(({ type }) => type === "planned")).toBe(true), 20_000);
  expect(events.filter(({ type }) => type === "ordering")).toHaveLength(1);
});

test("a CSR for another key is ordered at once; another request of the same key is not", async () => {
  const { made, watch, events, run, deps } = await begin();
  const names = ["a.example.test"];
  const [key, other] = [await generateKey("ec256"), await generateKey("ec256")];
  const first = await issue(made.request(names, { name: "c", csr: await buildCsr(key, names) }), deps);
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  const targetFor = (csr: Uint8Array): WatchTarget => ({
    name: "c",
    names,
    cas: [first.ca],
    wanted: { keyType: "ec256", profile: undefined, csr },
    prepare: async () => ({ request: made.request(names, { name: "c", csr }), solvers, dns: deps.dns }),
  });
  watch.set([targetFor(await buildCsr(key, names))]);
  run();
  await vi.waitFor(() => expect(events.some(({ type }) => type === "planned")).toBe(true), 20_000);
  expect(events.filter(({ type }) => type === "ordering")).toEqual([]);
  watch.set([targetFor(await buildCsr(other, names))]);
  await vi.waitFor(() => expect(events.some(({ type }) => type === "renewed")).toBe(true), 20_000);
  expect((await made.store.certificates.load("c"))?.meta.serial).not.toBe(first.serial);
});

test("what another CA issued with the key type that is asked of that one is not ordered again", async () => {
  const { made, watch, events, run, deps } = await begin();
  const names = ["a.example.test"];
  const [wanted, other] = ["https://127.0.0.1:1/directory", made.box.directoryUrl];
  const { certificates } = made.store;
  await issue(made.request(names, { name: "c", keyType: "ec384", insteadOf: wanted }), deps);
  const serial = (await certificates.load("c"))?.meta.serial;
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  const keyTypes = { [wanted]: "ec256", [other]: "ec384" } as const;
  const targetWith = (types: Readonly<Record<string, KeyType>>): WatchTarget => ({
    name: "c",
    names,
    cas: [wanted, other],
    wanted: { keyType: types[wanted] ?? "", keyTypes: types, profile: undefined },
    prepare: async (directoryUrl) => ({
      request: made.request(names, {
        name: "c",
        keyType: types[directoryUrl] ?? "ec256",
        ca: { directoryUrl, rootPem: made.box.caRootPem, contact: [] },
      }),
      solvers,
      dns: deps.dns,
    }),
  });
  watch.set([targetWith(keyTypes)]);
  run();
  await vi.waitFor(() => expect(events.some(({ type }) => type === "planned")).toBe(true), 20_000);
  expect((await certificates.load("c"))?.meta.serial).toBe(serial);
  expect(events.filter(({ type }) => type === "ordering")).toEqual([]);
});

test("a clock that is ahead by more than a certificate has left does not order without end", async () => {
  const hour = 3_600_000;
  const { made, watch, events, run, deps } = await begin({ lifetimeDays: 1 }, 20 * hour);
  const names = ["a.example.test"];
  const solvers = shareRouter(deps.solvers, { clock: deps.clock });
  const prepare = async () => ({ request: made.request(names, { name: "c" }), solvers, dns: deps.dns });
  const wanted = { keyType: "ec256", profile: undefined } as const;
  watch.set([{ name: "c", names, cas: [made.box.directoryUrl], wanted, prepare }]);
  run();
  await vi.waitFor(() => expect(events.some(({ type }) => type === "planned")).toBe(true), 20_000);
  const planned = events.find((event) => event.type === "planned");
  expect((planned?.at ?? 0) - deps.now().getTime()).toBeGreaterThan(hour);
  expect(events.filter(({ type }) => type === "renewed")).toHaveLength(1);
});

test.each([
  ["what is stored goes to its server before an order that cannot be made", false, "deployed"],
  ["a hook that fails keeps back no order", true, "deploy-failed"],
] as const)("%s", async (_, isHookBroken, first) => {
  const { watch, events, store, run } = await begin();
  const meta = await store(["a.example.test"]);
  const deploy = async () => {
    if (isHookBroken) throw new Error("the hook fails");
    return true;
  };
  const prepare = async (): Promise<never> => {
    throw new Error("no order can be made");
  };
  // Other names than those stored: an order is due at the first look.
  const wanted = { keyType: "ec256", profile: undefined } as const;
  watch.set([{ name: "c", names: ["b.example.test"], cas: [meta.ca], wanted, prepare, deploy }]);
  run();
  const types = () => events.map(({ type }) => type);
  await vi.waitFor(() => expect(types()).toContain("failed"), 20_000);
  expect(types()).toEqual(["held", first, "ordering", "failed"]);
});

test("an order for a certificate that was never issued leaves why it failed, for list and show", async () => {
  const { made, watch, events, run } = await begin();
  const prepare = async (): Promise<never> => {
    throw new Error("no order can be made");
  };
  const wanted = { keyType: "ec256", profile: undefined } as const;
  watch.set([{ name: "new", names: ["new.example.test"], cas: ["https://ca.test/directory"], wanted, prepare }]);
  run();
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("failed"), 20_000);
  const renewal = await made.store.renewals.load("new");
  const facts = { stored: undefined, renewal, deployed: undefined, declared: undefined };
  expect(certificateState(facts, Date.now())).toMatchObject({
    state: "failing",
    lastError: { message: "no order can be made", count: 1 },
  });
  expect(await made.store.certificates.names()).toEqual([]);
});

test("a dozen answers waited for at once are no leak", async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => void warnings.push(name);
  process.on("warning", onWarning);
  const open: (() => void)[] = [];
  const ask: RenewalInfoClient["ask"] = async (_, signal) => {
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      open.push(resolve);
    });
    return { kind: "unsupported" };
  };
  const { made, watch, byRecord, store, run } = await begin({}, 0, { ask, close: () => {} });
  const meta = await store(["a.example.test"]);
  const stored = await made.store.certificates.load("c");
  if (stored === undefined) throw new Error("not stored");
  const metas = Array.from({ length: 12 }, (_, at) => ({ ...meta, name: `c${at}` }));
  for (const one of metas) await made.store.certificates.save(one.name, stored.pem, one);
  watch.set(metas.map(byRecord));
  run();
  await vi.waitFor(() => expect(open).toHaveLength(12), 20_000);
  await new Promise((resolve) => setImmediate(resolve));
  for (const answer of open) answer();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("a configuration that comes while a record is being read is not put back by it", async () => {
  const { made, watch, byRecord, store, run } = await begin();
  const meta = await store(["a.example.test"]);
  const deployed: string[] = [];
  const generation = (which: string): WatchTarget => ({
    ...byRecord(meta),
    byRecord: () => generation(which),
    deploy: async () => deployed.push(which) > 0,
  });
  const read = made.store.certificates.load;
  let goOn = () => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const load = vi.spyOn(made.store.certificates, "load").mockImplementationOnce(async (name) => {
    await held;
    return await read(name);
  });
  watch.set([generation("first")]);
  run();
  await vi.waitFor(() => expect(load).toHaveBeenCalled());
  watch.set([generation("second")]);
  goOn();
  await vi.waitFor(() => expect(deployed).toContain("second"), 5_000);
});

test("what is changed while a hook runs is deployed in the new way afterwards", async () => {
  const { watch, byRecord, store, run } = await begin();
  const meta = await store(["a.example.test"]);
  const deployed: string[] = [];
  let goOn = () => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const generation = (which: string, work = async () => {}): WatchTarget => ({
    ...byRecord(meta),
    byRecord: () => generation(which, work),
    deploy: async () => {
      deployed.push(which);
      await work();
      return true;
    },
  });
  watch.set([generation("first", () => held)]);
  run();
  await vi.waitFor(() => expect(deployed).toEqual(["first"]), 5_000);
  watch.set([generation("second")]);
  goOn();
  await vi.waitFor(() => expect(deployed).toEqual(["first", "second"]), 5_000);
});
