import { createPublicKey, generateKeyPairSync, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCsr, csrMatchesKey, readCsr } from "../../src/acme/csr.ts";
import { keyTypes } from "../../src/acme/key-types.ts";
import { generateKey, keyTypeOf } from "../../src/acme/keys.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { failureOf } from "./support.ts";

beforeAll(() => {
  x509.cryptoProvider.set(webcrypto);
});

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A CSR as other tools make them. */
async function foreign(
  subject: string,
  names: readonly { type: "dns" | "ip" | "email"; value: string }[],
  keys: { privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey } | undefined = undefined,
  signingAlgorithm: object = algorithm,
): Promise<Buffer> {
  const pair = keys ?? (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]));
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: pair,
    signingAlgorithm: signingAlgorithm as typeof algorithm,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension([...names])],
  });
  return Buffer.from(request.rawData);
}

const dns = (...values: readonly string[]) => values.map((value) => ({ type: "dns" as const, value }));

describe("our own CSR", () => {
  it.each(keyTypes)("is read back with the same names and a key of type %s", async (type) => {
    const key = await generateKey(type);
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    const der = await buildCsr(key, ["example.test", "*.example.test"]);
    const read = await readCsr(der);
    expect(read.domains).toEqual(["example.test", "*.example.test"]);
    expect(read.keyType).toBe(type);
    expect(await csrMatchesKey(der, key)).toBe(true);
    expect(await csrMatchesKey(der, await generateKey("ec256"))).toBe(false);
  });

  it("has an empty subject, so that no name is too long for it", async () => {
    const long = `${"a".repeat(63)}.${"b".repeat(63)}.example.test`;
    const request = new x509.Pkcs10CertificateRequest(
      new Uint8Array(await buildCsr(await generateKey("ec256"), [long])),
    );
    expect(request.subject).toBe("");
    expect(await request.verify()).toBe(true);
  });

  it("can hold a hundred names", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `host-${i}.example.test`);
    expect((await readCsr(await buildCsr(await generateKey("ec256"), names))).domains).toEqual(names);
  });
});

describe("a user's CSR", () => {
  it.each([
    ["DER", (der: Buffer) => der],
    ["PEM", (der: Buffer) => pem(der, "CERTIFICATE REQUEST")],
    ["PEM with the old label", (der: Buffer) => pem(der, "NEW CERTIFICATE REQUEST")],
    [
      "PEM with text around it",
      (der: Buffer) => Buffer.from(`Certificate Request:\r\n${pem(der, "CERTIFICATE REQUEST")}\n`),
    ],
  ])("is read as %s", async (_, wrap) => {
    const der = await foreign("CN=example.test", dns("example.test"));
    const read = await readCsr(wrap(der));
    expect(read.domains).toEqual(["example.test"]);
    expect(Buffer.from(read.der)).toEqual(der);
  });

  it("names what its SAN and its common name name, in the one form used here", async () => {
    const read = await readCsr(await foreign("CN=WWW.Example.test, O=Any", dns("EXAMPLE.test", "*.example.test")));
    expect(read.domains).toEqual(["example.test", "*.example.test", "www.example.test"]);
  });

  it("may have a common name only", async () => {
    expect((await readCsr(await foreign("CN=example.test", []))).domains).toEqual(["example.test"]);
  });

  it("is refused with every fault at once", async () => {
    const names = [
      ...dns("exa mple.test"),
      { type: "ip" as const, value: "192.0.2.1" },
      { type: "email" as const, value: "a@b.test" },
    ];
    const error = await failureOf(readCsr(await foreign("CN=x..y", names)));
    if (!(error instanceof ConfigError)) throw error;
    expect(error.issues.every(({ path }) => path === "--csr")).toBe(true);
    expect(error.issues).toHaveLength(4);
  });

  it.each([
    ["no request", Buffer.from("hello")],
    ["nothing", Buffer.alloc(0)],
    ["DER of something else", Buffer.from("3003020101", "hex")],
    ["PEM of something else", pem(Buffer.from("3003020101", "hex"), "CERTIFICATE REQUEST")],
    ["a private key", Buffer.from(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }))],
  ])("is refused when it is %s", async (_, bytes) => {
    expect(await failureOf(readCsr(bytes))).toBeInstanceOf(ConfigError);
  });

  it("is refused when its signature does not fit", async () => {
    const der = await foreign("CN=example.test", dns("example.test"));
    const at = der.indexOf(Buffer.from("example.test"));
    der.write("exbmple.test", at, "latin1");
    expect((await failureOf(readCsr(der))).message).toContain("signature");
  });

  it("is refused without any name", async () => {
    expect((await failureOf(readCsr(await foreign("O=Nobody", [])))).message).toContain("no DNS name");
  });

  it.each([
    ["P-521", { name: "ECDSA", namedCurve: "P-521" }, { name: "ECDSA", hash: "SHA-512" }],
    [
      "RSA of 1024 bits",
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    ],
  ])("is refused with a key that CAs do not take: %s", async (_, how, signing) => {
    const keys = (await webcrypto.subtle.generateKey(how, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
    const error = await failureOf(readCsr(await foreign("", dns("example.test"), keys, signing)));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("key");
  });
});

describe("a file with more than one CSR", () => {
  it("is refused: which one is meant cannot be told", async () => {
    const one = pem(await foreign("", dns("a.example.test")), "CERTIFICATE REQUEST");
    expect((await failureOf(readCsr(Buffer.concat([one, one])))).message).toContain("holds 2 certificate");
  });
});

describe("key types", () => {
  it("are told from the key itself", () => {
    const ed25519 = generateKeyPairSync("ed25519").publicKey;
    expect(keyTypeOf(ed25519)).toBeUndefined();
    const p384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
    expect(keyTypeOf(createPublicKey(p384.privateKey))).toBe("ec384");
  });
});

function pem(der: Buffer, label: string): Buffer {
  return Buffer.from(
    `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`,
  );
}
