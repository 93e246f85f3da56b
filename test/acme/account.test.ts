import { createHash, createPrivateKey } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AccountRequest, ensureAccount } from "../../src/acme/account.ts";
import { createAcmeClient } from "../../src/acme/client.ts";
import type { KeptAccount } from "../../src/acme/kept-account.ts";
import { AcmeError, ConfigError } from "../../src/core/errors.ts";
import { ScriptedCa } from "./scripted-ca.ts";
import { failureOf, fastClock, never } from "./support.ts";

interface Wanted {
  readonly contact?: readonly string[];
  readonly externalAccountBinding?: unknown;
}

const pair = { identifiers: ["example.test", "*.example.test"] };

let ca: ScriptedCa;
let kept: KeptAccount | undefined;
let saved: KeptAccount[];
let held: Promise<void>;
beforeEach(async () => {
  ca = await ScriptedCa.start();
  kept = undefined;
  saved = [];
  held = Promise.resolve();
});
afterEach(async () => {
  await ca.close();
});

function request(more: Partial<AccountRequest> = {}): AccountRequest {
  return {
    directoryUrl: ca.directoryUrl,
    contact: ["mailto:ops@example.test"],
    accounts: {
      async lock() {
        const before = held;
        let release = () => {};
        held = new Promise((resolve) => {
          release = resolve;
        });
        await before;
        return async () => release();
      },
      load: async () => kept,
      async save(account) {
        kept = account;
        saved.push(account);
      },
    },
    connect: (options) => createAcmeClient(options, { userAgent: "dns01/test", clock: fastClock(), env: {} }),
    signal: never,
    ...more,
  };
}

describe("registration", () => {
  it("keeps the key before the CA hears of it, and the address after", async () => {
    const { client, account } = await ensureAccount(request());
    expect(saved.map(({ url }) => url)).toEqual([undefined, account.url]);
    expect(new Set(saved.map(({ privkey }) => privkey)).size).toBe(1);
    expect(createPrivateKey(kept?.privkey ?? "").asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? "")).toEqual({
      contact: ["mailto:ops@example.test"],
      termsOfServiceAgreed: true,
    });
    client.close();
  });

  it("leaves the contact out when there is none", async () => {
    (await ensureAccount(request({ contact: [] }))).client.close();
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? "")).toEqual({ termsOfServiceAgreed: true });
  });

  it("asks nothing when the account is stored", async () => {
    (await ensureAccount(request())).client.close();
    const before = ca.seen.length;
    const { client, account } = await ensureAccount(request());
    expect(ca.seen).toHaveLength(before);
    expect(account.url).toBe(kept?.url);
    expect((await client.newOrder(pair, never)).status).toBe("pending");
    client.close();
  });

  it("happens once when two processes begin together", async () => {
    const opened = await Promise.all([ensureAccount(request()), ensureAccount(request())]);
    expect(new Set(opened.map(({ account }) => account.url)).size).toBe(1);
    expect(ca.count("newAccount")).toBe(1);
    expect(ca.accounts.size).toBe(1);
    for (const { client } of opened) client.close();
  });

  it("finds the account of a stored key whose address was lost", async () => {
    (await ensureAccount(request())).client.close();
    const url = kept?.url;
    if (kept !== undefined) kept = { ca: kept.ca, privkey: kept.privkey, contact: [] };
    const { client, account } = await ensureAccount(request());
    expect(account.url).toBe(url);
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? "")).toEqual({
      onlyReturnExisting: true,
      contact: ["mailto:ops@example.test"],
    });
    client.close();
  });

  it("registers a stored key that the CA never heard of", async () => {
    ca.fault = (seen) =>
      seen.resource === "newAccount" ? { kind: "answer", status: 400, body: '{"type":"x"}' } : undefined;
    await failureOf(ensureAccount(request()));
    const key = kept?.privkey;
    ca.fault = () => undefined;
    const { client } = await ensureAccount(request());
    expect(kept?.privkey).toBe(key);
    expect(kept?.url).toBeDefined();
    client.close();
  });

  it("registers again when the CA has forgotten the account", async () => {
    (await ensureAccount(request())).client.close();
    ca.accounts.clear();
    const { client } = await ensureAccount(request());
    expect((await client.newOrder(pair, never)).status).toBe("pending");
    expect(ca.accounts.has(kept?.url ?? "")).toBe(true);
    expect(client.requests).toBeGreaterThan(0);
    client.close();
  });

  it.each([
    ["invalidContact", "--email"],
    ["unsupportedContact", "--email"],
  ])("says what to do about %s", async (type, hint) => {
    const body = JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: "bad address" });
    ca.fault = (seen) => (seen.resource === "newAccount" ? { kind: "answer", status: 400, body } : undefined);
    const error = await failureOf(ensureAccount(request()));
    if (!(error instanceof AcmeError)) throw error;
    expect(error.message).toContain("bad address");
    expect(error.hint).toContain(hint);
  });

  it("does not go on with an account that was deactivated", async () => {
    const body = {
      kind: "answer",
      status: 200,
      body: '{"status":"deactivated"}',
      headers: { location: "/a/account/1" },
    } as const;
    ca.fault = (seen) => (seen.resource === "newAccount" ? body : undefined);
    expect((await failureOf(ensureAccount(request()))).message).toContain("is deactivated");
  });
});

describe("external account binding (RFC 8555 §7.3.4)", () => {
  // A key whose two spellings differ in letters, not only in padding.
  const secret = createHash("sha512").update("16").digest();

  it.each([
    ["base64url", secret.toString("base64url")],
    ["base64", secret.toString("base64")],
  ])("is accepted with a key in %s", async (_, hmacKey) => {
    expect(secret.toString("base64")).toMatch(/[+/]/);
    ca.externalAccountRequired = true;
    ca.eabKeys = { "kid-1": secret.toString("base64url") };
    const { client } = await ensureAccount(request({ eab: { kid: "kid-1", hmacKey } }));
    expect(ca.accounts.size).toBe(1);
    expect(kept).toMatchObject({ eabKid: "kid-1" });
    expect(JSON.stringify(saved)).not.toContain(hmacKey);
    client.close();
  });

  it.each([
    ["takes no request without a binding (HARICA)", (wanted: Wanted) => wanted.externalAccountBinding !== undefined],
    ["takes no request without a contact (ZeroSSL)", (wanted: Wanted) => (wanted.contact ?? []).length > 0],
  ])("that was refused at first is exchanged and then used, also at a CA that %s", async (_, isTaken) => {
    ca.externalAccountRequired = true;
    ca.eabKeys = { right: Buffer.from("secret").toString("base64url") };
    const body = JSON.stringify({ type: "urn:ietf:params:acme:error:externalAccountRequired", detail: "bind it" });
    ca.fault = ({ resource, payload }) =>
      resource === "newAccount" && !isTaken(JSON.parse(payload ?? "") as Wanted)
        ? { kind: "answer", status: 400, body }
        : undefined;
    const eab = { kid: "wrong", hmacKey: Buffer.from("secret").toString("base64url") };
    await failureOf(ensureAccount(request({ eab })));
    expect(kept?.url).toBeUndefined();
    const { account } = await ensureAccount(request({ eab: { ...eab, kid: "right" } }));
    expect(kept?.url).toBe(account.url);
    // The account is lost at the CA: it is bound anew.
    ca.accounts.clear();
    ca.eabKeys = { next: Buffer.from("secret").toString("base64url") };
    const { client } = await ensureAccount(request({ eab: { ...eab, kid: "next" } }));
    expect((await client.newOrder(pair, never)).status).toBe("pending");
  });

  it("is used once: a later look-up does not send it again", async () => {
    ca.externalAccountRequired = true;
    ca.eabKeys = { "kid-1": secret.toString("base64url") };
    const eab = { kid: "kid-1", hmacKey: secret.toString("base64url") };
    (await ensureAccount(request({ eab }))).client.close();
    if (kept !== undefined) kept = { ca: kept.ca, privkey: kept.privkey, contact: [] };
    const { client, account } = await ensureAccount(request({ eab }));
    expect(ca.accounts.has(account.url)).toBe(true);
    client.close();
  });

  it.each([
    ["no base64", "not base64!!"],
    ["both alphabets", "ab+_cdefgh"],
    ["a cut length", "abcde"],
    ["nothing", ""],
  ])("is refused before any request when the key is %s", async (_, hmacKey) => {
    const error = await failureOf(ensureAccount(request({ eab: { kid: "k", hmacKey } })));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("--eab-hmac-key");
    if (hmacKey !== "") expect(error.message).not.toContain(hmacKey);
    expect(ca.seen).toEqual([]);
  });

  it("that is missing names both flags, before an account is asked for", async () => {
    ca.externalAccountRequired = true;
    const error = await failureOf(ensureAccount(request()));
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toContain("--eab-kid");
    expect(error.message).toContain("--eab-hmac-key");
    expect(ca.count("newAccount")).toBe(0);
  });

  it("that the CA refuses is told apart from network trouble", async () => {
    ca.externalAccountRequired = true;
    const error = await failureOf(ensureAccount(request({ eab: { kid: "other", hmacKey: "c2VjcmV0" } })));
    expect(error).toBeInstanceOf(AcmeError);
    expect(error.message).toContain("unknown or was used");
    // Not the words for a challenge that failed, which has the same type.
    expect(error).toMatchObject({ hint: expect.stringContaining("--eab-kid") });
  });
});
