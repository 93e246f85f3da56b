import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/store/index.ts";
import { compiled } from "./compiled.ts";
import { makePair, metaOf, type Pair } from "./pair.ts";
import { type Scenario, scenario, values } from "./scenario.ts";

let dir: string;
let child: Awaited<ReturnType<typeof compiled>>;
let given: Scenario;
let pairs: readonly Pair[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-crash-"));
  const [old, fresh, key, oldKey] = await Promise.all(["01aa", "02bb", "03", "04"].map((serial) => makePair(serial)));
  if (old === undefined || fresh === undefined || key === undefined || oldKey === undefined)
    throw new Error("no pairs");
  pairs = [old, fresh];
  const ca = "https://ca.test/directory";
  given = {
    account: { ca, privkey: key.privkey, url: "https://ca.test/acct/2", contact: ["mailto:a@example.test"] },
    pending: {
      ca,
      accountUrl: "https://ca.test/acct/2",
      orderUrl: "https://ca.test/order/1",
      domains: ["example.test"],
      keyType: "ec256",
      privkey: fresh.privkey,
      csr: "AAAA",
      createdAt: "2026-01-01T00:00:00Z",
    },
    pem: { cert: fresh.cert, chain: old.cert, privkey: fresh.privkey },
    meta: metaOf("example.test", "02bb"),
  };
  await writeFile(join(dir, "input.json"), JSON.stringify(given));
  // An older certificate, another account key, and as many versions as are kept: the scenario replaces all of them.
  const store = await openStore(join(dir, "before"), { keepVersions: 1 });
  const pem = { cert: old.cert, chain: "", privkey: old.privkey };
  for (let i = 0; i < 6; i++) await store.certificates.save("example.test", pem, metaOf("example.test", "01aa"));
  await store.accounts.save({ ...given.account, privkey: oldKey.privkey, url: "https://ca.test/acct/1" });
  child = await compiled("crash-child.ts");
}, 60_000);

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await child.remove();
});

test("a process killed at any step leaves a store that is whole, and the next one goes on at once", {
  retry: 0,
  timeout: 120_000,
}, async () => {
  let steps = 0;
  const left = { done: false };
  const worker = async () => {
    while (!left.done) {
      steps += 1;
      if (!(await killedAt(steps))) left.done = true;
    }
  };
  await Promise.all([worker(), worker()]);
  console.log(`${steps - 2} or more steps, killed at each`);
  expect(steps).toBeGreaterThan(40);
});

/** False when the scenario ends before the step. */
async function killedAt(step: number): Promise<boolean> {
  const state = join(dir, `step-${step}`);
  await mkdir(state);
  await cp(join(dir, "before"), state, { recursive: true, verbatimSymlinks: true });
  const said = await run(state, step);
  const where = said.at(-1) ?? "";
  const has = (line: string) => said.includes(line);

  const store = await openStore(state);
  for (const area of await readdir(state)) {
    const unfinished = await readdir(join(state, area, ".tmp")).catch(() => []);
    expect(unfinished, where).toEqual([]);
  }

  // load() itself refuses a certificate with another key.
  const stored = await store.certificates.load("example.test");
  expect(["01aa", "02bb"], where).toContain(stored?.meta.serial);
  if (!has("begun save")) expect(stored?.meta.serial, where).toBe("01aa");
  if (has("done save")) expect(stored?.meta.serial, where).toBe("02bb");
  const pair = pairs.find((p) => p.serial === stored?.meta.serial);
  expect(stored?.pem.cert.trim(), where).toBe(pair?.cert.trim());
  expect(stored?.pem.privkey, where).toBe(pair?.privkey);

  const pending = await store.certificates.loadPending("example.test");
  if (pending !== undefined) expect(pending, where).toEqual(given.pending);
  if (has("done pending") && !has("begun clear")) expect(pending, where).toBeDefined();
  if (!has("begun pending") || has("done clear")) expect(pending, where).toBeUndefined();

  const journal = (await store.journal.list()).map((entry) => entry.value);
  expect([[], values, values.slice(1)], where).toContainEqual(journal);
  if (has("done journal") && !has("begun strike")) expect(journal, where).toEqual(values);
  if (has("done journal") && !has("begun strike rest")) expect(journal.slice(-2), where).toEqual(values.slice(1));
  if (!has("begun journal") || has("done strike rest")) expect(journal, where).toEqual([]);

  // A key without its address is looked up again; an address with another key would be a defect.
  const account = await store.accounts.load(given.account.ca);
  if (account?.url !== undefined) {
    expect(account.url.endsWith("/2"), where).toBe(account.privkey === given.account.privkey);
  }
  if (has("done key")) expect(account?.privkey, where).toBe(given.account.privkey);
  if (has("done account")) expect(account, where).toEqual(given.account);

  await store.journal.remove((await store.journal.list()).map((entry) => entry.id));
  await scenario(store, given, () => {});
  expect((await store.certificates.load("example.test"))?.meta.serial, where).toBe("02bb");
  expect(await store.journal.list(), where).toEqual([]);
  await rm(state, { recursive: true, force: true });
  return where.startsWith("killed");
}

function run(state: string, step: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [child.path, state, join(dir, "input.json"), String(step)], (error, stdout, stderr) => {
      if (error !== null && error.signal !== "SIGKILL") reject(new Error(`step ${step}: ${stderr}`));
      else resolve(stdout.trim().split("\n"));
    });
  });
}
