import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { newKey, newRsaKey, type RawAcme, rawAcme, signJws } from "./raw-acme.ts";

let sandbox: Sandbox;
let client: RawAcme;
let directory: Record<string, string>;
const opened: RawAcme[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  client = await open();
  directory = await client.directory();
  await client.register();
});
afterAll(async () => {
  for (const one of opened) one.close();
  await sandbox.close();
});

async function open(key?: Parameters<typeof rawAcme>[1]): Promise<RawAcme> {
  const one = await rawAcme(sandbox, key);
  opened.push(one);
  return one;
}

const at = (name: string) => directory[name] ?? "";
const order = { identifiers: [{ type: "dns", value: "example.test" }] };

describe("nonces", () => {
  test("one is given with every answer, errors included, and never twice", async () => {
    const replies = [
      await client.fetch("HEAD", at("newNonce")),
      await client.fetch("GET", at("newNonce")),
      await client.post(at("newOrder"), order),
      await client.post(at("newOrder"), {}),
      await client.fetch("GET", at("newOrder")),
    ];
    expect(replies.map((r) => r.status)).toEqual([200, 204, 201, 400, 405]);
    const nonces = replies.map((r) => r.headers["replay-nonce"]);
    expect(nonces.every((n) => typeof n === "string" && /^[A-Za-z0-9_-]{22,}$/.test(n))).toBe(true);
    expect(new Set(nonces).size).toBe(nonces.length);
    expect(replies[0]?.headers["cache-control"]).toContain("no-store");
  });

  test("a used one is refused with badNonce and a fresh one", async () => {
    const nonce = await client.nonce();
    expect((await client.post(at("newOrder"), order, { header: { nonce } })).status).toBe(201);
    const again = await client.post(at("newOrder"), order, { header: { nonce } });
    expect([again.status, again.problem]).toEqual([400, "badNonce"]);
    const fresh = String(again.headers["replay-nonce"]);
    expect((await client.post(at("newOrder"), order, { header: { nonce: fresh } })).status).toBe(201);
  });

  test("a request that fails for another reason has spent its nonce all the same", async () => {
    const nonce = await client.nonce();
    expect((await client.post(at("newOrder"), {}, { header: { nonce } })).problem).toBe("malformed");
    expect((await client.post(at("newOrder"), order, { header: { nonce } })).problem).toBe("badNonce");
  });

  test.each([["invented"], [undefined]])("%s is refused with badNonce", async (nonce) => {
    expect((await client.post(at("newOrder"), order, { header: { nonce } })).problem).toBe("badNonce");
  });
});

describe("the protected header", () => {
  test("another URL than the one asked for is unauthorized", async () => {
    const reply = await client.post(at("newOrder"), order, { header: { url: at("newAccount") } });
    expect([reply.status, reply.problem]).toEqual([403, "unauthorized"]);
  });

  test("a missing URL is malformed", async () => {
    expect((await client.post(at("newOrder"), order, { header: { url: undefined } })).problem).toBe("malformed");
  });

  test.each([["none"], ["HS256"], ["PS256"], ["EdDSA"], [undefined]])(
    "alg %s is refused, with those accepted",
    async (alg) => {
      const reply = await client.post(at("newOrder"), order, { header: { alg } });
      expect([reply.status, reply.problem]).toEqual([400, "badSignatureAlgorithm"]);
      expect(reply.json["algorithms"]).toEqual(["ES256", "ES384", "ES512", "RS256"]);
    },
  );

  test("an algorithm that does not go with the key is refused", async () => {
    expect((await client.post(at("newOrder"), order, { header: { alg: "RS256" } })).problem).toBe("malformed");
  });

  test("kid and jwk together, or neither, are malformed", async () => {
    const both = await client.post(at("newOrder"), order, { header: { jwk: client.key.jwk } });
    const neither = await client.post(at("newOrder"), order, { header: { kid: undefined } });
    expect([both.problem, neither.problem]).toEqual(["malformed", "malformed"]);
  });

  test("jwk is for newAccount only, kid for everything else", async () => {
    const jwk = { header: { kid: undefined, jwk: client.key.jwk } };
    expect((await client.post(at("newOrder"), order, jwk)).problem).toBe("malformed");
    expect((await client.post(at("newAccount"), { onlyReturnExisting: true })).problem).toBe("malformed");
  });

  test("an unknown kid is accountDoesNotExist", async () => {
    const reply = await client.post(at("newOrder"), order, { header: { kid: `${client.kid}x` } });
    expect([reply.status, reply.problem]).toEqual([400, "accountDoesNotExist"]);
  });

  test("critical extensions are refused", async () => {
    const header = { crit: ["b64"], b64: false };
    expect((await client.post(at("newOrder"), order, { header })).problem).toBe("malformed");
  });
});

describe("the JWS", () => {
  test("the signature of another key is refused", async () => {
    const reply = await client.post(at("newOrder"), order, { key: await newKey() });
    expect([reply.status, reply.problem]).toEqual([400, "malformed"]);
  });

  test("a payload changed after signing is refused", async () => {
    const other = Buffer.from(JSON.stringify({ identifiers: [] })).toString("base64url");
    const reply = await client.post(at("newOrder"), order, { tamper: (jws) => ({ ...jws, payload: other }) });
    expect(reply.problem).toBe("malformed");
  });

  test.each<[string, (jws: Record<string, unknown>) => unknown]>([
    ["an unprotected header", (jws) => ({ ...jws, header: { kid: "x" } })],
    ["the general serialization", (jws) => ({ payload: jws["payload"], signatures: [jws] })],
    ["padded base64", (jws) => ({ ...jws, payload: `${jws["payload"]}==` })],
    ["no signature", ({ protected: head, payload }) => ({ protected: head, payload })],
    ["an array", (jws) => [jws]],
    ["a compact serialization", (jws) => `${jws["protected"]}.${jws["payload"]}.${jws["signature"]}`],
  ])("%s is malformed", async (_, tamper) => {
    const reply = await client.post(at("newOrder"), order, { tamper });
    expect([reply.status, reply.problem]).toEqual([400, "malformed"]);
  });

  test("another content type is 415, a body that is no JSON 400, one that is too long 413", async () => {
    const plain = await client.post(at("newOrder"), order, { contentType: "application/json" });
    const headers = { "content-type": "application/jose+json" };
    const noJson = await client.fetch("POST", at("newOrder"), { body: "{", headers });
    const long = await client.fetch("POST", at("newOrder"), { body: `"${"x".repeat(200_000)}"`, headers });
    expect([plain.status, noJson.status, long.status]).toEqual([415, 400, 413]);
  });

  test("POST-as-GET has an empty payload; {} is something else", async () => {
    const { headers } = await client.post(at("newOrder"), order);
    const url = String(headers["location"]);
    expect((await client.post(url)).status).toBe(200);
    expect((await client.post(url, {})).problem).toBe("malformed");
    expect((await client.fetch("GET", url)).status).toBe(405);
  });

  test("an order of somebody else is unauthorized, an unknown one is 404", async () => {
    const { headers } = await client.post(at("newOrder"), order);
    const url = String(headers["location"]);
    const stranger = await open();
    await stranger.register();
    expect((await stranger.post(url)).status).toBe(403);
    expect((await client.post(`${url}x`)).status).toBe(404);
  });

  test("requests without User-Agent are refused", async () => {
    const reply = await client.fetch("GET", at("newNonce"), { headers: { "user-agent": "" } });
    expect([reply.status, reply.problem]).toEqual([400, "malformed"]);
  });
});

describe("addresses", () => {
  test("one that is none is not found, and the CA lives on", async () => {
    const { origin } = new URL(sandbox.directoryUrl);
    for (const path of ["//", "//x:y/directory"]) {
      const reply = await client.fetch("GET", `${origin}${path}`);
      expect([path, reply.status, reply.problem]).toEqual([path, 404, "malformed"]);
    }
  });

  test("directory and newNonce are read with POST-as-GET too", async () => {
    const read = await client.post(sandbox.directoryUrl);
    expect([read.status, read.json["newOrder"]]).toEqual([200, at("newOrder")]);
    const nonce = await client.post(at("newNonce"));
    expect([nonce.status, nonce.text]).toEqual([204, ""]);
    expect((await client.post(sandbox.directoryUrl, {})).problem).toBe("malformed");
  });
});

describe("account keys", () => {
  test("P-384 and RSA of 2048 bits are accepted, RSA of 1024 bits is not", async () => {
    const [p384, rsa, short] = [await newKey("P-384", "ES384"), await newRsaKey(2048), await newRsaKey(1024)];
    expect((await (await open(p384)).register()).status).toBe(201);
    expect((await (await open(rsa)).register()).status).toBe(201);
    expect((await (await open(short)).register()).problem).toBe("badPublicKey");
  });

  test("a private JWK is refused", async () => {
    const key = await newKey();
    const jwk = { ...key.jwk, d: "AAAA" };
    const one = await open(key);
    const { newAccount = "" } = directory;
    const reply = await one.post(newAccount, { termsOfServiceAgreed: true }, { header: { jwk } });
    expect(reply.problem).toBe("badPublicKey");
  });

  test("external account binding with a kid nobody gave out is unauthorized", async () => {
    const one = await open();
    const externalAccountBinding = await signJws(
      one.key,
      { alg: "HS256", kid: "x", url: at("newAccount") },
      JSON.stringify(one.key.jwk),
    );
    const reply = await one.register({ externalAccountBinding });
    expect([reply.status, reply.problem]).toEqual([403, "unauthorized"]);
  });
});
