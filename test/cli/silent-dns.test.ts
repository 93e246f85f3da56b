import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { cli, type Env } from "../real/lab/cli.ts";

const owner = "_acme-challenge.example.test";
const value = "a".repeat(43);

let box: Sandbox;
let closed: Socket;
let dir: string;
/** With the sandbox's nameserver as the provider, and a resolver that answers nothing but errors. */
let env: Env;
let hearing: Env;
beforeAll(async () => {
  box = await startSandbox({ seed: 5 });
  closed = createSocket("udp4");
  await new Promise<void>((resolve) => closed.bind(0, "127.0.0.1", resolve));
  const refused = Buffer.from([0, 0, 0x80, 0x05]);
  closed.on("message", (query, { address, port }) => {
    closed.send(Buffer.concat([query.subarray(0, 2), refused.subarray(2), query.subarray(4)]), port, address);
  });
});
afterAll(async () => {
  closed.close();
  await box.close();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "dns01-silent-"));
  hearing = { ...box.env, DNS01_STATE: join(dir, "state") };
  env = { ...hearing, DNS01_RESOLVER: `127.0.0.1:${closed.address().port}` };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const run = (with_: Env, ...args: readonly string[]) => cli([...args, "-p", "rfc2136"], with_);

test("a value that was presented here is taken out while DNS does not answer, and then it is not there", async () => {
  expect((await run(hearing, "present", owner, value)).status).toBe(0);
  const first = await run(env, "cleanup", owner, value);
  expect([first.status, first.stdout]).toEqual([0, `${owner}: taken out\n`]);
  expect(first.stderr).not.toContain("W_");
  expect(box.zone.txt(owner)).toEqual([]);
  const second = await run(env, "cleanup", owner, value);
  expect([second.status, second.stdout]).toEqual([0, `${owner}: was not there\n`]);
  expect(second.stderr).toContain("W_ALIAS_UNCHECKED");
  const document = await run(hearing, "cleanup", owner, value, "--json");
  expect(JSON.parse(document.stdout)).toMatchObject({ owner, changes: [{ owner, changed: false }] });
});

test("a value at the end of an alias is known here by the name it was presented for", async () => {
  const name = "_acme-challenge.alias.example.test";
  const target = "alias.delegated.test";
  expect((await run(hearing, "present", name, value)).status).toBe(0);
  expect(box.zone.txt(target)).toEqual([value]);
  const done = await run(env, "cleanup", name, value);
  expect([done.status, done.stdout]).toEqual([0, `${target}: taken out\n`]);
  expect(done.stderr).not.toContain("W_");
  expect(box.zone.txt(target)).toEqual([]);
});

test("a value that the server refuses is not said to be left over", async () => {
  const name = "_acme-challenge.alias.example.test";
  const refused = await run(env, "present", name, value, "--propagation", "none");
  expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining("is an alias (CNAME)")]);
  expect(refused.stderr).not.toContain("W_LEFTOVER");
  expect(readdirSync(join(dir, "state", "journal")).filter((file) => file.endsWith(".json"))).toEqual([]);
});

test("present without DNS takes the name as it is, with a warning, unless it is to wait for the nameservers", async () => {
  const waiting = await run(env, "present", owner, value, "--propagation", "authoritative");
  expect(waiting.status).toBe(4);
  expect(box.zone.txt(owner)).toEqual([]);
  const done = await run(env, "present", owner, value, "--json");
  expect([done.status, done.stderr]).toEqual([0, expect.stringContaining("W_ALIAS_UNCHECKED")]);
  const warnings = [{ code: "W_ALIAS_UNCHECKED", text: expect.stringContaining(owner) }];
  expect(JSON.parse(done.stdout)).toMatchObject({ owner, zone: "example.test", propagation: "skipped", warnings });
  expect(box.zone.txt(owner)).toEqual([value]);
  expect((await run(env, "cleanup", owner, value)).stdout).toBe(`${owner}: taken out\n`);
  const gone = await run(env, "cleanup", owner, value, "--json");
  expect(JSON.parse(gone.stdout)).toMatchObject({ changes: [{ owner, changed: false }], warnings });
});
