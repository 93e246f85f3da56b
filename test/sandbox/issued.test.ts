import { beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/index.ts";
import { certify, chainOf, newOrder, orderOf, settled, solve } from "./acme-steps.ts";
import { sandboxes } from "./open-sandbox.ts";
import { csrFor, type RawAcme, rawAcme } from "./raw-acme.ts";

const start = sandboxes();
let sandbox: Sandbox;
let client: RawAcme;

beforeAll(async () => {
  ({ sandbox, client } = await start({ seed: 2 }));
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
