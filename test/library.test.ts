import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { ConfigError, type Dns01Event, issue, renew, type SolverOptions, watch } from "../src/library.ts";
import { type Sandbox, startSandbox } from "../src/sandbox/index.ts";

let box: Sandbox | undefined;
const folders: string[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await box?.close();
  box = undefined;
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function folder(parent = tmpdir()): Promise<string> {
  const made = await mkdtemp(join(parent, ".dns01-library-"));
  folders.push(made);
  return made;
}

async function inSandbox() {
  box = await startSandbox();
  const [address = "", port = ""] = box.resolver.split(":");
  const config = {
    nameserver: box.env["RFC2136_NAMESERVER"] ?? "",
    tsigKeyName: box.tsig.keyName,
    tsigSecret: box.tsig.secret,
  };
  const solvers: readonly SolverOptions[] = [{ provider: "rfc2136", config }];
  const lab = { caRoot: box.caRootPem, resolvers: [{ address, port: Number(port) }], dnsPort: box.dnsPort };
  return { box, config, lab, solvers, stateDir: await folder() };
}

test("the example of docs/library.md runs as it is written", async () => {
  const { box, config, lab, stateDir } = await inSandbox();
  const text = await readFile(new URL("../docs/library.md", import.meta.url), "utf8");
  const example = /```ts\n(.*?)```/s.exec(text)?.[1] ?? "";
  // Only where it is to run is another place.
  const here = [
    [`"./state",`, `${JSON.stringify(stateDir)}, ...${JSON.stringify(lab)},`],
    [`"letsencrypt-staging"`, JSON.stringify(box.directoryUrl)],
    [`"192.0.2.53"`, JSON.stringify(config.nameserver)],
    [`"certs"`, JSON.stringify(config.tsigKeyName)],
    [`process.env["TSIG_SECRET"]`, JSON.stringify(config.tsigSecret)],
    [`"dns01"`, `"../../src/library.ts"`],
  ] as const;
  let program = example.replaceAll("example.com", "example.test");
  for (const [from, to] of here) {
    expect(program).toContain(from);
    program = program.replace(from, to);
  }
  const file = join(await folder(fileURLToPath(new URL(".", import.meta.url))), "example.ts");
  await writeFile(file, program);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const failed = vi.spyOn(console, "error").mockImplementation(() => {});
  await import(file);
  expect(failed).not.toHaveBeenCalled();
  expect(log.mock.calls).toEqual([
    ["example.test", expect.stringMatching(/^20/), join(stateDir, "certificates/example.test/current/fullchain.pem")],
    ["example.test", "not-due", expect.stringContaining("the CA suggests"), expect.stringMatching(/^20/)],
  ]);
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual([]);
});

test("issue: what a CA said of its limits is kept in the state folder, and it is not asked again before its time", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  Object.assign(box.ca.state.behaviour, { orderLimit: { count: 1, perMs: 3_600_000 } });
  const options = { ...lab, solvers, stateDir, ca: box.directoryUrl, domains: ["a.example.test"] };
  await issue({ ...options, domains: ["b.example.test"] });
  await expect(issue(options)).rejects.toMatchObject({ code: "RATE_LIMITED" });
  const asked = box.log.entries.length;
  await expect(issue(options)).rejects.toMatchObject({ code: "RATE_LIMITED", details: { name: "a.example.test" } });
  await expect(issue({ ...options, force: true })).rejects.toMatchObject({ code: "RATE_LIMITED" });
  expect(box.log.entries.length).toBe(asked);
});

test("issue: a stored certificate changes names or key type only where the options say so", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const options = { ...lab, solvers, stateDir, ca: box.directoryUrl, name: "site" };
  await issue({ ...options, domains: ["a.example.test", "b.example.test"], keyType: "ec384" });
  const asked = box.log.entries.length;
  await expect(issue({ ...options, domains: ["a.example.test"], force: true })).rejects.toMatchObject({
    code: "CONFIG",
    issues: [{ path: "domains" }, { path: "keyType" }],
    hint: expect.stringContaining("expand: true"),
  });
  const domains = ["c.example.test"];
  await expect(issue({ ...options, domains, expand: true, replace: true })).rejects.toMatchObject({ code: "CONFIG" });
  expect(box.log.entries.length).toBe(asked);
  const wider = await issue({ ...options, domains, expand: true });
  expect(wider).toMatchObject({
    domains: ["a.example.test", "b.example.test", "c.example.test"],
    keyType: "ec384",
  });
  expect(await issue({ ...options, domains, replace: true })).toMatchObject({ domains, keyType: "ec256" });
});

test("renew: the chosen ones, forced, with what became of each", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const common = { ...lab, solvers, stateDir };
  for (const name of ["a.example.test", "b.example.test"])
    await issue({ ...common, ca: box.directoryUrl, domains: [name] });
  const [outcome, ...others] = await renew({ ...common, names: ["b.example.test"], force: true });
  expect(others).toEqual([]);
  expect(outcome).toMatchObject({ name: "b.example.test", status: "renewed", result: { reused: false } });
  const serial = new X509Certificate(await readFile(outcome?.result?.files?.cert ?? "")).serialNumber;
  expect(outcome?.result?.serial).toBe(serial);
});

test("renew: all faults of the options at once, before any call", async () => {
  const { stateDir } = await inSandbox();
  const solvers = [{ provider: "rfc213" }, { provider: "rfc2136", config: { nameservr: "x" } }];
  const error: unknown = await renew({ stateDir, solvers }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).issues.length).toBeGreaterThan(1);
  const typed = renew({ stateDir, solvers: [{ provider: "memory" }], names: ["nobody"] });
  await expect(typed).rejects.toMatchObject({ code: "CONFIG", message: expect.stringContaining("nobody") });
});

test("NODE_TLS_REJECT_UNAUTHORIZED=0 is refused by every function, before any call", async () => {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  const { solvers, lab, box } = await inSandbox();
  const stateDir = await folder();
  const options = { ...lab, solvers, stateDir, ca: box.directoryUrl, domains: ["a.example.test"], certificates: [] };
  for (const call of [issue, renew, watch]) {
    const error = await (async () => call(options))().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG", issues: [{ path: "NODE_TLS_REJECT_UNAUTHORIZED" }] });
    expect(error).toMatchObject({ hint: expect.stringContaining("caRoot") });
  }
  expect(await readdir(stateDir)).toEqual([]);
});

test("JavaScript callers hear of every wrong type, with its path, before any call", async () => {
  const call = async (work: () => Promise<unknown>) => {
    const error: unknown = await work().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).issues.map(({ path, message }) => `${path}: ${message}`);
  };
  // As it comes from code that no compiler has seen.
  const js = (text: string) => JSON.parse(text) as never;
  expect(await call(() => issue(js("null")))).toEqual(["issue: has to be called with options, and was with null"]);
  expect(
    await call(() =>
      issue({
        ...(js(`{ "domains": "example.com", "stateDir": 7, "keyType": "rsa", "force": "yes", "eab": { "kid": "k" },
          "dnsPort": 70000, "propogation": "none", "propagationTimeoutMs": "5m", "ca": "letsencrpt" }`) as object),
        solvers: [
          js(`{ "provider": 1 }`),
          { provider: "rfc213" },
          js(`{ "zone": ["a.example"], "provider": "memory" }`),
        ],
        resolvers: ["example", new URL("https://dns.example/dns-query")],
        signal: js("{}"),
        observer: js("true"),
      } as never),
    ),
  ).toEqual([
    "solvers[0].provider: has to be the id of a provider, or what defineProvider answers, and is a number",
    "solvers[2].zone: is no option",
    "stateDir: has to be a string, and is a number",
    "observer: has to be a function, and is true",
    "signal: has to be an AbortSignal, as an AbortController has one, and is an object",
    "domains: has to be an array, and is a string",
    "eab.hmacKey: is missing",
    "keyType: has to be one of ec256, ec384, rsa2048, rsa3072, rsa4096",
    "force: has to be true or false, and is a string",
    "propogation: is no option; did you mean propagation?",
    expect.stringMatching(/^ca: "letsencrpt" is no CA; did you mean "letsencrypt"/),
    "dnsPort: 70000 is no port",
    "propagationTimeoutMs: has to be a number of milliseconds above 0",
    expect.stringMatching(/^resolvers\[0\]: "example" is no address/),
    'solvers[1].provider: there is no provider "rfc213"; did you mean rfc2136?',
  ]);
  const solvers = [{ provider: "memory" }];
  expect(await call(() => renew({ solvers, stateDir: "none", names: js(`["a", 1]`), parallel: 0 }))).toEqual([
    "names[1]: has to be a string, and is a number",
    "parallel: has to be at least 1",
  ]);
  // What is another function's option is no slip, where options are shared.
  const shared: object = js(`{ "domains": 1, "nmaes": ["a"] }`);
  expect(await call(() => renew({ solvers, stateDir: "none", ...shared }))).toEqual([
    "nmaes: is no option; did you mean names?",
  ]);
  expect(
    await call(() => watch({ solvers, stateDir: "none", certificates: [js("{}"), { domains: ["a b"], cas: ["x"] }] })),
  ).toEqual([
    "certificates[0].domains: is missing",
    expect.stringMatching(/^certificates\[1\]\.domains/),
    expect.stringMatching(/^certificates\[1\]\.cas\[0\]/),
  ]);
});

test("an observer that throws, or rejects, ends neither the work nor the process, and is told once", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const common = { ...lab, solvers, stateDir, ca: box.directoryUrl, domains: ["a.example.test"], force: true };
  const observers: readonly ((event: Dns01Event) => void)[] = [
    () => {
      throw new Error("not mine");
    },
    async () => {
      throw new Error("not mine either");
    },
  ];
  for (const observer of observers) expect((await issue({ ...common, observer })).reused).toBe(false);
  expect(box.zone.txt("_acme-challenge.a.example.test")).toEqual([]);
  expect(warned.mock.calls.map(([text]) => text)).toEqual([
    "observer failed, and the work went on: not mine",
    "observer failed, and the work went on: not mine either",
  ]);
});

test("watch: the example of docs/library.md issues, says so, and ends with its signal", async () => {
  const { box, config, lab, stateDir } = await inSandbox();
  const text = await readFile(new URL("../docs/library.md", import.meta.url), "utf8");
  const example = [...text.matchAll(/```ts\n(.*?)```/gs)]
    .map(([, code = ""]) => code)
    .find((c) => c.includes("watch({"));
  const here = [
    [`new AbortController();`, `new AbortController(); process.once("SIGUSR2", () => stop.abort());`],
    [`"./state",`, `${JSON.stringify(stateDir)}, ...${JSON.stringify(lab)},`],
    [`["letsencrypt", "google"]`, JSON.stringify([box.directoryUrl])],
    [`{ nameserver: "192.0.2.53" }`, JSON.stringify(config)],
    [`"dns01"`, `"../../src/library.ts"`],
  ] as const;
  let program = (example ?? "").replaceAll("example.com", "example.test");
  for (const [from, to] of here) {
    expect(program).toContain(from);
    program = program.replace(from, to);
  }
  const file = join(await folder(fileURLToPath(new URL(".", import.meta.url))), "watch.ts");
  await writeFile(file, program);
  const said = vi.spyOn(console, "log").mockImplementation(() => void process.emit("SIGUSR2"));
  await import(file);
  expect(said.mock.calls).toEqual([["example.test", "is new from", box.directoryUrl]]);
  expect(await readFile(join(stateDir, "certificates/example.test/current/cert.pem"), "utf8")).toContain("BEGIN");
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual([]);
});

test("watch: all faults of the options at once, and one at a time in a folder", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const common = { ...lab, solvers, stateDir };
  const bad = { domains: ["a b"], cas: [] };
  const error: unknown = await watch({ ...common, solvers: [], certificates: [bad, bad] }).catch((e: unknown) => e);
  expect((error as ConfigError).issues.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["solvers", "certificates[0].cas", "certificates[1].cas"]),
  );
  const stop = new AbortController();
  const certificates = [{ domains: ["a.example.test"], cas: [box.directoryUrl] }];
  let ended: Promise<void> | undefined;
  await new Promise<void>((resolve, reject) => {
    const onEvent = ({ type }: { readonly type: string }) => type === "renewed" && resolve();
    ended = watch({ ...common, certificates, onEvent, signal: stop.signal });
    ended.then(() => resolve(), reject);
  });
  await expect(watch({ ...common, certificates })).rejects.toMatchObject({ code: "LOCKED" });
  stop.abort();
  // Its folder is not to be taken away before.
  await ended;
});

test("issue: resolvers as the commands spell them", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const { domains } = await issue({
    ...{ ...lab, solvers, stateDir, ca: box.directoryUrl, domains: ["text.example.test"] },
    resolvers: [box.resolver],
  });
  expect(domains).toEqual(["text.example.test"]);
});

test("issue: options that no type has checked are refused all at once, before anything is called", async () => {
  const { lab, solvers, stateDir } = await inSandbox();
  const fromJavaScript = {
    ...{ ...lab, solvers, stateDir, ca: "https://127.0.0.1:1/directory", domains: ["a.example.test"] },
    ...{ resolvers: ["x:y", { host: "192.0.2.1" }, "ns.example.test"], dnsPort: 0, propagation: "bothh" },
    ...{ propagationTimeoutMs: "5m", keyType: "ec257" },
  };
  const error: unknown = await issue(fromJavaScript as unknown as Parameters<typeof issue>[0]).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  const paths = ["keyType", "dnsPort", "propagation", "propagationTimeoutMs", "resolvers[0]", "resolvers[1]"];
  expect((error as ConfigError).issues.map(({ path }) => path)).toEqual([...paths, "resolvers[2]"]);
  expect((error as ConfigError).message).toContain('did you mean "both"?');
});

test("what a CA would be told or trusted by is looked at with the other options, under the options' own names", async () => {
  const { lab, solvers, stateDir } = await inSandbox();
  const common = { ...lab, solvers, stateDir, caRoot: "./root.pem" };
  const eab = { kid: " ", hmacKey: "no base64" };
  const told = async (work: Promise<unknown>) => {
    const error: unknown = await work.catch((e: unknown) => e);
    return error instanceof ConfigError ? error.issues.map(({ path, message }) => `${path} ${message}`) : [error];
  };
  const one = { domains: ["a.example.test"], email: "mailto:ops@example.test", eab };
  const faults = (at: string) => [
    `${at}email is no mail address`,
    `${at}eab.kid is empty`,
    `${at}eab.hmacKey is neither base64url nor base64: copy it whole from the CA's page`,
    "caRoot holds no certificate in PEM form",
  ];
  expect(await told(issue({ ...common, ...one, ca: "https://127.0.0.1:1/directory" }))).toEqual(faults(""));
  expect(await told(renew(common))).toEqual(["caRoot holds no certificate in PEM form"]);
  expect(await told(watch({ ...common, certificates: [one] }))).toEqual(faults("certificates[0]."));
});

test("watch: a signal that has fired before is an end without an error, and nothing was called", async () => {
  const { box, lab, solvers, stateDir } = await inSandbox();
  const certificates = [{ domains: ["a.example.test"], cas: [box.directoryUrl] }];
  await expect(
    watch({ ...lab, solvers, stateDir, certificates, signal: AbortSignal.abort() }),
  ).resolves.toBeUndefined();
  expect(box.ca.state.orders.size).toBe(0);
});

test("what a service repeats of the credentials is in no error and no event", async () => {
  const token = "planted-token-0123456789abcdef";
  const service = createServer((req, res) => {
    res.writeHead(403, { "content-type": "application/json" });
    res.end(JSON.stringify({ detail: `no such token: ${req.headers.authorization}` }));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  try {
    const { box, lab, stateDir } = await inSandbox();
    const { port } = service.address() as AddressInfo;
    const solvers = [{ provider: "desec", config: { token, endpoint: `http://127.0.0.1:${port}` } }];
    const events: Dns01Event[] = [];
    const observer = (event: Dns01Event) => void events.push(event);
    const options = { ...lab, solvers, stateDir, observer, ca: box.directoryUrl, domains: ["a.example.test"] };
    const error = await issue(options).catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 20 })).toContain("no such token: ");
    for (const text of [inspect(error, { depth: 20, showHidden: true }), inspect(events, { depth: 20 })])
      expect(text).not.toContain(token);
  } finally {
    service.close();
  }
});
