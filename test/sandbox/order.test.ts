import { X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/index.ts";
import { authorizationsOf, certify, chainOf, identifiers, newOrder, orderOf, settled, solve } from "./acme-steps.ts";
import { sandboxes } from "./open-sandbox.ts";
import { csrFor, csrWith, type RawAcme } from "./raw-acme.ts";

const start = sandboxes();
let sandbox: Sandbox;
let client: RawAcme;

beforeAll(async () => {
  ({ sandbox, client } = await start({ seed: 2 }));
});

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
      "names that cannot be read": await csrWith(new x509.Extension("2.5.29.17", false, Uint8Array.of(4, 1))),
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
