import { beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/index.ts";
import { authorizationsOf, certify, newOrder, orderOf, settled, solve } from "./acme-steps.ts";
import { sandboxes } from "./open-sandbox.ts";
import { type RawAcme, txtFor } from "./raw-acme.ts";

const start = sandboxes();
let sandbox: Sandbox;
let client: RawAcme;

beforeAll(async () => {
  ({ sandbox, client } = await start({ seed: 2 }));
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
