import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { csrFor, type RawAcme, type RawReply, rawAcme, txtFor } from "./raw-acme.ts";

const closers: (() => Promise<void> | void)[] = [];
let sandbox: Sandbox;
let client: RawAcme;

beforeAll(async () => {
  ({ sandbox, client } = await start({ seed: 2 }));
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

async function start(options: SandboxOptions): Promise<{ sandbox: Sandbox; client: RawAcme }> {
  const box = await startSandbox(options);
  const one = await rawAcme(box);
  closers.push(box.close, () => one.close());
  await one.register();
  return { sandbox: box, client: one };
}

interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token: string;
  readonly status: string;
  readonly error?: { readonly type: string; readonly detail: string };
}
interface Authorization {
  readonly url: string;
  readonly status: string;
  readonly wildcard?: boolean;
  readonly identifier: { readonly value: string };
  readonly challenges: readonly Challenge[];
}
interface Order {
  readonly url: string;
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: { readonly type: string; readonly detail: string };
}

const identifiers = (names: readonly string[]) => names.map((value) => ({ type: "dns", value }));

async function newOrder(who: RawAcme, names: readonly string[], more: object = {}): Promise<RawReply> {
  const { newOrder: url = "" } = await who.directory();
  return who.post(url, { identifiers: identifiers(names), ...more });
}

function orderOf(reply: RawReply): Order {
  return { ...(reply.json as unknown as Order), url: String(reply.headers["location"]) };
}

async function authorizationsOf(who: RawAcme, order: Order): Promise<readonly Authorization[]> {
  const replies = await Promise.all(order.authorizations.map((url) => who.post(url)));
  return replies.map((reply, i) => ({
    ...(reply.json as unknown as Authorization),
    url: order.authorizations[i] ?? "",
  }));
}

/** Writes the right values, unless `values` says otherwise, and answers every challenge. */
async function solve(box: Sandbox, who: RawAcme, order: Order, values?: (right: string) => string): Promise<void> {
  for (const { identifier, challenges } of await authorizationsOf(who, order)) {
    const challenge = challenges.find((c) => c.type === "dns-01");
    if (challenge === undefined) throw new Error("no dns-01 challenge");
    const right = await txtFor(who.key, challenge.token);
    box.zone.addTxt(`_acme-challenge.${identifier.value}`, values?.(right) ?? right);
    await who.post(challenge.url, {});
  }
}

async function settled(who: RawAcme, url: string): Promise<Order> {
  for (;;) {
    const order = { ...((await who.post(url)).json as unknown as Order), url };
    if (order.status !== "pending" && order.status !== "processing") return order;
  }
}

async function certify(box: Sandbox, who: RawAcme, names: readonly string[], more: object = {}): Promise<string> {
  const order = orderOf(await newOrder(who, names, more));
  await solve(box, who, order);
  expect((await settled(who, order.url)).status).toBe("ready");
  await who.post(order.finalize, { csr: await csrFor(names) });
  const done = await settled(who, order.url);
  expect(done.status).toBe("valid");
  return done.certificate ?? "";
}

function chainOf(pem: string): readonly X509Certificate[] {
  return (pem.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one));
}

describe("an order", () => {
  test("for apex and wildcard goes from pending to a certificate that chains to the root", async () => {
    const names = ["example.test", "*.example.test"];
    const created = await newOrder(client, names);
    expect(created.status).toBe(201);
    const order = orderOf(created);
    expect(order).toMatchObject({ status: "pending", url: expect.stringContaining("/order/") });
    const authorizations = await authorizationsOf(client, order);
    expect(authorizations.map((a) => [a.identifier.value, a.wildcard ?? false]).sort()).toEqual([
      ["example.test", false],
      ["example.test", true],
    ]);
    expect(new Set(authorizations.flatMap((a) => a.challenges.map((c) => c.token))).size).toBe(2);
    await solve(sandbox, client, order);
    const ready = await settled(client, order.url);
    expect(ready.status).toBe("ready");
    const finalized = await client.post(order.finalize, { csr: await csrFor(names) });
    expect(finalized.json["status"]).toBe("processing");
    const done = await settled(client, order.url);
    const downloaded = await client.post(done.certificate ?? "");
    expect(downloaded.headers["content-type"]).toBe("application/pem-certificate-chain");
    const [leaf, issuer] = chainOf(downloaded.text);
    const root = new X509Certificate(sandbox.caRootPem);
    if (leaf === undefined || issuer === undefined) throw new Error("a chain of two was expected");
    expect(leaf.subjectAltName?.split(", ").sort()).toEqual(["DNS:*.example.test", "DNS:example.test"]);
    expect([leaf.verify(issuer.publicKey), issuer.verify(root.publicKey), root.ca, leaf.ca]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom) + 1000) / 86_400_000;
    expect(days).toBe(90);
  });

  test("offers the chain of its other root as an alternate", async () => {
    const url = await certify(sandbox, client, ["a.example.test"]);
    const first = await client.post(url);
    const links = [first.headers["link"] ?? []].flat().join(", ");
    const [, alternate = ""] = /<([^>]+)>;rel="alternate"/.exec(links) ?? [];
    const second = chainOf((await client.post(alternate)).text);
    const other = new X509Certificate(sandbox.alternateRootPem);
    expect(second[0]?.serialNumber).toBe(chainOf(first.text)[0]?.serialNumber);
    expect(second[1]?.verify(other.publicKey)).toBe(true);
    expect(second[1]?.verify(new X509Certificate(sandbox.caRootPem).publicKey)).toBe(false);
  });

  test("cannot be finalized before it is ready, nor twice", async () => {
    const order = orderOf(await newOrder(client, ["b.example.test"]));
    const csr = await csrFor(["b.example.test"]);
    const early = await client.post(order.finalize, { csr });
    expect([early.status, early.problem]).toEqual([403, "orderNotReady"]);
    await solve(sandbox, client, order);
    await settled(client, order.url);
    expect((await client.post(order.finalize, { csr })).status).toBe(200);
    expect((await client.post(order.finalize, { csr })).problem).toBe("orderNotReady");
  });

  test("stays ready after a CSR that does not fit", async () => {
    const name = "c.example.test";
    const order = orderOf(await newOrder(client, [name]));
    await solve(sandbox, client, order);
    await settled(client, order.url);
    const faults = {
      "another name": await csrFor(["d.example.test"]),
      "one name more": await csrFor([name, "d.example.test"]),
      "a foreign common name": await csrFor([name], undefined, "d.example.test"),
      "the account key": await csrFor([name], client.key),
      "no CSR at all": Buffer.from("hello").toString("base64url"),
    };
    for (const [fault, csr] of Object.entries(faults)) {
      const reply = await client.post(order.finalize, { csr });
      expect([fault, reply.status, reply.problem]).toEqual([fault, 400, "badCSR"]);
    }
    expect((await client.post(order.finalize, { csr: "AA==" })).problem).toBe("malformed");
    const good = await csrFor([name], undefined, name);
    expect((await client.post(order.finalize, { csr: good })).status).toBe(200);
    expect((await settled(client, order.url)).status).toBe("valid");
  });

  test.each([
    ["example.test.", "malformed"],
    ["*.*.example.test", "malformed"],
    ["a.*.example.test", "malformed"],
    ["exämple.test", "malformed"],
    ["-a.example.test", "malformed"],
    ["a_b.example.test", "malformed"],
    [`${"a".repeat(64)}.test`, "malformed"],
    [`${"a.".repeat(130)}test`, "malformed"],
    ["192.0.2.1", "malformed"],
    ["localhost", "rejectedIdentifier"],
    ["", "malformed"],
  ])("for %j is refused: %s", async (name, problem) => {
    expect((await newOrder(client, [name])).problem).toBe(problem);
  });

  test("for an IP identifier is unsupported, for nothing malformed", async () => {
    const { newOrder: url = "" } = await client.directory();
    const ip = await client.post(url, { identifiers: [{ type: "ip", value: "192.0.2.1" }] });
    expect([ip.problem, (await client.post(url, { identifiers: [] })).problem]).toEqual([
      "unsupportedIdentifier",
      "malformed",
    ]);
  });

  test("for a name that its own wildcard covers is refused, as boulder does", async () => {
    expect((await newOrder(client, ["*.example.test", "www.example.test"])).problem).toBe("malformed");
  });

  test("has repeated names once, in lower case", async () => {
    const order = await newOrder(client, ["E.example.test", "e.example.test"]);
    expect(order.json["identifiers"]).toEqual(identifiers(["e.example.test"]));
  });

  test("with a profile that does not exist is refused, and with one that does has its lifetime", async () => {
    expect((await newOrder(client, ["f.example.test"], { profile: "gold" })).problem).toBe("invalidProfile");
    const url = await certify(sandbox, client, ["f.example.test"], { profile: "shortlived" });
    const [leaf] = chainOf((await client.post(url)).text);
    if (leaf === undefined) throw new Error("no leaf");
    expect(Math.round((Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000)).toBe(6);
  });
});

describe("validation", () => {
  test("a wrong value makes authorization and order invalid, naming server and value", async () => {
    const order = orderOf(await newOrder(client, ["g.example.test"]));
    await solve(sandbox, client, order, () => "nonsense");
    const dead = await settled(client, order.url);
    expect(dead.status).toBe("invalid");
    expect(dead.error).toMatchObject({ type: expect.stringContaining(":unauthorized") });
    expect(dead.error?.detail).toMatch(
      /"nonsense".*_acme-challenge\.g\.example\.test on ns1\.example\.test \(127\.0\.0\.1\)/,
    );
    const [authorization] = await authorizationsOf(client, order);
    expect(authorization).toMatchObject({ status: "invalid", challenges: [{ status: "invalid" }] });
    expect(authorization?.challenges[0]?.error?.type).toBe(dead.error?.type);
  });

  test("a missing name is a dns problem", async () => {
    const order = orderOf(await newOrder(client, ["h.example.test"]));
    const [authorization] = await authorizationsOf(client, order);
    await client.post(authorization?.challenges[0]?.url ?? "", {});
    expect((await settled(client, order.url)).error).toMatchObject({
      type: "urn:ietf:params:acme:error:dns",
      detail: expect.stringContaining("NXDOMAIN"),
    });
  });

  test("a second nameserver that is behind fails it, and is the one named", async () => {
    const box = await start({ seed: 3, lagMs: 60_000 });
    const order = orderOf(await newOrder(box.client, ["example.test"]));
    await solve(box.sandbox, box.client, order);
    const dead = await settled(box.client, order.url);
    expect(dead.error?.detail).toContain("ns2.example.test (127.0.0.2)");
    expect(dead.error?.detail).not.toContain("ns1.example.test (");
  });

  test("one right value among others is enough, and its strings are joined", async () => {
    const order = orderOf(await newOrder(client, ["i.example.test"]));
    sandbox.zone.addTxt("_acme-challenge.i.example.test", "other");
    await solve(sandbox, client, order);
    expect((await settled(client, order.url)).status).toBe("ready");
  });

  test("aliases are followed into another zone", async () => {
    const order = orderOf(await newOrder(client, ["alias.example.test"]));
    const [authorization] = await authorizationsOf(client, order);
    const challenge = authorization?.challenges[0];
    if (challenge === undefined) throw new Error("no challenge");
    sandbox.zone.addTxt("alias.delegated.test", await txtFor(client.key, challenge.token));
    await client.post(challenge.url, {});
    expect((await settled(client, order.url)).status).toBe("ready");
  });

  test("names in a delegated child are looked up there", async () => {
    await certify(sandbox, client, ["child.example.test", "*.child.example.test"]);
    expect(sandbox.zone.txt("_acme-challenge.child.example.test")).toHaveLength(2);
    expect(sandbox.zone.serial("child.example.test")).toBeGreaterThan(1);
  });

  test("an alias loop and a target that does not exist are dns problems", async () => {
    sandbox.zone.addCname("_acme-challenge.j.example.test", "_acme-challenge.k.example.test");
    sandbox.zone.addCname("_acme-challenge.k.example.test", "_acme-challenge.j.example.test");
    sandbox.zone.addCname("_acme-challenge.l.example.test", "nowhere.delegated.test");
    for (const name of ["j.example.test", "l.example.test"]) {
      const order = orderOf(await newOrder(client, [name]));
      const [authorization] = await authorizationsOf(client, order);
      await client.post(authorization?.challenges[0]?.url ?? "", {});
      expect((await settled(client, order.url)).error?.type).toBe("urn:ietf:params:acme:error:dns");
    }
  });

  test("CAA records decide who may issue, for wildcards by issuewild first", async () => {
    const caa = (name: string, tag: string, value: string, flags = 0) =>
      sandbox.zone.add([
        { name: name as never, class: "IN", ttl: 60, type: "CAA", flags, tag, value: new TextEncoder().encode(value) },
      ]);
    caa("no.example.test", "issue", "letsencrypt.org");
    caa("yes.example.test", "issue", "sandbox.test; validationmethods=dns-01");
    caa("http.example.test", "issue", "sandbox.test; validationmethods=http-01");
    caa("mine.example.test", "issue", `sandbox.test; accounturi=${client.kid}`);
    caa("other.example.test", "issue", "sandbox.test; accounturi=https://example.com/acct/1");
    caa("wild.example.test", "issue", "sandbox.test");
    caa("wild.example.test", "issuewild", ";");
    caa("critical.example.test", "future", "x", 128);
    const outcome = async (name: string) => {
      const order = orderOf(await newOrder(client, [name]));
      await solve(sandbox, client, order);
      const { status, error } = await settled(client, order.url);
      return status === "ready" ? status : error?.type.split(":").at(-1);
    };
    const names = ["no", "sub.no", "yes", "http", "mine", "other", "wild", "*.wild", "critical"];
    const outcomes: Record<string, string | undefined> = {};
    for (const name of names) outcomes[name] = await outcome(`${name}.example.test`);
    expect(outcomes).toEqual({
      no: "caa",
      "sub.no": "caa",
      yes: "ready",
      http: "caa",
      mine: "ready",
      other: "caa",
      wild: "ready",
      "*.wild": "caa",
      critical: "caa",
    });
  });

  test("a challenge is processing until it is decided, and answering it again changes nothing", async () => {
    const slow = await start({ seed: 4, validationDelayMs: 300, retryAfterSeconds: 3 });
    const order = orderOf(await newOrder(slow.client, ["example.test"]));
    await solve(slow.sandbox, slow.client, order);
    const [authorization] = await authorizationsOf(slow.client, order);
    expect(authorization).toMatchObject({ status: "pending", challenges: [{ status: "processing" }] });
    const again = await slow.client.post(authorization?.challenges[0]?.url ?? "", {});
    expect(again.json["status"]).toBe("processing");
    expect([again.headers["link"] ?? []].flat().join()).toContain(`<${authorization?.url}>;rel="up"`);
    const wait = String(again.headers["retry-after"]);
    expect(wait === "3" || Math.abs(Date.parse(wait) - Date.now() - 3000) < 2000).toBe(true);
    expect((await settled(slow.client, order.url)).status).toBe("ready");
  });
});

describe("behaviours of CAs", () => {
  test("reused authorizations make the next order ready at once", async () => {
    const reuse = await start({ seed: 5, authzReuse: 1 });
    await certify(reuse.sandbox, reuse.client, ["example.test"]);
    expect(orderOf(await newOrder(reuse.client, ["example.test"])).status).toBe("ready");
    const wider = orderOf(await newOrder(reuse.client, ["example.test", "*.example.test"]));
    const statuses = (await authorizationsOf(reuse.client, wider)).map((a) => `${a.wildcard ?? false} ${a.status}`);
    expect([wider.status, statuses.sort()]).toEqual(["pending", ["false valid", "true pending"]]);
  });

  test("an equal pending order is given again where orders are reused", async () => {
    const reuse = await start({ seed: 6, orderReuse: true });
    const first = orderOf(await newOrder(reuse.client, ["example.test", "*.example.test"]));
    const second = orderOf(await newOrder(reuse.client, ["*.example.test", "example.test"]));
    const third = orderOf(await newOrder(reuse.client, ["example.test"]));
    expect(second.url).toBe(first.url);
    expect(third.url).not.toBe(first.url);
    expect(first.authorizations).toContain(third.authorizations[0]);
  });

  test("apex and wildcard can have one token, hence one value", async () => {
    const same = await start({ seed: 7, sameToken: true });
    const order = orderOf(await newOrder(same.client, ["example.test", "*.example.test"]));
    const tokens = (await authorizationsOf(same.client, order)).map((a) => a.challenges[0]?.token);
    expect(new Set(tokens).size).toBe(1);
  });

  test("orders can be born ready, and challenges of unknown types can be offered", async () => {
    const born = await start({ seed: 8, preauthorized: true });
    expect(orderOf(await newOrder(born.client, ["example.test"])).status).toBe("ready");
    const strange = await start({ seed: 8, unknownChallenges: true });
    const [authorization] = await authorizationsOf(
      strange.client,
      orderOf(await newOrder(strange.client, ["example.test"])),
    );
    expect(authorization?.challenges.map((c) => c.type).sort()).toEqual(["dns-01", "sandbox-99"]);
  });

  test("blocked names are refused one by one in subproblems", async () => {
    const strict = await start({ seed: 9, blocked: ["bad.test", "worse.test"] });
    const one = await newOrder(strict.client, ["a.bad.test"]);
    expect(one.json).toMatchObject({ identifier: { value: "a.bad.test" } });
    const two = await newOrder(strict.client, ["a.bad.test", "worse.test", "example.test"]);
    expect(two.problem).toBe("rejectedIdentifier");
    expect(two.json["subproblems"]).toMatchObject([
      { identifier: { value: "a.bad.test" } },
      { identifier: { value: "worse.test" } },
    ]);
  });

  test("deactivating a pending authorization ends its order; expiry does as well", async () => {
    const order = orderOf(await newOrder(client, ["m.example.test"]));
    const [url = ""] = order.authorizations;
    expect((await client.post(url, { status: "deactivated" })).json["status"]).toBe("deactivated");
    expect((await settled(client, order.url)).status).toBe("invalid");
    const short = await start({ seed: 10, pendingSeconds: 0 });
    const expired = orderOf(await newOrder(short.client, ["example.test"]));
    expect((await settled(short.client, expired.url)).status).toBe("invalid");
  });
});

describe("after issuance", () => {
  test("renewal information names a window; a revoked certificate's lies in the past", async () => {
    const certificate = await certify(sandbox, client, ["n.example.test"]);
    const [leaf] = chainOf((await client.post(certificate)).text);
    if (leaf === undefined) throw new Error("no leaf");
    const stored = [...sandbox.ca.state.certificates.values()].find((c) => c.names.some((n) => n === "n.example.test"));
    const { renewalInfo = "", revokeCert = "" } = await client.directory();
    const window = async () => {
      const reply = await client.fetch("GET", `${renewalInfo}/${stored?.renewalId}`);
      expect(reply.headers["retry-after"]).toBe("21600");
      return (reply.json as { suggestedWindow: { start: string; end: string } }).suggestedWindow;
    };
    const before = await window();
    expect(Date.parse(before.start)).toBeGreaterThan(Date.now());
    expect(Date.parse(before.end)).toBeLessThan(Date.parse(leaf.validTo));
    const payload = { certificate: leaf.raw.toString("base64url"), reason: 4 };
    expect((await client.post(revokeCert, { ...payload, reason: 2 })).problem).toBe("badRevocationReason");
    const stranger = await rawAcme(sandbox);
    await stranger.register();
    expect((await stranger.post(revokeCert, payload)).problem).toBe("unauthorized");
    stranger.close();
    expect((await client.post(revokeCert, payload)).status).toBe(200);
    expect((await client.post(revokeCert, payload)).problem).toBe("alreadyRevoked");
    expect(Date.parse((await window()).end)).toBeLessThan(Date.now());
    expect((await client.fetch("GET", `${renewalInfo}/AAAA.AAAA`)).status).toBe(404);
  });

  test("a certificate can be replaced once", async () => {
    await certify(sandbox, client, ["o.example.test"]);
    const stored = [...sandbox.ca.state.certificates.values()].find((c) => c.names.some((n) => n === "o.example.test"));
    const replaces = stored?.renewalId;
    expect((await newOrder(client, ["p.example.test"], { replaces })).problem).toBe("malformed");
    const first = await newOrder(client, ["o.example.test"], { replaces });
    expect(first.json["replaces"]).toBe(replaces);
    const second = await newOrder(client, ["o.example.test"], { replaces });
    expect([second.status, second.problem]).toEqual([409, "alreadyReplaced"]);
    expect((await newOrder(client, ["o.example.test"], { replaces: "AAAA.AAAA" })).status).toBe(404);
  });

  test("the certificate's own key may revoke it", async () => {
    const name = "q.example.test";
    const order = orderOf(await newOrder(client, [name]));
    await solve(sandbox, client, order);
    await settled(client, order.url);
    const owner = await rawAcme(sandbox);
    await client.post(order.finalize, { csr: await csrFor([name], owner.key) });
    const done = await settled(client, order.url);
    const [leaf] = chainOf((await client.post(done.certificate ?? "")).text);
    const { revokeCert = "" } = await owner.directory();
    const reply = await owner.post(revokeCert, { certificate: leaf?.raw.toString("base64url") });
    owner.close();
    expect(reply.status).toBe(200);
  });
});
