import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { systemClock } from "../../src/core/clock.ts";
import { ConfigError, Dns01Error } from "../../src/core/errors.ts";
import { type ConfigSources, fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { guard } from "../../src/core/guard.ts";
import { childOf, nameFromLabels, parseName } from "../../src/core/name.ts";
import type { ConnectDeps, TxtBackend } from "../../src/core/provider.ts";
import { emptyMessage, encodeMessage, txtValue } from "../../src/dns/codec.ts";
import { RoundTripError } from "../../src/dns/sockets.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import { connectSolver } from "../../src/providers.ts";
import { startUpdateServer, type UpdateServer, type UpdateServerOptions } from "../dns/update-server.ts";

const zone = nameFromLabels(["example", "test"]);
const owner = childOf("_acme-challenge", zone);
const secret = "c3VwZXItc2VjcmV0LXRzaWcta2V5LW9mLTMyLW9jdCE=";
const key: TsigKey = {
  name: nameFromLabels(["acme"]),
  algorithm: "hmac-sha256",
  secret: Buffer.from(secret, "base64"),
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options: UpdateServerOptions = { keys: [key] }): Promise<UpdateServer> {
  const server = await startUpdateServer(options);
  closers.push(server.close);
  return server;
}

const deps: ConnectDeps = {
  http: () => () => Promise.reject(new Error("no HTTP here")),
  signal: AbortSignal.timeout(60_000),
  allowAmbientCredentials: true,
  warn: () => {},
};

/** From the environment to a guarded backend, as the program does it. */
async function connect(env: Record<string, string | undefined>, sources: ConfigSources = {}): Promise<TxtBackend> {
  const { config, reword } = await resolveConfig(rfc2136, { env, ...sources });
  const backend = await rfc2136.connect(config, deps);
  const retry = { attempts: 1, baseMs: 1, maxMs: 1 };
  return guard(backend, { provider: rfc2136, observer: () => {}, clock: systemClock, timeoutMs: 3000, retry, reword });
}

const envOf = (server: UpdateServer, change: Record<string, string | undefined> = {}) => ({
  RFC2136_NAMESERVER: `127.0.0.1:${server.to.port}`,
  RFC2136_TSIG_KEY: "acme",
  RFC2136_TSIG_SECRET: secret,
  ...change,
});

const call = () => ({ signal: AbortSignal.timeout(10_000), ttlSeconds: 60 });
const held = { apex: zone, id: zone };
const edit = (add: readonly string[], remove: readonly string[] = []) => ({
  owner: { zone: held, fqdn: owner, relative: "_acme-challenge" },
  add,
  remove,
});

function ofLookup(code: string): Error {
  const facts = { code, syscall: "getaddrinfo", hostname: "ns.example.test" };
  return Object.assign(new Error(`getaddrinfo ${code} ns.example.test`), facts);
}

async function errorOf(work: Promise<unknown>): Promise<Dns01Error> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!Dns01Error.is(error)) throw new Error(`expected a Dns01Error, got ${String(error)}`);
  return error;
}

async function issuesOf(env: Record<string, string>, sources: ConfigSources = {}): Promise<Record<string, string>> {
  const error = await errorOf(
    resolveConfig(rfc2136, { env: { RFC2136_NAMESERVER: "ns1.example.com", ...env }, ...sources }),
  );
  if (!(error instanceof ConfigError)) throw error;
  return Object.fromEntries(error.issues.map(({ path, message }) => [path, message]));
}

describe("rfc2136 writes", () => {
  test("all owners of a zone in one update, signed, over TCP, with the TTL asked for", async () => {
    const server = await start();
    const backend = await connect(envOf(server));
    const other = {
      ...edit(["c"]),
      owner: { zone: held, fqdn: childOf("_acme-challenge.www", zone), relative: "_acme-challenge.www" },
    };
    expect(await backend.findZone(zone, call())).toEqual(held);
    expect(await backend.apply(held, [edit(["a", "b"]), other], { ...call(), ttlSeconds: 77 })).toEqual([
      "changed",
      "changed",
    ]);
    expect(server.updates()).toMatchObject([{ via: "tcp", verdict: { status: "ok" } }]);
    expect(server.records.get(owner)?.map((r) => [txtValue(r), r.ttl])).toEqual([
      ["a", 77],
      ["b", 77],
    ]);
    expect(await backend.apply(held, [edit(["a"]), edit([], ["zzz"])], call())).toEqual(["unchanged", "unchanged"]);
    expect(await backend.apply(held, [edit([], ["a"])], call())).toEqual(["changed"]);
    expect(server.records.get(owner)?.map(txtValue)).toEqual(["b"]);
  });

  test("with a question and an update for each change, however many names", async () => {
    const server = await start();
    const { config, ttlSeconds } = await resolveConfig(rfc2136, { env: envOf(server) });
    const { signal } = new AbortController();
    const solver = await connectSolver(rfc2136, { config, ttlSeconds }, { signal });
    const deep = childOf("_acme-challenge.a.b", zone);
    const items = (...values: string[]) => [{ owner: deep, values }];
    const hosts = Array.from({ length: 20 }, (_, i) => childOf(`_acme-challenge.host-${i}`, zone));
    const names = hosts.map((host) => ({ owner: host, values: ["value"], zoneCut: zone }));
    const took: Record<string, string> = {};
    const count = async (what: string, work: Promise<unknown>) => {
      await work;
      const updates = server.updates().length;
      took[what] = `${server.received.length - updates}+${updates}`;
      server.received.length = 0;
    };
    await count("first", solver.present(items("value-1"), signal));
    await count("warm", solver.present(items("value-2"), signal));
    await count("clean-up", solver.cleanUp(items("value-1"), signal));
    await count("pair", solver.present(items("apex", "wildcard"), signal));
    await count("pair out", solver.cleanUp(items("apex", "wildcard"), signal));
    await count("20 names", solver.present(names, signal));
    await count("20 names out", solver.cleanUp(names, signal));
    expect(took).toEqual({
      // The owner, a.b, b and the apex are asked for their SOA.
      first: "5+1",
      warm: "1+1",
      "clean-up": "1+1",
      pair: "1+1",
      "pair out": "1+1",
      "20 names": "20+1",
      "20 names out": "20+1",
    });
  });

  test("with the settings of cert-manager's solver", async () => {
    const server = await start({ keys: [{ ...key, algorithm: "hmac-sha512" }] });
    const config = {
      nameserver: `127.0.0.1:${server.to.port}`,
      tsigKeyName: "ACME.",
      tsigAlgorithm: "HMACSHA512",
      tsigSecret: `${secret}\n`,
      protocol: "UDP",
    };
    const backend = await connect({}, { config });
    expect(await backend.apply(held, [edit(["a"])], call())).toEqual(["changed"]);
    expect(server.updates().map(({ via }) => via)).toEqual(["udp"]);
  });

  test("with a key in a file of BIND's tools", async () => {
    const server = await start();
    const folder = await mkdtemp(join(tmpdir(), "dns01-rfc2136-"));
    closers.push(() => rm(folder, { recursive: true }));
    const file = join(folder, "acme.key");
    await writeFile(file, `key "acme" {\n\talgorithm hmac-sha256;\n\tsecret "${secret}";\n};\n`);
    const env = envOf(server, { RFC2136_TSIG_KEY: undefined, RFC2136_TSIG_SECRET: undefined, RFC2136_TSIG_FILE: file });
    expect(await (await connect(env)).apply(held, [edit(["a"])], call())).toEqual(["changed"]);
    const { config } = await resolveConfig(rfc2136, { env });
    const refused = await errorOf(
      Promise.resolve(rfc2136.connect(config, { ...deps, allowAmbientCredentials: false })),
    );
    expect(refused.code).toBe("CONFIG");
    await writeFile(file, secret);
    const error = await errorOf(connect(env));
    expect(error.code).toBe("CONFIG");
    expect(error.message).not.toContain(secret);
  });

  test("at the second address when the first does not answer", async () => {
    const server = await start();
    // "localhost" is ::1 first on many machines, where nobody listens.
    const backend = await connect(envOf(server, { RFC2136_NAMESERVER: `localhost:${server.to.port}` }));
    expect(await backend.apply(held, [edit(["a"])], call())).toEqual(["changed"]);
  });
});

describe("rfc2136 says what is wrong", () => {
  test.each([
    ["a wrong secret", { RFC2136_TSIG_SECRET: Buffer.alloc(32).toString("base64") }, /BADSIG/, /tsigSecret/],
    ["an unknown key", { RFC2136_TSIG_KEY: "nobody" }, /"nobody".*BADKEY/, /tsigKeyName/],
    [
      "no key",
      { RFC2136_TSIG_KEY: undefined, RFC2136_TSIG_SECRET: undefined },
      /REFUSED/,
      /^Give the TSIG key .*RFC2136_TSIG_KEY_NAME.*RFC2136_TSIG_SECRET/,
    ],
  ])("%s is a matter of credentials", async (_, change, message, hint) => {
    const server = await start();
    const error = await errorOf((await connect(envOf(server, change))).apply(held, [edit(["a"])], call()));
    expect(error).toMatchObject({ code: "AUTH", retryable: false, provider: "rfc2136", zone });
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(server.updates()).toHaveLength(1);
  });

  test.each<[string, Record<string, string | undefined>, ConfigSources, string]>([
    ["a variable", {}, {}, "RFC2136_TSIG_KEY"],
    [
      "another variable for the same",
      { RFC2136_TSIG_KEY: undefined, RFC2136_TSIG_KEY_NAME: "nobody" },
      {},
      "RFC2136_TSIG_KEY_NAME",
    ],
    ["a flag", { RFC2136_TSIG_KEY: undefined }, { flags: { tsigKeyName: "nobody" } }, "--rfc2136-tsig-key-name"],
    [
      "a file",
      { RFC2136_TSIG_KEY: undefined },
      { config: { tsigKeyName: "nobody" }, configPath: "solvers[0].config" },
      "solvers[0].config.tsigKeyName",
    ],
  ])("and the hint names the key where the user gave it: by %s", async (_, change, sources, place) => {
    const server = await start();
    const env = envOf(server, { RFC2136_TSIG_KEY: "nobody", ...change });
    const error = await errorOf((await connect(env, sources)).apply(held, [edit(["a"])], call()));
    expect(error.hint).toBe(`Check tsigKeyName (${place}) and tsigAlgorithm against the server's key.`);
  });

  test.each([
    ["a server that refuses connections", new RoundTripError("refused", "x"), 7_500],
    ["a silent server", new RoundTripError("timeout", "x"), 7_500],
    ["an address without a route", new RoundTripError("unroutable", "x"), 0],
    ["a name that does not exist", ofLookup("ENOTFOUND"), 0],
    ["a name that cannot be looked up", ofLookup("EAI_AGAIN"), 7_500],
  ])("%s, and how long the first contact is tried", (_, cause, patienceMs) => {
    expect(rfc2136.classify?.(cause)).toMatchObject({ code: "TRANSIENT", patienceMs });
  });

  test("a clock that is wrong is told by how much, the same at every try; the seconds are among the details", async () => {
    const server = await start({ keys: [key], now: () => Math.floor(Date.now() / 1000) + 4000 });
    const error = await errorOf((await connect(envOf(server))).findZone(zone, call()));
    expect(error).toMatchObject({ code: "AUTH" });
    expect(error.message).toMatch(/: this machine's clock is about 67 minutes behind the server's$/);
    expect(Math.abs(Number(error.details?.["skewSeconds"]) - 4000)).toBeLessThanOrEqual(1);
  });

  test.each([
    ["NOTAUTH", "AUTH"],
    ["NOTZONE", "ZONE_NOT_FOUND"],
    ["REFUSED", "AUTH"],
    ["FORMERR", "REJECTED"],
    ["RCODE11", "REJECTED"],
  ] as const)("%s is %s", async (rcode, code) => {
    const script: UpdateServerOptions["script"] = ({ message: { id, opcode } }) =>
      opcode === "UPDATE" ? [encodeMessage({ ...emptyMessage, id, opcode, response: true, rcode })] : undefined;
    const server = await start({ keys: [key], script });
    const error = await errorOf((await connect(envOf(server))).apply(held, [edit(["a"])], call()));
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.hint).not.toBeUndefined();
  });

  test("SERVFAIL and silence are worth another try", async () => {
    const script: UpdateServerOptions["script"] = ({ message: { id, opcode } }) =>
      opcode === "UPDATE"
        ? [encodeMessage({ ...emptyMessage, id, opcode, response: true, rcode: "SERVFAIL" })]
        : undefined;
    const server = await start({ keys: [key], script });
    const error = await errorOf((await connect(envOf(server))).apply(held, [edit(["a"])], call()));
    expect(error).toMatchObject({ code: "TRANSIENT", retryable: true });
    await server.close();
    closers.length = 0;
    const gone = await errorOf((await connect(envOf(server))).findZone(zone, call()));
    expect(gone).toMatchObject({ code: "TRANSIENT", retryable: true });
    expect(gone.message).toContain("refused");
  });

  test("an alias at the owner is refused, with its target", async () => {
    const server = await start();
    const target = parseName("target.other.test");
    server.records.set(owner, [{ name: owner, class: "IN", ttl: 1, type: "CNAME", target }]);
    const error = await errorOf((await connect(envOf(server))).apply(held, [edit(["a"])], call()));
    expect(error).toMatchObject({ code: "REJECTED" });
    expect(error.message).toContain(`${owner} is an alias (CNAME) of ${target}`);
  });

  test("a zone that the server does not hold is an answer, not an error", async () => {
    const server = await start();
    expect(await (await connect(envOf(server))).findZone(parseName("other.test"), call())).toBeUndefined();
  });

  test("no error shows the secret", async () => {
    const server = await start({ keys: [] });
    const error = await errorOf((await connect(envOf(server))).findZone(zone, call()));
    const all = JSON.stringify([error.message, error.hint, error.details, error.stack, String(error.cause)]);
    for (const form of [
      secret,
      Buffer.from(secret, "base64").toString("latin1"),
      Buffer.from(secret, "base64").toString("hex"),
    ]) {
      expect(all).not.toContain(form);
    }
  });
});

describe("rfc2136 refuses before anything is sent", () => {
  test("a key name without its secret, and a secret without its key name", async () => {
    expect(await issuesOf({ RFC2136_TSIG_KEY: "acme" })).toEqual({
      RFC2136_TSIG_SECRET: expect.stringMatching(/missing/),
    });
    expect(await issuesOf({ RFC2136_TSIG_SECRET: secret })).toEqual({
      RFC2136_TSIG_KEY: expect.stringMatching(/missing/),
    });
  });

  test("every fault at once, each with its place, and no secret in the text", async () => {
    const issues = await issuesOf({
      RFC2136_NAMESERVER: "192.0.2.300",
      RFC2136_TSIG_KEY: "a..b",
      RFC2136_TSIG_SECRET: "not*base64",
      RFC2136_TSIG_ALGORITHM: "hmac-sha3",
      RFC2136_TRANSPORT: "quic",
    });
    expect(Object.keys(issues).sort()).toEqual([
      "RFC2136_NAMESERVER",
      "RFC2136_TRANSPORT",
      "RFC2136_TSIG_ALGORITHM",
      "RFC2136_TSIG_KEY",
      "RFC2136_TSIG_SECRET",
    ]);
    expect(JSON.stringify(issues)).not.toContain("not*base64");
  });

  test.each(["", "ns1:0", "ns1:99999", "[2001:db8::1", "2001:db8::1:53:", "a b", "http://ns1"])(
    "the nameserver %j",
    async (nameserver) => {
      expect(Object.keys(await issuesOf({ RFC2136_NAMESERVER: nameserver }))).toEqual(["RFC2136_NAMESERVER"]);
    },
  );

  test.each([
    "ns1.example.com",
    "ns1.example.com.:5353",
    "192.0.2.1",
    "192.0.2.1:53",
    "2001:db8::1",
    "[2001:db8::1]",
    "[2001:db8::1]:5353",
  ])("but not the nameserver %j", async (nameserver) => {
    const { config } = await resolveConfig(rfc2136, { env: { RFC2136_NAMESERVER: nameserver } });
    expect(config.nameserver).toBe(nameserver);
  });

  test("and has a secret that no flag carries, with lego's names and cert-manager's", () => {
    const fields = new Map(fieldsOf(rfc2136).map((field) => [field.name, field]));
    expect(fields.get("tsigSecret")).toMatchObject({ secret: true, env: ["RFC2136_TSIG_SECRET"] });
    expect(fields.get("tsigSecret")?.flag).toBeUndefined();
    expect(fields.get("tsigSecret")?.references).toContain("tsigSecretSecretRef");
    expect(fields.get("tsigKeyName")?.env).toContain("RFC2136_TSIG_KEY");
    expect(fields.get("transport")?.aliases).toEqual(["protocol"]);
    expect(fields.get("dnsTimeout")?.env).toEqual(["RFC2136_DNS_TIMEOUT"]);
    expect(fields.get("ttl")?.env).toEqual(["RFC2136_TTL"]);
    expect([...fields.values()].every(({ description }) => description !== "")).toBe(true);
  });
});
