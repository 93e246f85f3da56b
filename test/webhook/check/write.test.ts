import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../../src/sandbox/index.ts";
import type { KubeApiServer } from "../../fakes/kube-apiserver.ts";
import { secret } from "../../kubernetes/support.ts";
import { check, issuer, solver, startCluster } from "./cluster.ts";

/** Real nameservers of the sandbox, written to by dynamic update with the key that stands in a Secret. */
let sandbox: Sandbox;
let api: KubeApiServer;
beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
});
afterAll(() => sandbox?.close());

const owner = "_acme-challenge.example.test";
const values = () => sandbox.zone.txt(owner);
const dns = () => [
  "--resolver",
  sandbox.resolver,
  "--dns-port",
  String(sandbox.dnsPort),
  "--propagation-timeout",
  "20s",
];

function config(nameserver = sandbox.nameservers[0]) {
  return {
    nameserver: `${nameserver?.address}:${nameserver?.port}`,
    tsigKeyName: sandbox.tsig.keyName,
    tsigAlgorithm: sandbox.tsig.algorithm,
    tsigSecretSecretRef: { name: "tsig", key: "secret" },
  };
}

beforeEach(async () => {
  api = await startCluster();
  api.store.put(secret("tsig", "cert-manager", { secret: `${sandbox.tsig.secret}\n` }));
  api.store.put(
    issuer("letsencrypt", undefined, solver("rfc2136", config(), { selector: { dnsZones: ["example.test"] } })),
  );
});

const target = ["--issuer", "letsencrypt", "--domain", "*.example.test"];

test("writes a random value, finds it at every nameserver and takes it out; others stay", async () => {
  sandbox.zone.addTxt(owner, "a foreign value");
  const before = sandbox.zone.serial("example.test") ?? 0;
  const { failures, warnings, findings, status, text } = await check(api, [...target, ...dns()]);
  expect({ failures, warnings, status }).toEqual({ failures: [], warnings: [], status: 0 });
  expect(findings.filter(({ check: id }) => id === "write").map(({ cause }) => cause)).toEqual([
    "rfc2136 takes the credentials, and zone example.test holds _acme-challenge.example.test",
    "a random value was written, and 2 nameservers serve it",
    "the value was taken out again",
  ]);
  // Once in, once out.
  expect((sandbox.zone.serial("example.test") ?? 0) - before).toBe(2);
  expect(values()).toEqual(["a foreign value"]);
  expect(text).not.toContain(sandbox.tsig.secret);
});

test("credentials of dns01's pod are no fault of a ClusterIssuer, and cannot be tried; an Issuer does not get them", async () => {
  const keyless = solver("route53", { region: "eu-west-1" }, { selector: { dnsZones: ["example.test"] } });
  api.store.put(issuer("keyless", undefined, keyless));
  api.store.put(issuer("keyless", "shop", keyless));
  const own = await check(api, ["--issuer", "keyless", "--domain", "example.test", ...dns()]);
  expect({ failures: own.failures, status: own.status }).toEqual({ failures: [], status: 0 });
  expect(own.warnings).toEqual([
    `${owner} by ClusterIssuer keyless: nothing was written: it names no credentials, and those of dns01's pod can only be used there → A Certificate from the CA's staging endpoint shows whether they are good.`,
  ]);
  const other = await check(api, ["--issuer", "shop/keyless", "--domain", "example.test", ...dns()]);
  expect(other.failures).toEqual([expect.stringContaining("may not be used here: give accessKeyID")]);
});

test("--write tries every Issuer whose selector names a domain, and says which does not", async () => {
  api.store.put(issuer("other", undefined, solver("rfc2136", config())));
  const { failures, warnings, findings } = await check(api, ["--write", ...dns()]);
  expect(failures).toEqual([]);
  expect(warnings).toEqual([
    "ClusterIssuer other: no value was written with rfc2136: its selector names no domain → Give --issuer other and --domain.",
  ]);
  expect(findings.filter(({ cause }) => cause === "the value was taken out again")).toHaveLength(1);
});

test("credentials that are not valid are a failure of their class, and nothing is left", async () => {
  api.store.put(secret("tsig", "cert-manager", { secret: Buffer.from("another key").toString("base64") }));
  const { failures, status } = await check(api, [...target, ...dns()]);
  expect(failures[0]).toMatch(/^_acme-challenge\.example\.test by ClusterIssuer letsencrypt: .*BADSIG/);
  expect(status).toBe(3);
  expect(values()).toEqual(["a foreign value"]);
});

test("a zone that nobody holds, a Secret that is not there", async () => {
  const { failures, status } = await check(api, [
    "--issuer",
    "letsencrypt",
    "--domain",
    "nowhere.example.test",
    ...dns(),
  ]);
  expect({ failures, status }).toEqual({ failures: [], status: 0 });
  api.store.remove("Secret", "tsig", "cert-manager");
  const without = await check(api, [...target, ...dns()]);
  expect(without.failures).toEqual([
    expect.stringContaining("Secret cert-manager/tsig of ClusterIssuer letsencrypt: there is none"),
  ]);
  expect(without.warnings).toEqual([
    expect.stringMatching(/nothing was written: config\.tsigSecretSecretRef names Secret "tsig"/),
  ]);
});

test("an alias is followed where the Issuer says so, else it is the failure", async () => {
  sandbox.zone.addCname("_acme-challenge.follows.example.test", "_acme-challenge.child.example.test");
  const at = ["--issuer", "letsencrypt", "--domain", "follows.example.test", ...dns()];
  const not = await check(api, at);
  expect(not.failures).toEqual([
    expect.stringMatching(/is an alias \(.*child\.example\.test\).*→ Set cnameStrategy: Follow/),
  ]);
  expect(not.status).toBe(2);
  const following = solver("rfc2136", config());
  const dns01 = { ...following.dns01, cnameStrategy: "Follow" };
  api.store.put(issuer("letsencrypt", undefined, { ...following, dns01 }));
  const { failures, findings } = await check(api, at);
  expect(failures).toEqual([]);
  expect(findings.map(({ cause }) => cause)).toContain(
    "is an alias: _acme-challenge.follows.example.test → _acme-challenge.child.example.test; the value is written at _acme-challenge.child.example.test",
  );
});

test("Ctrl-C in the middle: the value is taken out all the same", async () => {
  // The second nameserver never follows, so that the wait is under way when the signal comes.
  sandbox.zone.setLag(Number.POSITIVE_INFINITY);
  const stop = new AbortController();
  const run = check(api, [...target, ...dns()], { signal: stop.signal });
  const ended = run.catch((error: unknown) => error);
  while (values().length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort(new Error("enough"));
  await ended;
  expect(values()).toEqual(["a foreign value"]);
});

test("with the gate on, port 53 is tried in the cluster; outside it is said that it was not", async () => {
  const domain = ["--propagation-gate", ...dns()];
  const outside = await check(api, domain);
  expect(outside.warnings).toEqual([
    expect.stringMatching(/^port 53 for the propagation gate: was not tried: this is no pod/),
  ]);
  const inside = await check(api, domain, { inPod: true });
  expect(inside.findings.find(({ check: id }) => id === "egress")).toMatchObject({
    state: "ok",
    cause: "the nameservers of example.test answer",
  });
  // Nobody listens there.
  const blocked = ["--propagation-gate", "--resolver", "127.0.0.1:9", "--discovery", "resolver"];
  const { failures, status } = await check(api, blocked, { inPod: true });
  expect(failures).toEqual([
    expect.stringMatching(/^port 53 for the propagation gate: .*→ Let the pods reach port 53/),
  ]);
  expect(status).toBe(4);
});
