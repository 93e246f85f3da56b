import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { splitChain } from "../../src/acme/certificate.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { HookError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { fieldsOf } from "../../src/core/schema.ts";
import { type Deployment, deployStored } from "../../src/deploy/deploy.ts";
import type { CertificateMeta } from "../../src/issuer/ports.ts";
import { builtInProviders } from "../../src/providers.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { startIssuing } from "../acme/issuing.ts";

const name = "example.test";
const pems: { readonly cert: string; readonly chain: string; readonly privkey: string }[] = [];
let dir: string;
let store: Store;
let events: Dns01Event[];

beforeAll(async () => {
  const issuing = await startIssuing();
  for (let i = 0; i < 2; i++) {
    const privkey = await generateKey("ec256");
    pems.push({ ...splitChain(await issuing.issue(await buildCsr(privkey, [name]))), privkey });
  }
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-deploy-"));
  store = await openStore(join(dir, "state"));
  events = [];
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

const meta: CertificateMeta = {
  schema: 1,
  name,
  domains: [name, `*.${name}`],
  ca: "https://ca.test/directory",
  provider: "rfc2136",
  keyType: "ec256",
  serial: "0ABC12",
  issuer: "Scripted",
  notBefore: "2026-01-01T00:00:00.000Z",
  notAfter: "2036-01-01T00:00:00.000Z",
  renewAfter: "2035-01-01T00:00:00.000Z",
  issuedAt: "2026-01-01T00:00:00.000Z",
  history: [],
};

async function issued(which = 0) {
  const pem = pems[which];
  if (pem === undefined) throw new Error("no such certificate");
  await store.certificates.save(name, pem, meta);
}

const none: Deployment = { pfx: undefined, out: undefined, hook: undefined };
const hook = (command: string, timeoutMs = 20_000) => ({ ...none, hook: { command, timeoutMs } });
const out = (more: Partial<NonNullable<Deployment["out"]>> = {}) => ({
  ...none,
  out: { dir: join(dir, "out"), owner: undefined, group: undefined, mode: 0o600, ...more },
});

const redactor = createRedactor();

function deploy(deployment: Deployment, signal = new AbortController().signal, env = process.env) {
  const observer = (event: Dns01Event) => {
    events.push(event);
  };
  return deployStored(name, deployment, {
    certificates: store.certificates,
    now: () => new Date(),
    env,
    signal,
    observer,
    redact: redactor.redact,
  });
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const log = () => events.flatMap((event) => (event.type === "log" ? [event.text] : [])).join("\n");
const lines = async (file: string) => (await readFile(join(dir, file), "utf8")).trim().split("\n");
const running = async (mark: string) => {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "args"]);
  return stdout.split("\n").some((line) => line.startsWith(`sleep ${mark}`));
};
const until = async (condition: () => Promise<boolean>) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe("a deploy hook", () => {
  const count = () => hook(`echo "$DNS01_NAME $DNS01_DOMAINS $(basename $DNS01_DIR)" >> ${join(dir, "ran")}`);

  test("that fails is noted beside the version with how often, until it succeeds", async () => {
    await issued();
    const { version } = (await store.certificates.load(name)) ?? { version: "" };
    for (const times of [1, 2]) {
      await failureOf(deploy(hook("exit 3")));
      expect(await store.certificates.loadDeployed(name)).toMatchObject({
        version: "",
        failure: { version, code: "HOOK", message: expect.stringContaining("exit 3"), count: times },
      });
    }
    await deploy(hook("true"));
    expect(await store.certificates.loadDeployed(name)).toEqual({ version, at: expect.any(String) });
  });

  test("that is given up for a copy leaves no failure behind once the copy is made", async () => {
    await issued();
    await failureOf(deploy({ ...out(), hook: { command: "exit 3", timeoutMs: 20_000 } }));
    expect(await store.certificates.loadDeployed(name)).toHaveProperty("failure");
    await deploy(none);
    expect(await store.certificates.loadDeployed(name)).toHaveProperty("failure");
    await deploy(out());
    expect(await store.certificates.loadDeployed(name)).not.toHaveProperty("failure");
  });

  test("tells no half of a secret where its output is cut", async () => {
    await issued();
    redactor.add("planted-secret-0123456789");
    const error = await failureOf(
      deploy(hook("printf planted-secret-0123456789; head -c 1985 /dev/zero | tr '\\0' y; exit 1")),
    );
    expect(error).toBeInstanceOf(HookError);
    expect(`${JSON.stringify((error as HookError).details)}${log()}`).not.toContain("0123456789");
  });

  test("sees no secret that was read, whatever its variable is called; and all else", async () => {
    await issued();
    redactor.add("bin");
    redactor.add("c2VjcmV0IGtleQ==");
    const env = {
      PATH: process.env["PATH"],
      MYSEC: "c2VjcmV0IGtleQ==",
      HCLOUD_TOKEN: "x",
      PLACE: "/srv",
      STARS: "***",
    };
    await deploy(hook(`env > ${join(dir, "env")}`), undefined, env);
    const seen = (await readFile(join(dir, "env"), "utf8")).split("\n").map((line) => line.split("=")[0]);
    expect(seen).toEqual(expect.arrayContaining(["PATH", "PLACE", "STARS", "DNS01_NAME"]));
    expect(seen).not.toContain("MYSEC");
    expect(seen).not.toContain("HCLOUD_TOKEN");
  });

  test("sees no variable that is a secret of any provider, also of one that is not used", async () => {
    await issued();
    const providers = await builtInProviders().all();
    const fields = providers.flatMap((provider) => fieldsOf(provider).filter(({ secret }) => secret));
    const names = fields.flatMap(({ env }) => env);
    const env = { PATH: process.env["PATH"], ...Object.fromEntries(names.map((variable) => [variable, "planted"])) };
    await deploy(hook(`env > ${join(dir, "env")}`), undefined, env);
    const seen = (await readFile(join(dir, "env"), "utf8")).split("\n").map((line) => line.split("=")[0] ?? "");
    expect(names.length).toBeGreaterThan(20);
    expect(seen.filter((variable) => names.includes(variable))).toEqual([]);
  });

  test("runs once for each version", async () => {
    await issued();
    expect(await deploy(count())).toMatchObject({ hookRan: true });
    expect(await deploy(count())).toMatchObject({ hookRan: false });
    await issued(1);
    expect(await deploy(count())).toMatchObject({ hookRan: true });
    expect(await lines("ran")).toEqual(Array(2).fill(`${name} ${name} *.${name} current`));
  });

  test("that failed is run again, with another command too, until it succeeds", async () => {
    await issued();
    for (let i = 0; i < 2; i++) {
      const error = await failureOf(deploy(hook("echo what happened >&2; exit 3")));
      expect(error).toBeInstanceOf(HookError);
      expect(error).toMatchObject({
        message: `the certificate ${name} is stored, but the deploy hook failed with status 3: echo what happened >&2; exit 3\n  hook: what happened`,
        details: { output: "what happened" },
      });
    }
    expect(log()).toContain("hook: what happened");
    const steps = events.flatMap((event) => (event.type === "phase" ? [event.state] : []));
    expect(steps).toEqual(["start", "failed", "start", "failed"]);
    expect(await deploy(count())).toMatchObject({ hookRan: true });
    expect(await deploy(count())).toMatchObject({ hookRan: false });
  });

  test("that failed has the end of its output in the message, ten lines at most, with secrets masked", async () => {
    await issued();
    redactor.add("planted-secret-9876543210");
    const { message } = (await failureOf(
      deploy(hook("seq 1 50; echo the key is planted-secret-9876543210; exit 1")),
    )) as HookError;
    expect(message.split("\n").slice(1)).toEqual([
      "  …",
      ...Array.from({ length: 9 }, (_, i) => `  hook: ${42 + i}`),
      "  hook: the key is ***",
    ]);
  });

  test("that was due for an older version runs for the present one only", async () => {
    await issued();
    await failureOf(deploy(hook("exit 1")));
    await issued(1);
    await deploy(hook(`cat "$DNS01_PRIVKEY" >> ${join(dir, "keys")}`));
    expect(await readFile(join(dir, "keys"), "utf8")).toBe(pems[1]?.privkey);
  });

  test("of two processes runs once, and the certificate stays the same while it runs", async () => {
    await issued();
    const slow = hook(`echo begin >> ${join(dir, "ran")}; sleep 0.3; echo end >> ${join(dir, "ran")}`);
    const both = await Promise.all([deploy(slow), deploy(slow)]);
    expect(both.map((one) => one?.hookRan).sort()).toEqual([false, true]);
    expect(await lines("ran")).toEqual(["begin", "end"]);
  });

  test("that is stopped ends with all it started, the reason is the caller's, and it is made up for", async () => {
    await issued();
    const controller = new AbortController();
    const reason = new Error("stopped");
    const mark = `3${process.pid}1`;
    const done = failureOf(deploy(hook(`sleep ${mark} & sleep ${mark}`), controller.signal));
    await until(() => running(mark));
    controller.abort(reason);
    expect(await done).toBe(reason);
    await until(async () => !(await running(mark)));
    expect(await deploy(count())).toMatchObject({ hookRan: true });
  });

  test("that takes too long is ended and said so", async () => {
    await issued();
    const mark = `4${process.pid}2`;
    expect(await failureOf(deploy(hook(`sleep ${mark}`, 50)))).toMatchObject({
      message: expect.stringContaining("did not end within 0.05 s"),
    });
    await until(async () => !(await running(mark)));
  });

  test("may take longer than any timer of Node holds", async () => {
    await issued();
    expect(await deploy(hook("sleep 0.1", 30 * 86_400_000))).toMatchObject({ hookRan: true });
  });

  test("that is ended leaves nothing behind that did not want to end, not for a moment", async () => {
    await issued();
    const mark = `5${process.pid}3`;
    // The shell goes at once; what it has begun takes no notice, and begins anew.
    const stubborn = `(trap "" TERM; while :; do sleep ${mark}; done) & wait`;
    expect(await failureOf(deploy(hook(stubborn, 500)))).toMatchObject({ code: "HOOK" });
    expect(await running(mark)).toBe(false);
  });

  test("is not waited for by what it leaves in the background", async () => {
    await issued();
    await deploy(hook("sleep 30 & echo started; echo $!"));
    expect(log()).toContain("hook: started");
    process.kill(Number(/(\d+)\s*$/.exec(log())?.[1]));
  });

  test("gets no credential, and cannot flood the log", async () => {
    await issued();
    const env = { ...process.env, DNS01_TEST_API_TOKEN: "secret" };
    await deploy(hook('test -z "$DNS01_TEST_API_TOKEN"; seq 1 500'), undefined, env);
    expect(log().split("\n")).toHaveLength(201);
    expect(log()).toContain("more is not shown");
  });

  test("of a certificate that is not there does nothing", async () => {
    expect(await deploy(hook("exit 1"))).toBeUndefined();
  });
});

describe("copies", () => {
  test("are one set with the key for its owner only, and are left alone while they are the same", async () => {
    await issued();
    await deploy(out());
    const path = join(dir, "out", "privkey.pem");
    const first = await stat(path);
    expect(first.mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, "out", "fullchain.pem"))).mode & 0o777).toBe(0o644);
    await deploy(out());
    expect((await stat(path)).ino).toBe(first.ino);
    await chmod(path, 0o666);
    await deploy(out());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await deploy(out({ mode: 0o640 }));
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readFile(path, "utf8")).toBe(pems[0]?.privkey);
  });

  test("make the directory with what is missing above; one that cannot be made is an error, not an endless try", async () => {
    await issued();
    const deep = join(dir, "srv", "tls", "example");
    await deploy(out({ dir: deep }));
    expect((await readdir(deep)).length).toBe(4);
    const dead = process.platform === "linux" ? "/proc/dns01" : join(deep, "cert.pem", "below");
    expect(await failureOf(deploy(out({ dir: dead })))).toMatchObject({ message: expect.stringContaining(dead) });
  });

  test("that a directory cannot take leave its old set whole, and no copy of the key; the hook waits", async () => {
    await issued();
    await deploy(out());
    await issued(1);
    await rm(join(dir, "out", "privkey.pem"));
    await mkdir(join(dir, "out", "privkey.pem"));
    const both = { ...hook(`touch ${join(dir, "ran")}`), out: out().out };
    expect(await failureOf(deploy(both))).toMatchObject({
      code: "HOOK",
      message: expect.stringContaining("is a directory"),
    });
    expect((await readdir(join(dir, "out"))).sort()).toEqual(["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"]);
    expect(await readFile(join(dir, "out", "cert.pem"), "utf8")).toBe(pems[0]?.cert);
    expect(await readdir(dir)).not.toContain("ran");
    await rm(join(dir, "out", "privkey.pem"), { recursive: true });
    expect(await deploy(both)).toMatchObject({ hookRan: true });
    expect(await readFile(join(dir, "out", "cert.pem"), "utf8")).toBe(pems[1]?.cert);
  });

  test("are given to a group by name, and an unknown owner is named", async () => {
    await issued();
    const { stdout } = await promisify(execFile)("id", ["-gn"]);
    const group = stdout.trim();
    await deploy(out({ group, mode: 0o640 }));
    const copied = await stat(join(dir, "out", "privkey.pem"));
    expect([copied.gid, copied.mode & 0o777]).toEqual([process.getgid?.(), 0o640]);
    expect(await failureOf(deploy(out({ owner: "nobody-of-this-name" })))).toMatchObject({
      code: "HOOK",
      message: expect.stringContaining("nobody-of-this-name"),
    });
    expect((await readdir(join(dir, "out"))).filter((file) => file.endsWith(".new"))).toEqual([]);
  });

  test("change no other file when a link is put in their place meanwhile", async () => {
    await issued();
    const victim = join(dir, "shadow");
    await writeFile(victim, "not his", { mode: 0o600 });
    // Whoever the directory belongs to, quick enough to come between two steps.
    const swap = `for f in ${join(dir, "out")}/*.new; do ln -sf ${victim} "$f"; done`;
    await mkdir(join(dir, "bin"));
    await writeFile(join(dir, "bin", "chown"), `#!/bin/sh\n${swap}\nPATH=$OLD chown "$@"; s=$?\n${swap}\nexit $s\n`, {
      mode: 0o755,
    });
    vi.stubEnv("OLD", process.env["PATH"]);
    vi.stubEnv("PATH", `${join(dir, "bin")}:${process.env["PATH"]}`);
    const { stdout } = await promisify(execFile)("id", ["-gn"]);
    await deploy(out({ group: stdout.trim(), mode: 0o640 })).catch(() => {});
    vi.unstubAllEnvs();
    expect((await stat(victim)).mode & 0o777).toBe(0o600);
  });
});

describe("a PKCS #12 file", () => {
  const pfx = (password: string, legacy = false) => ({ ...none, pfx: { password, legacy } });
  const bytes = () => readFile(join(dir, "state/certificates", name, "current/certificate.pfx"));

  test("is made for each version and password, for the key's owner only, and copied with the rest", async () => {
    await issued();
    const deployed = await deploy({ ...pfx("one"), out: out().out });
    expect(deployed?.files.pfx).toMatch(/current\/certificate\.pfx$/);
    const first = await bytes();
    expect((await stat(deployed?.files.pfx ?? "")).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dir, "out/certificate.pfx"))).toEqual(first);
    await deploy(pfx("one"));
    expect(await bytes()).toEqual(first);
    await deploy(pfx("two"));
    const second = await bytes();
    expect(second).not.toEqual(first);
    await deploy(pfx("two", true));
    expect(await bytes()).not.toEqual(second);
    await issued(1);
    await deploy(pfx("two"));
    expect((await store.certificates.load(name))?.files.pfx).toBeDefined();
  });

  test("cannot be made without the key", async () => {
    const { privkey: _, ...rest } = pems[0] ?? { cert: "", chain: "", privkey: "" };
    await store.certificates.save(name, rest, { ...meta, csr: true });
    expect(await failureOf(deploy(pfx("x")))).toMatchObject({
      code: "HOOK",
      message: expect.stringContaining("--csr"),
    });
  });
});

test("a damaged record of the last deployment is told, not guessed at", async () => {
  await issued();
  await writeFile(join(dir, "state/certificates", name, "deployed.json"), "{}");
  expect(await failureOf(deploy(hook("true")))).toMatchObject({ code: "CONFIG" });
});
