import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateKey } from "../../src/acme/keys.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { openStore } from "../../src/store/index.ts";
import { cli, type Env, issueArgs } from "../real/lab/cli.ts";

let box: Sandbox;
let env: Env;
const dir = mkdtempSync(join(tmpdir(), "dns01-account-"));
beforeAll(async () => {
  box = await startSandbox({ seed: 5, eab: { kid: "key-1", hmacKey: Buffer.alloc(32, 0xfb).toString("base64") } });
  env = { ...box.env, DNS01_STATE: join(dir, "state") };
});
afterAll(async () => {
  await box.close();
  rmSync(dir, { recursive: true, force: true });
});

async function show(): Promise<Record<string, unknown>> {
  const done = await cli(["account", "show", "--json"], env);
  expect(done.status, done.stderr).toBe(0);
  return JSON.parse(done.stdout);
}

test("account show tells what is stored, and whether the CA knows, has ended or cannot say anything of it", async () => {
  const none = await cli(["account", "show"], env);
  expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("none is stored")]);

  // The binding's key in plain base64, with letters that base64url does not have.
  const issued = await cli(issueArgs(["example.test"], "--email", "ops@example.test"), env);
  expect(issued.status, issued.stderr).toBe(0);
  const account = await show();
  expect(account).toMatchObject({ status: "valid", contact: ["mailto:ops@example.test"], eabKid: "key-1" });

  const store = await openStore(join(dir, "state"));
  const stored = await store.accounts.load(box.directoryUrl);
  if (stored === undefined) throw new Error("nothing stored");
  await store.accounts.save({ ...stored, nextKey: await generateKey("ec256") });
  expect(await show()).toEqual({ ...account, keyChangePending: true });
  await store.accounts.save(stored);

  const [atCa] = [...box.ca.state.accounts.values()];
  if (atCa === undefined) throw new Error("no account at the CA");
  atCa.status = "deactivated";
  expect(await show()).toMatchObject({ status: "deactivated" });
  const refused = await cli(issueArgs(["b.example.test"]), env);
  expect(refused.status).toBe(5);
  box.ca.state.accounts.clear();
  expect(await show()).toMatchObject({ status: "missing", url: account["url"] });

  const elsewhere = await cli(["account", "show", "--ca", "letsencrypt-staging"], env);
  expect([elsewhere.status, elsewhere.stderr]).toEqual([2, expect.stringContaining(box.directoryUrl)]);
  const root = join(dir, "root.pem");
  writeFileSync(root, box.caRootPem);
  env = { ...env, DNS01_CA_ROOT: root };
  await box.close();
  expect(await show()).toMatchObject({ status: "unknown", url: account["url"] });
});
