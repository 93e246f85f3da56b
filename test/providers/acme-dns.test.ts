import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import acmeDns from "../../providers/acme-dns.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { createRedactor } from "../../src/core/redact.ts";
import type { Solver } from "../../src/core/solver.ts";
import { connectSolver } from "../../src/providers.ts";
import { type AcmeDnsServer, type RegisteredAccount, startAcmeDnsServer } from "../fakes/acme-dns.ts";
import { createFastClock } from "../fakes/fast-clock.ts";

const auth = parseName("auth.example.org");
const account: RegisteredAccount = {
  username: "c36f50e8-4632-44f0-83fe-e070fef28a10",
  password: "htB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z",
  subdomain: "8e5700ea-a4bf-41c7-8a77-e990661dcc6a",
  fulldomain: "8e5700ea-a4bf-41c7-8a77-e990661dcc6a.auth.example.org",
};
const other: RegisteredAccount = {
  username: "aa6f50e8-4632-44f0-83fe-e070fef28a10",
  password: "aaB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z",
  subdomain: "aa5700ea-a4bf-41c7-8a77-e990661dcc6a",
  fulldomain: "aa5700ea-a4bf-41c7-8a77-e990661dcc6a.auth.example.org",
};
const owner = parseName(account.fulldomain);
const [a, b, c] = ["A", "B", "C"].map((letter) => letter.repeat(43)) as [string, string, string];

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Setup {
  readonly server: AcmeDnsServer;
  readonly solver: Solver;
  readonly signal: AbortSignal;
  readonly events: readonly Dns01Event[];
  present(values: readonly string[], name?: DomainName, zoneCut?: DomainName): Promise<unknown>;
}

async function setup(given?: (endpoint: string) => Readonly<Record<string, unknown>>, ambient = true): Promise<Setup> {
  // A hundred times as fast, like the program's clock.
  const server = await startAcmeDnsServer([account, other], { seconds: () => Math.floor(performance.now() / 10) });
  const stop = new AbortController();
  ends.push(server.http.close, () => stop.abort());
  const { url: endpoint } = server.http;
  const config = given?.(endpoint) ?? { endpoint, ...account };
  const redactor = createRedactor();
  const events: Dns01Event[] = [];
  const resolved = await resolveConfig(acmeDns, { config, redactor, env: {} });
  const solver = await connectSolver(acmeDns, resolved, {
    signal: stop.signal,
    clock: createFastClock(100),
    allowAmbientCredentials: ambient,
    redactor,
    observer: (event) => void events.push(event),
    timeoutMs: 600_000,
    requestTimeoutMs: 300_000,
  });
  return {
    server,
    solver,
    signal: stop.signal,
    events,
    present: (values, name = owner, zoneCut = auth) => solver.present([{ owner: name, values, zoneCut }], stop.signal),
  };
}

const stored = (...entries: readonly (readonly [string, object])[]) => JSON.stringify(Object.fromEntries(entries));

test("sends what the real server wants, to the zone that its server is authoritative for", async () => {
  const { server, solver, signal, events } = await setup();
  const solved = await solver.present([{ owner, values: [a, b], zoneCut: auth }], signal);
  expect(solved).toMatchObject([{ owner, zone: { apex: auth }, changed: true }]);
  expect([...server.served(account.fulldomain)].sort()).toEqual([a, b]);
  const { method, path, headers, body } = server.http.calls[0]?.request ?? {};
  expect([method, path]).toEqual(["POST", "/update"]);
  expect(headers).toMatchObject({ "x-api-user": account.username, "x-api-key": account.password });
  expect(JSON.parse(body ?? "")).toEqual({ subdomain: account.subdomain, txt: a });
  expect(events.filter(({ type }) => type === "zone.mismatch")).toEqual([]);
});

test("the next order pushes the values of the last one out, and clean-up asks for nothing", async () => {
  const { server, solver, signal, present } = await setup();
  await present([a, b]);
  server.http.clearCalls();
  expect(await solver.cleanUp([{ owner, values: [a, b], zoneCut: auth }], signal)).toMatchObject([{ changed: false }]);
  expect(server.http.calls).toEqual([]);
  await present([c]);
  expect(server.served(account.fulldomain)).toContain(c);
  expect(server.served(account.fulldomain)).toHaveLength(2);
});

test.each([1, 2])("both values are served although the answer to update %i was lost", async (nth) => {
  const { server, present } = await setup();
  server.http.inject({ kind: "lostResponse", nth });
  await present([a, b]);
  expect([...server.served(account.fulldomain)].sort()).toEqual([a, b]);
});

test("of two separate calls, a lost answer to the second costs the first one's value until it is presented again", async () => {
  const { server, present } = await setup();
  await present([a]);
  server.http.inject({ kind: "lostResponse" });
  await present([b]);
  expect(server.served(account.fulldomain)).toEqual([b]);
  await present([a]);
  expect([...server.served(account.fulldomain)].sort()).toEqual([a, b]);
});

test("refuses more values than are kept, before any of them is sent", async () => {
  const { server, solver, signal } = await setup((endpoint) => ({
    endpoint,
    accounts: stored(["example.com", account], ["example.org", other]),
  }));
  const items = [
    { owner: parseName(other.fulldomain), values: [a], zoneCut: auth },
    { owner, values: [a, b, c], zoneCut: auth },
  ];
  await expect(solver.present(items, signal)).rejects.toMatchObject({
    code: "REJECTED",
    message: expect.stringMatching(/keeps the 2 newest values, and 3 are needed at once/),
  });
  expect(server.http.calls).toEqual([]);
});

test("takes the account whose name the alias leads to, whatever domain it is stored for", async () => {
  const { server, present } = await setup((endpoint) => ({
    endpoint,
    accounts: stored(["example.com", account], ["www.example.com", other]),
  }));
  await present([a], parseName(other.fulldomain));
  expect(server.served(other.fulldomain)).toEqual([a]);
  expect(server.served(account.fulldomain)).toEqual([]);
});

test("says which CNAME is missing", async () => {
  const challenge = parseName("_acme-challenge.example.com");
  const zone = parseName("example.com");
  for (const given of [
    undefined,
    (endpoint: string) => ({ endpoint, accounts: stored(["*.example.com", account], ["example.net", other]) }),
  ]) {
    const { server, present } = await setup(given);
    await expect(present([a], challenge, zone)).rejects.toMatchObject({
      code: "ZONE_NOT_FOUND",
      hint: `Create the record: _acme-challenge.example.com. CNAME ${account.fulldomain}.`,
    });
    expect(server.http.calls).toEqual([]);
  }
  const { present } = await setup((endpoint) => ({
    endpoint,
    accounts: stored(["a.test", account], ["b.test", other]),
  }));
  await expect(present([a], challenge, zone)).rejects.toMatchObject({
    hint: expect.stringMatching(/No account is given for example\.com: register one .* dns01 registers none/),
  });
});

test("an alias that leads to an account nobody gave is named", async () => {
  const { server, present } = await setup();
  const stranger = parseName(other.fulldomain);
  await expect(present([a], stranger)).rejects.toMatchObject({
    code: "REJECTED",
    message: expect.stringContaining(`none of the given accounts is for ${stranger}`),
  });
  expect(server.http.calls).toEqual([]);
});

test("an account without fulldomain is known by its first label", async () => {
  const { fulldomain: _left, ...login } = account;
  const { server, present } = await setup((endpoint) => ({ endpoint, ...login }));
  await present([a]);
  expect(server.served(account.fulldomain)).toEqual([a]);
});

test.each([
  ["lego 5", stored(["example.com", { ...account, server_url: "https://auth.example.org" }])],
  [
    "lego 4",
    stored([
      "example.com",
      {
        FullDomain: account.fulldomain,
        SubDomain: account.subdomain,
        Username: account.username,
        Password: account.password,
      },
    ]),
  ],
  ["cert-manager", stored(["example.com", { ...account, allowfrom: [] }])],
])("reads the storage of %s, and masks its passwords", async (_who, json) => {
  const dir = await mkdtemp(join(tmpdir(), "acme-dns-"));
  ends.push(() => rm(dir, { recursive: true }));
  const storagePath = join(dir, "accounts.json");
  await writeFile(storagePath, json);
  const { server, present } = await setup((endpoint) => ({ endpoint, storagePath }));
  await present([a]);
  expect(server.served(account.fulldomain)).toEqual([a]);
  const error = `no ${account.password}`;
  server.http.inject({ kind: "reply", reply: () => ({ status: 400, body: { error } }), times: 9 });
  await expect(present([b])).rejects.toThrow(/400.*no \*\*\*/);
});

test("reads no file for somebody who may not use this machine's", async () => {
  const given = (endpoint: string) => ({ endpoint, storagePath: import.meta.filename });
  await expect(setup(given, false)).rejects.toThrow(/storagePath: files of this machine may not be used here/);
});

test.each([
  ["/does/not/exist", /storagePath: cannot take accounts from \/does\/not\/exist: ENOENT/],
  [import.meta.filename, /storagePath: cannot take accounts from .*acme-dns\.test\.ts: is no JSON object/],
])("names a storage that is of no use (%#)", async (storagePath, said) => {
  await expect(setup((endpoint) => ({ endpoint, storagePath }))).rejects.toThrow(said);
});

test("explains a value that the server does not take, and credentials that it refuses", async () => {
  const { server, present } = await setup();
  await expect(present(["too-short"])).rejects.toMatchObject({ code: "REJECTED", serviceCode: "bad_txt" });
  server.refuse();
  await expect(present([a])).rejects.toMatchObject({
    code: "AUTH",
    message: expect.stringMatching(/^acme-dns: cannot create TXT at .*401.*forbidden/),
    hint: expect.stringContaining("addresses it may be used from"),
  });
});

test("an answer that is not about the value sent is no success", async () => {
  const { server, present } = await setup();
  server.http.inject({ kind: "reply", reply: () => ({ body: { ok: true } }) });
  await present([a]);
  expect(server.http.calls).toHaveLength(2);
});

const endpoint = "https://auth.example.org";
test.each([
  [{ endpoint }, /ACME_DNS_STORAGE_PATH.*is missing: give storagePath, accounts, or username, password and subdomain/i],
  [{ endpoint, username: "u" }, /ACMEDNS_PASSWORD.*go together.*ACMEDNS_SUBDOMAIN.*go together/s],
  [{ endpoint, fulldomain: "a.b.c" }, /ACMEDNS_USERNAME.*go together/],
  [{ endpoint, ...account, fulldomain: "a..b" }, /fulldomain: is no domain name/],
  [{ endpoint, accounts: "{" }, /accounts: is no JSON object of accounts by domain/],
  [{ endpoint, accounts: "{}" }, /accounts: holds no account/],
  [{ endpoint, accounts: '{"example.com":{"username":"u"}}' }, /accounts: has no password for example\.com/],
  [{ endpoint, accounts: stored(["a.test", account]), storagePath: "x" }, /give one of storagePath and accounts/],
])("refuses %j before any call", async (config, said) => {
  await expect(resolveConfig(acmeDns, { config, env: {} })).rejects.toThrow(said);
});

test("takes the names of lego, acme.sh and cert-manager", () => {
  const fields = new Map(fieldsOf(acmeDns).map((field) => [field.name, field]));
  expect(fields.get("endpoint")).toMatchObject({
    env: ["ACME_DNS_API_BASE", "ACMEDNS_BASE_URL", "ACME_DNS_ENDPOINT"],
    aliases: ["host"],
  });
  expect(fields.get("storagePath")?.env).toEqual(["ACME_DNS_STORAGE_PATH"]);
  expect(fields.get("password")?.env).toEqual(["ACMEDNS_PASSWORD", "ACME_DNS_PASSWORD"]);
  expect(fields.get("accounts")?.references).toContain("accountSecretRef");
});
