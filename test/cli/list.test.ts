import { readdirSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFlags } from "../../src/cli/args.ts";
import type { CommandInput } from "../../src/cli/command.ts";
import { command } from "../../src/cli/list.ts";
import { command as show } from "../../src/cli/show.ts";
import { commands, globalFlags } from "../../src/cli/spec.ts";
import { loadConfig } from "../../src/config/load.ts";
import { neverIssued } from "../../src/issuer/certificate-state.ts";
import type { CertificateMeta } from "../../src/issuer/ports.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { makePair, metaOf, type Pair } from "../store/pair.ts";

const day = 86_400_000;
let dir: string;
let store: Store;
let pair: Pair;
let log: string[];

beforeAll(async () => {
  pair = await makePair("01aa");
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-list-"));
  store = await openStore(join(dir, "state"));
  log = [];
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

/** A certificate that ends in so many days, of a lifetime of 90 days. */
async function stored(name: string, daysLeft: number, more: Partial<CertificateMeta> = {}) {
  const notAfter = Date.now() + daysLeft * day + day / 2;
  const at = (ms: number) => new Date(ms).toISOString();
  const times = { notBefore: at(notAfter - 90 * day), notAfter: at(notAfter), renewAfter: at(notAfter - 30 * day) };
  const meta = { ...metaOf(name, pair.serial), ...times, issuedAt: times.notBefore, ...more };
  return await store.certificates.save(name, { cert: pair.cert, chain: "", privkey: pair.privkey }, meta);
}

async function inputOf(args: readonly string[], config?: object): Promise<CommandInput> {
  const file = join(dir, "dns01.yaml");
  if (config !== undefined) await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  const specs = [...globalFlags, ...commands.flatMap(({ name, flags }) => (name === "list" ? flags : []))];
  const { flags } = readFlags(["--state", join(dir, "state"), ...args], specs, {});
  const loaded = await loadConfig(config === undefined ? join(dir, "none.yaml") : file, {});
  const issues = config === undefined ? [] : loaded.issues;
  return {
    flags,
    issues,
    io: { env: {} },
    observer: (event: { type: string; text?: string }) => void log.push(`${event.type} ${event.text}`),
    loadConfig: async () => ({ ...loaded, issues }),
  } as unknown as CommandInput;
}
const list = async (args: readonly string[] = [], config?: object) => await command.run(await inputOf(args, config));
const documents = (output: Awaited<ReturnType<typeof list>>) =>
  (output?.json as { certificates: { name: string; state: string }[] } | undefined)?.certificates ?? [];
const statesOf = (output: Awaited<ReturnType<typeof list>>) =>
  Object.fromEntries(documents(output).map(({ name, state }) => [name, state]));
const fault = (code: string, message: string, count: number) => ({
  at: "2001-01-01T00:00:00.000Z",
  code,
  message,
  count,
});

test("one damaged certificate is named and does not hide the others", async () => {
  const paths = [await stored("a.example.test", 80), await stored("b.example.test", 80)];
  await writeFile(paths[0]?.privkey ?? "", "");
  const output = await list();
  expect(output?.status).toBe(2);
  expect(output?.json).toMatchObject({
    certificates: [{ name: "b.example.test" }],
    faults: [{ name: "a.example.test", fault: expect.stringContaining("a.example.test") }],
  });
  expect(output?.text).toMatch(/b\.example\.test.*damaged: a\.example\.test: /s);
  expect((await list(["--check"]))?.status).toBe(6);
});

describe("the state of a certificate", () => {
  const deploy = { command: "true" };
  const declare = (...certificates: object[]) => ({ certificates });
  const one = { name: "c", domains: ["c.example.test", "www.c.example.test"] };

  test.each([
    ["valid", 89, {}, "valid", "in 89 days", 0],
    ["due", 20, {}, "due", "in 20 days", 0],
    ["expired", -3, {}, "expired", "EXPIRED 2 days ago", 6],
    ["revoked", 80, { revoked: { at: "2026-01-01T00:00:00Z" } }, "revoked", "in 80 days", 0],
  ] as const)("is %s, and list --check ends with the status for it", async (_, daysLeft, more, state, says, status) => {
    await stored("c", daysLeft, more);
    const output = await list(["--check"]);
    expect(statesOf(output)).toEqual({ c: state });
    expect(output?.text).toMatch(new RegExp(`^  c +${state} +${says} `, "m"));
    expect(output?.status).toBe(status);
    expect((await list())?.status).toBe(0);
    const shown = await show.run(await inputOf(["c"]));
    expect(shown?.json).toMatchObject({ state });
    expect(shown?.text).toMatch(new RegExp(`^state +${state}`, "m"));
  });

  test("is failing when the last try to renew it failed, with the error in list and show", async () => {
    await stored("c", 20);
    await store.renewals.save("c", { serial: pair.serial, lastError: fault("ACME", "refused\nmore", 2) });
    const output = await list(["--check"]);
    expect(statesOf(output)).toEqual({ c: "failing" });
    expect(output?.status).toBe(6);
    expect(output?.text).toMatch(/^ {4}ACME at 2001-01-01 00:00 UTC, 2 times in a row: refused$/m);
    const shown = await show.run(await inputOf(["c"]));
    expect(shown?.text).toMatch(/^last error {2}2001-01-01 00:00 UTC {2}ACME: refused, 2 times in a row$/m);
  });

  test("is not issued for one that is declared and was never ordered, and failing once an order has failed", async () => {
    const config = declare(one);
    const output = await list(["--check"], config);
    expect(output?.json).toEqual({
      certificates: [{ name: "c", domains: one.domains, state: "not issued", declared: true }],
    });
    expect(output?.status).toBe(6);
    expect(output?.text).toMatch(/^ {2}c +not issued /m);
    expect((await show.run(await inputOf(["c"], config)))?.text).toMatch(/^state +not issued$/m);
    await store.renewals.save("c", { serial: neverIssued.serial, lastError: fault("AUTH", "no rights", 1) });
    const failing = await list(["--check"], config);
    expect(failing?.json).toMatchObject({
      certificates: [{ state: "failing", renewal: { lastError: { code: "AUTH" } } }],
    });
    expect(failing?.text).toContain("AUTH at 2001-01-01 00:00 UTC: no rights");
    expect((await show.run(await inputOf(["c"], config)))?.text).toContain("AUTH: no rights");
    // What stood there before the first certificate says nothing of it.
    await stored("c", 80);
    expect(statesOf(await list([], config))).toEqual({ c: "valid" });
  });

  test("is not deployed when the last deployment failed, or the declared hook has not run for it", async () => {
    await stored("c", 80);
    const version = (await store.certificates.load("c"))?.version ?? "";
    expect(statesOf(await list([], declare(one)))).toEqual({ c: "valid" });
    expect(statesOf(await list([], declare({ ...one, deploy })))).toEqual({ c: "not deployed" });
    const at = "2001-01-01T00:00:00.000Z";
    await store.certificates.saveDeployed("c", { version, at });
    expect(statesOf(await list([], declare({ ...one, deploy })))).toEqual({ c: "valid" });
    const failure = { version, ...fault("HOOK", "the deploy hook ended with status 1: reload", 3) };
    await store.certificates.saveDeployed("c", { version, at, failure });
    const output = await list(["--check"]);
    expect(output?.json).toMatchObject({
      certificates: [{ state: "not deployed", deployError: { code: "HOOK", count: 3 } }],
    });
    expect(output?.status).toBe(6);
    expect(output?.text).toContain("    HOOK at 2001-01-01 00:00 UTC, 3 times in a row: the deploy hook ended");
    expect((await show.run(await inputOf(["c"])))?.text).toMatch(/^deployment {2}2001-01-01 00:00 UTC {2}HOOK: the/m);
    // The file wants nothing deployed any more; the failure of an earlier version is over.
    expect(statesOf(await list([], declare(one)))).toEqual({ c: "valid" });
    await store.certificates.saveDeployed("c", { version: "", at: "", failure: { ...failure, version: "earlier" } });
    expect(statesOf(await list())).toEqual({ c: "valid" });
  });
});

test("a configuration file with faults does not hide what is stored, and the list says that it may not be whole", async () => {
  await stored("c", 80);
  const output = await list([], { certificates: [{ domains: ["d.example.test"], nmae: "d" }] });
  expect(statesOf(output)).toMatchObject({ c: "valid" });
  expect(output?.status).toBe(2);
  expect(log).toEqual([expect.stringMatching(/^log .*dns01\.yaml.*nmae.*may be missing here$/)]);
});

test("says when each is renewed and by which rule, the soonest first", async () => {
  await stored("a.example.test", 80);
  await stored("b.example.test", 70);
  await stored("c.example.test", 80, { revoked: { at: "2026-01-01T00:00:00Z" } });
  const window = { start: "2001-01-01T00:00:00.000Z", end: "2001-01-02T00:00:00.000Z", at: Date.UTC(2001) };
  await store.renewals.save("b.example.test", { serial: pair.serial, window });
  const output = await list();
  expect(output?.json).toMatchObject({
    certificates: [
      { name: "b.example.test", daysLeft: 70, renewal: { rule: "ari", isDue: true } },
      { name: "a.example.test", daysLeft: 80, renewal: { rule: "lifetime" } },
      { name: "c.example.test", renewal: { rule: "revoked" } },
    ],
  });
  expect(output?.text).toMatch(/b\.example\.test +due +in 70 days +due\n.*in 80 days +in 50 days\n.*revoked.* never\n/);
});

test("no line is wider than 80 columns, however many and long the names are", async () => {
  const names = (n: number, label = "host") => Array.from({ length: n }, (_, i) => `${label}${i}.example.test`);
  await stored("host0.example.test", 80, { domains: names(20) });
  await stored("two.example.test", 80, { domains: ["two.example.test", "www.two.example.test"] });
  await stored("other", -400, { domains: names(19) });
  const long = `${"long-label.".repeat(15)}example.test`;
  await stored(long, 80, { domains: [long, `www.${long}`, ...names(100)] });
  await store.renewals.save("other", { serial: pair.serial, lastError: fault("ACME", "word ".repeat(40), 12) });
  const text = (await list())?.text ?? "";
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).toMatch(/^ {2}host0\.example\.\S+ .*\+19 more$/m);
  expect(text).toMatch(/^ {2}other .*19 in all$/m);
  expect(text).toMatch(/^ {2}long-label\.\S*… .*\+101 more$/m);
});

test.skipIf(process.platform !== "linux")("many certificates are read with few files open at once", async () => {
  await stored("c0.example.test", 80);
  const folder = (at: number) => join(dir, "state/certificates", `c${at}.example.test`);
  for (let at = 1; at < 150; at++) await cp(folder(0), folder(at), { recursive: true, verbatimSymlinks: true });
  const input = await inputOf([]);
  const openNow = () => readdirSync("/proc/self/fd").length;
  const before = openNow();
  let most = 0;
  let isOver = false;
  const done = command.run(input).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    most = Math.max(most, openNow() - before);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await done)?.json).toMatchObject({ certificates: { length: 150 } });
  expect(most).toBeLessThan(120);
});
