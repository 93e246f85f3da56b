import { beforeAll, describe, expect, test } from "vitest";

import { authorizationsOf, certify, newOrder, orderOf, settled } from "./acme-steps.ts";
import { sandboxes } from "./open-sandbox.ts";
import type { RawAcme } from "./raw-acme.ts";

const start = sandboxes();
let client: RawAcme;

beforeAll(async () => {
  ({ client } = await start({ seed: 2 }));
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
