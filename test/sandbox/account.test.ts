import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { type Key, newKey, type RawAcme, rawAcme, signJws } from "./raw-acme.ts";

let sandbox: Sandbox;
let urls: Record<string, string>;
const opened: RawAcme[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  urls = await (await open()).directory();
});
afterAll(async () => {
  for (const one of opened) one.close();
  await sandbox.close();
});

async function open(key?: Key, box = sandbox): Promise<RawAcme> {
  const one = await rawAcme(box, key);
  opened.push(one);
  return one;
}

const at = (name: string) => urls[name] ?? "";

describe("registration", () => {
  test("makes an account once: the same key finds it again", async () => {
    const client = await open();
    const first = await client.register({ contact: ["mailto:a@example.test"] });
    expect([first.status, first.json["status"], first.json["contact"]]).toEqual([
      201,
      "valid",
      ["mailto:a@example.test"],
    ]);
    const second = await client.register();
    expect([second.status, second.headers["location"]]).toEqual([200, first.headers["location"]]);
    client.kid = undefined;
    const looked = await client.post(at("newAccount"), { onlyReturnExisting: true });
    expect([looked.status, looked.headers["location"]]).toEqual([200, first.headers["location"]]);
  });

  test("onlyReturnExisting makes none", async () => {
    const reply = await (await open()).post(at("newAccount"), { onlyReturnExisting: true });
    expect([reply.status, reply.problem]).toEqual([400, "accountDoesNotExist"]);
  });

  test("needs agreement to the terms, and says where they are", async () => {
    const reply = await (await open()).post(at("newAccount"), {});
    expect([reply.status, reply.problem]).toEqual([403, "userActionRequired"]);
    expect(String(reply.headers["link"])).toMatch(/<https:[^>]+\/terms\/v1>;rel="terms-of-service"/);
  });

  test.each([
    ["tel:+1234", "unsupportedContact"],
    ["mailto:a@example.test,b@example.test", "invalidContact"],
    ["mailto:a@example.test?subject=x", "invalidContact"],
    ["mailto:nobody", "invalidContact"],
  ])("refuses the contact %s: %s", async (contact, problem) => {
    expect((await (await open()).register({ contact: [contact] })).problem).toBe(problem);
  });
});

describe("an account", () => {
  test("changes its contacts, and only its own", async () => {
    const client = await open();
    await client.register();
    const url = client.kid ?? "";
    const reply = await client.post(url, { contact: ["mailto:new@example.test"] });
    expect(reply.json["contact"]).toEqual(["mailto:new@example.test"]);
    expect((await client.post(url)).json["contact"]).toEqual(["mailto:new@example.test"]);
    const stranger = await open();
    await stranger.register();
    expect((await stranger.post(url, { contact: [] })).status).toBe(403);
  });

  test("lists its orders in pages", async () => {
    const client = await open();
    const { json } = await client.register();
    const made: string[] = [];
    for (let i = 0; i < 30; i++) {
      const order = await client.post(at("newOrder"), { identifiers: [{ type: "dns", value: `o${i}.example.test` }] });
      made.push(String(order.headers["location"]));
    }
    const listed: string[] = [];
    for (let url: string | undefined = String(json["orders"]); url !== undefined; ) {
      const page = await client.post(url);
      listed.push(...(page.json["orders"] as string[]));
      url = /<([^>]+)>;rel="next"/.exec([page.headers["link"] ?? []].flat().join(", "))?.[1];
    }
    expect(listed).toEqual(made);
  });

  test("that is deactivated may do nothing more, not even come back", async () => {
    const client = await open();
    await client.register();
    expect((await client.post(client.kid ?? "", { status: "deactivated" })).json["status"]).toBe("deactivated");
    const order = await client.post(at("newOrder"), { identifiers: [{ type: "dns", value: "example.test" }] });
    expect([order.status, order.problem]).toEqual([401, "unauthorized"]);
    expect((await client.register()).status).toBe(401);
  });

  test("has to agree again when the terms change, and can", async () => {
    const box = await startSandbox({ seed: 2 });
    try {
      const client = await open(undefined, box);
      await client.register();
      const { newOrder = "" } = await client.directory();
      const order = () => client.post(newOrder, { identifiers: [{ type: "dns", value: "example.test" }] });
      box.ca.state.termsVersion += 1;
      const refused = await order();
      expect([refused.status, refused.problem]).toEqual([403, "userActionRequired"]);
      expect(refused.json["instance"]).toMatch(/\/terms\/v2$/);
      await client.post(client.kid ?? "", { termsOfServiceAgreed: true });
      expect((await order()).status).toBe(201);
    } finally {
      await box.close();
    }
  });
});

describe("key change", () => {
  async function change(client: RawAcme, next: Key, overrides: { header?: object; payload?: object } = {}) {
    const payload = { account: client.kid, oldKey: client.key.jwk, ...overrides.payload };
    const header = { alg: next.alg, jwk: next.jwk, url: at("keyChange"), ...overrides.header };
    return client.post(at("keyChange"), await signJws(next, header, JSON.stringify(payload)));
  }

  test("moves the account to the new key; the old one is nobody's", async () => {
    const client = await open();
    await client.register();
    const next = await newKey();
    expect((await change(client, next)).status).toBe(200);
    expect((await client.post(client.kid ?? "")).problem).toBe("malformed");
    const moved = await open(next);
    const found = await moved.post(at("newAccount"), { onlyReturnExisting: true });
    expect(found.headers["location"]).toBe(client.kid);
    const old = await open(client.key);
    expect((await old.post(at("newAccount"), { onlyReturnExisting: true })).problem).toBe("accountDoesNotExist");
  });

  test("to a key that another account has is a conflict that names it", async () => {
    const [client, other] = [await open(), await open()];
    await client.register();
    await other.register();
    const reply = await change(client, other.key);
    expect([reply.status, reply.headers["location"]]).toEqual([409, other.kid]);
  });

  test("checks the inner JWS", async () => {
    const client = await open();
    await client.register();
    const next = await newKey();
    const wrong = [
      { header: { nonce: "x" } },
      { header: { url: at("newOrder") } },
      { header: { jwk: client.key.jwk } },
      { header: { jwk: undefined, kid: client.kid } },
      { payload: { account: `${client.kid}x` } },
      { payload: { oldKey: next.jwk } },
    ];
    const problems = [];
    for (const overrides of wrong) problems.push((await change(client, next, overrides)).problem);
    expect(problems).toEqual(["malformed", "unauthorized", "malformed", "malformed", "malformed", "malformed"]);
  });
});

describe("external account binding", () => {
  // Octets whose base64 differs between the two alphabets.
  const hmac = Buffer.from("fbff".repeat(16), "hex");

  function bind(
    client: RawAcme,
    url: string,
    header: object = {},
    secret = hmac,
    jwk: object = client.key.jwk,
  ): object {
    const encode = (x: object) => Buffer.from(JSON.stringify(x)).toString("base64url");
    const head = encode({ alg: "HS256", kid: "kid-1", url, ...header });
    const payload = encode(jwk);
    const signature = createHmac("sha256", secret).update(`${head}.${payload}`).digest("base64url");
    return { protected: head, payload, signature };
  }

  test.each(["base64", "base64url"] as const)("is required and checked, with the key given in %s", async (encoding) => {
    const box = await startSandbox({ seed: 1, eab: { kid: "kid-1", hmacKey: hmac.toString(encoding) } });
    try {
      const client = await open(undefined, box);
      const { newAccount = "" } = await client.directory();
      const meta = (await client.directory())["meta"] as unknown as { externalAccountRequired: boolean };
      expect(meta.externalAccountRequired).toBe(true);
      const attempt = async (externalAccountBinding?: object) =>
        (await client.register({ externalAccountBinding })).problem;
      expect(await attempt()).toBe("externalAccountRequired");
      expect(await attempt(bind(client, newAccount, { kid: "kid-2" }))).toBe("unauthorized");
      expect(await attempt(bind(client, newAccount, {}, Buffer.from("wrong")))).toBe("unauthorized");
      expect(await attempt(bind(client, newAccount, {}, hmac, (await newKey()).jwk))).toBe("unauthorized");
      expect(await attempt(bind(client, `${newAccount}x`))).toBe("unauthorized");
      expect(await attempt(bind(client, newAccount, { nonce: "x" }))).toBe("malformed");
      expect(await attempt(bind(client, newAccount, { alg: "none" }))).toBe("badSignatureAlgorithm");
      const right = await client.register({ externalAccountBinding: bind(client, newAccount) });
      expect([right.status, right.json["externalAccountBinding"]]).toEqual([
        201,
        expect.objectContaining({ payload: expect.any(String) }),
      ]);
      // Looking the account up again needs no binding.
      expect((await client.register()).status).toBe(200);
    } finally {
      await box.close();
    }
  });
});
