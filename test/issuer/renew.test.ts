import { cp, mkdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { buildCsr } from "../../src/acme/csr.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { ConfigError, HookError } from "../../src/core/errors.ts";
import { issue } from "../../src/issuer/issue.ts";
import { openRenewWorld, type RenewWorld } from "./renew-world.ts";
import { updatesOf } from "./world.ts";

let world: RenewWorld | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const statuses = (outcomes: readonly { readonly name: string; readonly status: string }[]) =>
  Object.fromEntries(outcomes.map(({ name, status }) => [name, status]));

test("the CA is asked once about a fresh certificate, then nobody until it wants to be asked again", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  world.requests();
  const [outcome] = await world.renew();
  expect(outcome).toMatchObject({ status: "not-due" });
  expect(outcome?.reason).toContain("the CA suggests");
  expect(world.requests()).toEqual(["GET /directory", "GET /renewal-info"]);
  const kept = await world.store.renewals.load("a.example.test");
  const entries = world.box.log.entries.length;
  await world.renew();
  expect(world.box.log.entries.slice(entries), "not a packet").toEqual([]);
  expect(await world.store.renewals.load("a.example.test"), "the instant stays").toEqual(kept);
  world.later(0.3);
  await world.renew();
  expect(world.requests()).toEqual(["GET /directory", "GET /renewal-info"]);
  expect((await world.store.renewals.load("a.example.test"))?.window?.at).toBe(kept?.window?.at);
});

test("what the CA wants renewed is renewed now, and the order says what it replaces", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  await world.urge("a.example.test");
  const before = await world.atCa("a.example.test");
  const [outcome] = await world.renew();
  expect(outcome).toMatchObject({ status: "renewed" });
  expect(await world.serial("a.example.test")).not.toBe(before.serial);
  expect(before.replacedBy?.status).toBe("valid");
  const meta = (await world.store.certificates.load("a.example.test"))?.meta;
  expect(meta?.history.map((h) => h.event)).toEqual(["issued", "renewed"]);
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "not-due" });
});

test("a CA whose windows always lie in the past is not asked for one certificate after the other, by no new process either", async () => {
  world = await openRenewWorld();
  const name = "a.example.test";
  await world.issue([name]);
  await world.urge(name);
  expect(statuses(await world.renew())).toEqual({ [name]: "renewed" });
  const second = await world.serial(name);
  await world.urge(name);
  expect(statuses(await world.renew())).toEqual({ [name]: "not-due" });
  expect(statuses(await world.renew())).toEqual({ [name]: "not-due" });
  expect(await world.serial(name)).toBe(second);
  world.later(0.3);
  expect(statuses(await world.renew())).toEqual({ [name]: "renewed" });
});

test("certificates of one zone that are due together are written together", async () => {
  world = await openRenewWorld();
  const names = ["a", "b", "c", "d"].map((label) => `${label}.example.test`);
  for (const name of names) await world.issue([name], {}, 61);
  const before = updatesOf(world.box).length;
  const outcomes = await world.renew();
  expect(outcomes.map((o) => o.status)).toEqual(["renewed", "renewed", "renewed", "renewed"]);
  const updates = updatesOf(world.box).slice(before);
  expect(updates.flat()).toHaveLength(8);
  expect(updates.length, "writes for four certificates").toBeLessThanOrEqual(3);
  for (const name of names) expect(world.box.zone.txt(`_acme-challenge.${name}`)).toEqual([]);
});

test("one failure stops nobody else; it is remembered, and put off until --force", async () => {
  world = await openRenewWorld({ zones: ["late.test"] });
  const blocked: string[] = [];
  Object.assign(world.box.ca.state.behaviour, { blocked });
  for (const name of ["a.example.test", "b.example.test", "late.test"]) await world.issue([name], {}, 61);
  blocked.push("late.test");
  const outcomes = await world.renew();
  expect(statuses(outcomes)).toEqual({
    "a.example.test": "renewed",
    "b.example.test": "renewed",
    "late.test": "failed",
  });
  expect(outcomes.find((o) => o.name === "late.test")?.error).toMatchObject({ code: "ACME" });
  const ends = world.events.flatMap((event) => (event.type === "certificate" ? [event.state] : []));
  expect(ends.sort()).toEqual(["done", "done", "failed"]);
  const kept = await world.store.renewals.load("late.test");
  expect(kept?.lastError).toMatchObject({ code: "ACME", count: 1 });
  blocked.pop();
  const put = (await world.renew()).find((o) => o.name === "late.test");
  expect(put).toMatchObject({ status: "put-off", error: { code: "RATE_LIMITED" } });
  const forced = (await world.renew({ force: true })).find((o) => o.name === "late.test");
  expect(forced?.status).toBe("renewed");
});

test("two that renew at once order once", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"], {}, 61);
  const before = world.box.ca.state.orders.size;
  const both = await Promise.all([world.renew(), world.renew()]);
  expect(both.map(([o]) => o?.status).sort()).toEqual(["not-due", "renewed"]);
  expect(world.box.ca.state.orders.size).toBe(before + 1);
});

test("a CA that was told of a replacement before gets the order once more without", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  const folder = join(world.store.dir, "certificates");
  await cp(folder, `${folder}.before`, { recursive: true, verbatimSymlinks: true });
  await world.renew({ force: true });
  await rm(folder, { recursive: true });
  await cp(`${folder}.before`, folder, { recursive: true, verbatimSymlinks: true });
  world.requests();
  const [outcome] = await world.renew({ force: true });
  expect(outcome?.status).toBe("renewed");
  expect(world.requests().filter((r) => r === "POST /new-order")).toHaveLength(2);
});

test("a profile the CA dropped is warned of and kept in the record; it is used again when it is back", async () => {
  world = await openRenewWorld({ profiles: { classic: 90, tlsserver: 45 } });
  await world.issue(["a.example.test"], { profile: "tlsserver" });
  const profiles = world.box.ca.state.profiles as Map<string, number>;
  profiles.delete("tlsserver");
  await world.renew({ force: true });
  expect(world.events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_PROFILE" }));
  const meta = async () => (await world?.store.certificates.load("a.example.test"))?.meta;
  expect(await meta()).toMatchObject({ profile: "tlsserver", withoutProfile: true });
  profiles.set("tlsserver", 45);
  await world.renew({ force: true });
  expect((await meta())?.withoutProfile).toBeUndefined();
  expect([...world.box.ca.state.orders.values()].map((o) => o.profile)).toEqual(["tlsserver", undefined, "tlsserver"]);
});

test("a profile that is required is not done without", async () => {
  world = await openRenewWorld({ profiles: { classic: 90, tlsserver: 45 } });
  await world.issue(["a.example.test"], { profile: "tlsserver" });
  (world.box.ca.state.profiles as Map<string, number>).delete("tlsserver");
  const wanted = world.request(["a.example.test"], { profile: "tlsserver", force: true });
  await expect(issue(wanted, await world.deps())).rejects.toMatchObject({ code: "CONFIG" });
});

test("another CA serves while the first one cannot, and its certificate counts until it is due", async () => {
  world = await openRenewWorld();
  const down = createServer((_, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => {
    down.listen(0, "127.0.0.1", resolve);
  });
  const first = `http://127.0.0.1:${(down.address() as AddressInfo).port}/directory`;
  await world.issue(["a.example.test"], {}, 61);
  const [outcome] = await world.renew({}, { cas: [first, world.box.directoryUrl] });
  down.close();
  expect(outcome).toMatchObject({ status: "renewed" });
  expect(world.events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_OTHER_CA" }));
  const meta = (await world.store.certificates.load("a.example.test"))?.meta;
  expect(meta).toMatchObject({ ca: world.box.directoryUrl, insteadOf: first });
  const request = world.request(["a.example.test"]);
  const again = await issue({ ...request, ca: { ...request.ca, directoryUrl: first } }, await world.deps());
  expect(again.reused).toBe(true);
});

test("an order that led to the stored certificate is not taken for a new one", async () => {
  world = await openRenewWorld();
  const { certificates } = world.store;
  let pending: Awaited<ReturnType<typeof certificates.loadPending>>;
  // As a crash between storing the certificate and forgetting the order leaves it.
  const watching = {
    ...certificates,
    clearPending: async (name: string) => {
      pending ??= await certificates.loadPending(name);
      await certificates.clearPending(name);
    },
  };
  await issue(world.request(["a.example.test"]), await world.deps({ certificates: watching }));
  if (pending === undefined) throw new Error("no order was kept");
  await certificates.savePending("a.example.test", pending);
  const before = await world.serial("a.example.test");
  expect((await world.renew({ force: true }))[0]?.status).toBe("renewed");
  expect(await world.serial("a.example.test")).not.toBe(before);
});

test("what an earlier run left in DNS is taken out although nothing is due", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  const owner = "_acme-challenge.gone.example.test";
  world.box.zone.addTxt(owner, "left");
  const entry = { certificate: "gone.example.test", provider: "rfc2136", zone: "example.test", owner, value: "left" };
  await world.store.journal.add([entry]);
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "not-due" });
  expect(world.box.zone.txt(owner)).toEqual([]);
  expect(await world.store.journal.list()).toEqual([]);
});

test("a revoked certificate is left alone unless it is forced", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"], {}, 80);
  const { certificates } = world.store;
  const stored = await certificates.load("a.example.test");
  if (stored === undefined) throw new Error("not stored");
  await certificates.saveMeta("a.example.test", { ...stored.meta, revoked: { at: new Date().toISOString() } });
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "revoked" });
  expect(statuses(await world.renew({ force: true }))).toEqual({ "a.example.test": "renewed" });
});

test("a certificate made with a CSR is renewed with that CSR", async () => {
  world = await openRenewWorld();
  const key = await generateKey("ec256");
  await world.issue(["a.example.test"], { csr: await buildCsr(key, ["a.example.test"]) }, 61);
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "renewed" });
  expect((await world.store.certificates.load("a.example.test"))?.pem.privkey).toBeUndefined();
});

test("a dry run goes up to finalize for what is due, and leaves everything as it was", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"], {}, 61);
  await world.issue(["b.example.test"]);
  const before = await world.serial("a.example.test");
  const outcomes = await world.renew({ dryRun: true });
  expect(statuses(outcomes)).toEqual({ "a.example.test": "dry-run", "b.example.test": "not-due" });
  expect(await world.serial("a.example.test")).toBe(before);
  expect(await world.store.renewals.load("a.example.test")).toBeUndefined();
  expect(world.box.zone.txt("_acme-challenge.a.example.test")).toEqual([]);
});

test("a hook that fails is told beside the certificate that was renewed, and one that is not due", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  const deploy = async () => {
    throw new HookError("deploy hook failed with status 1");
  };
  const [due] = await world.renew({ force: true }, { deploy });
  expect(due).toMatchObject({ status: "renewed", error: { code: "HOOK" } });
  const [waiting] = await world.renew({}, { deploy });
  expect(waiting).toMatchObject({ status: "not-due", error: { code: "HOOK" } });
});

test("one that waits for its next try is no certificate that is fine but for its hook", async () => {
  world = await openRenewWorld();
  const blocked: string[] = [];
  Object.assign(world.box.ca.state.behaviour, { blocked });
  await world.issue(["a.example.test"], {}, 61);
  blocked.push("a.example.test");
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "failed" });
  const deploy = async () => {
    throw new HookError("deploy hook failed with status 1");
  };
  const [put] = await world.renew({}, { deploy });
  expect(put).toMatchObject({ status: "put-off", error: { code: "RATE_LIMITED" } });
  expect(put?.error?.message).toContain("deploy hook failed with status 1");
});

test("a failure is forgotten once the certificate is what is wanted and not due", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  const refused = { prepare: () => Promise.reject(new ConfigError([{ path: "--x", message: "no good" }])) };
  const lastError = async () => (await world?.store.renewals.load("a.example.test"))?.lastError;
  const wanted = { names: ["a.example.test", "b.example.test"], wanted: { keyType: "ec256", profile: undefined } };
  expect(statuses(await world.renew({}, { ...wanted, ...refused }))).toEqual({ "a.example.test": "failed" });
  await world.renew({ dryRun: true });
  expect(await lastError()).toMatchObject({ code: "CONFIG" });
  expect(statuses(await world.renew())).toEqual({ "a.example.test": "not-due" });
  expect(await lastError()).toBeUndefined();
  expect((await world.store.renewals.load("a.example.test"))?.window).toBeDefined();
});

test("a damaged certificate fails alone", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"]);
  await world.issue(["b.example.test"]);
  await rm(join(world.store.dir, "certificates", "a.example.test", "current", "privkey.pem"));
  const outcomes = await world.renew();
  expect(statuses(outcomes)).toEqual({ "a.example.test": "failed", "b.example.test": "not-due" });
  expect(outcomes[0]?.error?.code).toBe("CONFIG");
});

test("a record that cannot be written is one certificate's trouble, and hides neither why nor the others", async () => {
  world = await openRenewWorld();
  for (const name of ["a.example.test", "b.example.test"]) {
    await world.issue([name]);
    await world.urge(name);
  }
  const { renewals } = world.store;
  const save = renewals.save.bind(renewals);
  const isReadOnly = (name: string) => name === "a.example.test";
  Object.assign(renewals, {
    save: async (...[name, state]: Parameters<typeof save>) => {
      if (isReadOnly(name)) throw new ConfigError([{ path: name, message: "permission denied (EACCES)" }]);
      await save(name, state);
    },
  });
  const outcomes = await world.renew({ parallel: 1 });
  expect(statuses(outcomes)).toEqual({ "a.example.test": "failed", "b.example.test": "renewed" });
  expect(outcomes[0]?.error?.message).toContain("EACCES");
  const refused = { prepare: () => Promise.reject(new ConfigError([{ path: "--x", message: "no good" }])) };
  const forced = await world.renew({ parallel: 1, force: true }, refused);
  expect(forced.map(({ error }) => error?.message)).toEqual(["--x: no good", "--x: no good"]);
});

test("renewal information that cannot be read is told as what it is, not as an order put off", async () => {
  world = await openRenewWorld();
  await world.issue(["a.example.test"], {}, 61);
  const path = join(world.store.dir, "certificates/a.example.test/renewal.json");
  await mkdir(path);
  const [outcome] = await world.renew({ force: true });
  expect(outcome).toMatchObject({ status: "failed", error: { code: "CONFIG", details: { path, errno: "EISDIR" } } });
});
