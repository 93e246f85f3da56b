import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { readFlags } from "../../src/cli/args.ts";
import { InterruptError } from "../../src/cli/exit.ts";
import { command } from "../../src/cli/sandbox.ts";
import { commands, globalFlags } from "../../src/cli/spec.ts";
import { emptyConfig } from "../../src/config/load.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { builtInProviders } from "../../src/providers.ts";
import { proxyFor } from "../../src/proxy/environment.ts";

const folder = mkdtempSync(join(tmpdir(), "dns01-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const spec = commands.find((c) => c.name === "sandbox");

/** Runs the command as the program would, with the world in hand. */
function start(args: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env) {
  if (spec === undefined) throw new Error("there is no command sandbox");
  const end = args.indexOf("--");
  const own = end === -1 ? args : args.slice(0, end);
  const { flags, issues } = readFlags(own, [...globalFlags, ...spec.flags], { DNS01_STATE: env["DNS01_STATE"] });
  const interrupt = new AbortController();
  const out: string[] = [];
  const io = {
    env,
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: () => true },
    signal: interrupt.signal,
  };
  const rest = end === -1 ? [] : args.slice(end + 1);
  const base = {
    spec,
    flags,
    issues,
    args: own,
    rest,
    io,
    observer: () => {},
    warnings: () => [],
    redactor: createRedactor(),
    registry: builtInProviders(),
    plugins: {
      import: () => Promise.reject(new Error("the sandbox has no plugins")),
      resolve: (specifier: string) => specifier,
    },
    loadConfig: async () => emptyConfig,
    reread: () => Promise.reject(new Error("the sandbox reads no configuration")),
    version: "0",
    home: new URL("../../src/", import.meta.url),
  };
  return { done: command.run(base), stdout: () => out.join(""), interrupt };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

const names = [
  "DNS01_CA",
  "DNS01_CA_ROOT",
  "DNS01_RESOLVER",
  "DNS01_DNS_PORT",
  "RFC2136_NAMESERVER",
  "RFC2136_TSIG_KEY",
  "RFC2136_TSIG_KEY_NAME",
  "RFC2136_TSIG_SECRET",
  "RFC2136_TSIG_ALGORITHM",
  "DNS01_SANDBOX",
  "DNS01_STATE",
];

describe("alone", () => {
  test("it prints exports for a shell, serves, and leaves nothing behind when stopped", async () => {
    const run = start([]);
    await until(() => run.stdout().endsWith("\n"));
    const lines = run.stdout().trim().split("\n");
    const env = Object.fromEntries(
      lines.map((line) => {
        const [, name = "", value = ""] = /^export ([A-Z0-9_]+)='([^']*)'$/.exec(line) ?? [];
        return [name, value];
      }),
    );
    expect(Object.keys(env)).toEqual(names);
    expect(readFileSync(env["DNS01_CA_ROOT"] ?? "", "utf8")).toContain("BEGIN CERTIFICATE");
    run.interrupt.abort(new InterruptError("SIGTERM"));
    expect(await run.done).toMatchObject({ status: 143, text: "" });
    expect(existsSync(env["DNS01_CA_ROOT"] ?? "")).toBe(false);
  });

  test("--json prints the same as one document", async () => {
    const run = start(["--json", "--eab"]);
    await until(() => run.stdout().endsWith("\n"));
    expect(Object.keys(JSON.parse(run.stdout()) as object).sort()).toEqual(
      [...names, "DNS01_EAB_KID", "DNS01_EAB_HMAC_KEY"].sort(),
    );
    run.interrupt.abort(new InterruptError("SIGINT"));
    expect(await run.done).toMatchObject({ status: 130 });
  });

  test.each([
    ["a folder that ends with the sandbox", undefined, []],
    ["the one the user has set, from wherever the exports are read", "own-state", []],
    ["the one that --state names", undefined, ["--state", "named-state"]],
  ] as const)("state goes to %s", async (_, set, args) => {
    const { DNS01_STATE: __, ...outer } = process.env;
    const run = start(["--json", ...args], set === undefined ? outer : { ...outer, DNS01_STATE: set });
    await until(() => run.stdout().endsWith("\n"));
    const env = JSON.parse(run.stdout()) as Record<string, string>;
    const named = set ?? args[1];
    const state = named === undefined ? join(env["DNS01_CA_ROOT"] ?? "", "../state") : resolve(named);
    expect(env["DNS01_STATE"]).toBe(state);
    if (named === undefined) mkdirSync(state);
    run.interrupt.abort(new InterruptError("SIGINT"));
    await run.done;
    expect(existsSync(state)).toBe(false);
  });

  test("a proxy of the environment is kept away from what is on loopback", async () => {
    const { NO_PROXY: _, no_proxy: __, ...outer } = process.env;
    const run = start(["--json"], { ...outer, HTTPS_PROXY: "http://proxy.test:3128", no_proxy: ".example.com" });
    await until(() => run.stdout().endsWith("\n"));
    const env = JSON.parse(run.stdout()) as Record<string, string>;
    expect(env).toMatchObject({ no_proxy: ".example.com,localhost,127.0.0.1,::1" });
    expect(proxyFor(new URL(env["DNS01_CA"] ?? ""), { HTTPS_PROXY: "http://proxy.test:3128", ...env })).toBeUndefined();
    run.interrupt.abort(new InterruptError("SIGINT"));
    await run.done;
  });

  test("state of a sandbox within the exports of another one goes to its own folder", async () => {
    const outer = { ...process.env, DNS01_CA_ROOT: join(folder, "root.pem"), DNS01_STATE: join(folder, "state") };
    const run = start(["--json"], outer);
    await until(() => run.stdout().endsWith("\n"));
    const env = JSON.parse(run.stdout()) as Record<string, string>;
    expect(env["DNS01_STATE"]).toBe(join(env["DNS01_CA_ROOT"] ?? "", "../state"));
    run.interrupt.abort(new InterruptError("SIGINT"));
    await run.done;
  });

  test("every fault of the command line is told, with the nearest name, and nothing starts", async () => {
    const args = [
      "--fault",
      "servfial=0.1",
      "--fault",
      "drop=2",
      "--fault",
      "truncate",
      "--zone",
      "a..b",
      "--lag",
      "5",
      "--behaviour",
      "arri=past",
      "--behaviour",
      "ari=yesterday",
      "--behaviour",
      "same-token=yes",
    ];
    const error: unknown = await start(args).done.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    const text = error instanceof Error ? error.message : "";
    expect(text).toMatch(/"servfial" is no kind of fault; did you mean "servfail"\?/);
    expect(text).toMatch(/"drop=2" needs a rate/);
    expect(text).toMatch(/"truncate" needs a rate/);
    expect(text).toMatch(/"a\.\.b"/);
    expect(text).toMatch(/"5" is no duration/);
    expect(text).toMatch(/"arri" is not a behavior of the CA; did you mean "ari"\?/);
    expect(text).toMatch(/"ari=yesterday" has to be ari=past\|/);
    expect(text).toMatch(/"same-token=yes" has to be same-token/);
  });
});

describe("around a command", () => {
  const script = (body: string) => ["--", process.execPath, "-e", body];

  test("the command sees the sandbox in its environment, and its status is ours", async () => {
    const file = join(folder, "env.json");
    const outer = {
      ...process.env,
      DNS01_CA: "https://elsewhere.test",
      RFC2136_TSIG_SECRET_FILE: "/nowhere",
      KEPT: "yes",
    };
    const body = `require("fs").writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.env)); process.exit(7)`;
    const run = start(["--json", "--lag", "1s", ...script(body)], outer);
    expect(await run.done).toMatchObject({ status: 7, json: undefined });
    expect(run.stdout()).toBe("");
    const env = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    expect(env["DNS01_CA"]).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/directory$/);
    expect([env["RFC2136_TSIG_SECRET_FILE"], env["KEPT"]]).toEqual([undefined, "yes"]);
    expect(existsSync(env["DNS01_CA_ROOT"] ?? "")).toBe(false);
  });

  test.each([
    ["a folder of the sandbox", undefined, []],
    ["the one the user has set", join(folder, "own"), []],
    ["the one that --state names", join(folder, "named"), ["--state", join(folder, "named")]],
  ] as const)("state goes to %s", async (_, expected, args) => {
    const file = join(folder, "state.txt");
    const body = `require("fs").writeFileSync(${JSON.stringify(file)}, process.env.DNS01_STATE + " " + process.env.DNS01_CA_ROOT)`;
    const { DNS01_STATE: __, ...outer } = process.env;
    const env = args.length === 0 && expected !== undefined ? { ...outer, DNS01_STATE: expected } : outer;
    expect(await start([...args, ...script(body)], env).done).toMatchObject({ status: 0 });
    const [state = "", root = ""] = readFileSync(file, "utf8").split(" ");
    expect(state).toBe(expected ?? join(root, "../state"));
  });

  test("a signal goes on to the command, whose end decides", async () => {
    const ready = join(folder, "ready");
    const body = `process.on("SIGTERM", () => process.exit(3)); setInterval(() => {}, 1000); require("fs").writeFileSync(${JSON.stringify(ready)}, "")`;
    const run = start(script(body));
    await until(() => existsSync(ready));
    run.interrupt.abort(new InterruptError("SIGTERM"));
    expect(await run.done).toMatchObject({ status: 3 });
  });

  test("the sandbox serves until the command has cleaned up after a signal", async () => {
    const ready = join(folder, "ready-too");
    const body = `
      const [host, port] = process.env.RFC2136_NAMESERVER.split(":");
      process.on("SIGTERM", () => setTimeout(() => {
        require("net").connect(port, host).on("connect", () => process.exit(0)).on("error", () => process.exit(9));
      }, 100));
      setInterval(() => {}, 1000);
      require("fs").writeFileSync(${JSON.stringify(ready)}, "");`;
    const run = start(script(body));
    await until(() => existsSync(ready));
    run.interrupt.abort(new InterruptError("SIGTERM"));
    expect(await run.done).toMatchObject({ status: 0 });
  });

  test("a command that a signal ends gives 128 and its number", async () => {
    expect(await start(script("process.kill(process.pid, 'SIGKILL')")).done).toMatchObject({ status: 137 });
  });

  test("a command that does not exist is a fault of the command line", async () => {
    await expect(start(["--", "no-such-command-here"]).done).rejects.toMatchObject({ code: "CONFIG" });
  });
});
