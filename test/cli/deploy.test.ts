import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyTo, runDeployHook } from "../../src/cli/deploy.ts";
import { HookError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import type { IssueResult } from "../../src/issuer/request.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-deploy-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const kinds = ["cert", "chain", "fullchain", "privkey"] as const;

async function stored(text: string) {
  const source = join(dir, `stored-${text}`);
  await mkdir(source);
  for (const kind of kinds) await writeFile(join(source, `${kind}.pem`), `${kind} ${text}`);
  const file = (kind: string) => join(source, `${kind}.pem`);
  return { cert: file("cert"), chain: file("chain"), fullchain: file("fullchain"), privkey: file("privkey") };
}

const result = { name: "example.test", domains: ["example.test"] } as unknown as IssueResult;

function hook(command: string, more: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {}) {
  const events: Dns01Event[] = [];
  const deps = {
    env: process.env,
    signal: new AbortController().signal,
    observer: (event: Dns01Event) => {
      events.push(event);
    },
    ...more,
  };
  return { events, done: runDeployHook(command, result, deps) };
}

const running = async (mark: string) => {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "args"]);
  return stdout.split("\n").some((line) => line.startsWith(`sleep ${mark}`));
};

test("a directory that cannot take one of the files keeps its old set, and no copy of the key stays behind", async () => {
  const out = join(dir, "out");
  await copyTo(out, await stored("old"));
  await rm(join(out, "privkey.pem"));
  await mkdir(join(out, "privkey.pem"));
  await expect(copyTo(out, await stored("new"))).rejects.toBeInstanceOf(HookError);
  expect((await readdir(out)).sort()).toEqual(["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"]);
  expect(await readFile(join(out, "cert.pem"), "utf8")).toBe("cert old");
});

test("the copied key is for its owner only", async () => {
  const out = join(dir, "out");
  await copyTo(out, await stored("x"));
  expect((await stat(join(out, "privkey.pem"))).mode & 0o777).toBe(0o600);
});

test("a hook that is stopped ends with all it started, and the reason is the caller's", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  const mark = `3${process.pid}1`;
  const { done } = hook(`sleep ${mark} & sleep ${mark}`, { signal: controller.signal });
  while (!(await running(mark))) await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort(reason);
  await expect(done).rejects.toBe(reason);
  while (await running(mark)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("a hook that takes too long is ended and said so", async () => {
  expect(await hook(`sleep 4${process.pid}2`, { timeoutMs: 50 }).done).toMatch(/did not end within 0\.05 s/);
  while (await running(`4${process.pid}2`)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("what a hook leaves in the background is not waited for", async () => {
  const { done, events } = hook("sleep 30 & echo started; echo $!");
  expect(await done).toBeUndefined();
  const text = events.flatMap((event) => (event.type === "log" ? [event.text] : [])).join();
  expect(text).toContain("started");
  process.kill(Number(/(\d+)\s*$/.exec(text)?.[1]));
});

test("a hook that fails is told with its status, and gets no credential", async () => {
  expect(await hook("exit 3").done).toMatch(/failed with status 3/);
  process.env["DNS01_TEST_API_TOKEN"] = "secret";
  expect(await hook('test -z "$DNS01_TEST_API_TOKEN"').done).toBeUndefined();
  delete process.env["DNS01_TEST_API_TOKEN"];
});
