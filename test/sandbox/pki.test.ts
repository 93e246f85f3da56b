import { X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { describe, expect, test } from "vitest";
import { makePki } from "../../src/sandbox/ca-pki.ts";
import { renewalIdOf } from "../../src/sandbox/ca-renewal.ts";
import { seededRandom } from "../../src/sandbox/random.ts";

const now = new Date();

async function leaves(count: number) {
  const pki = await makePki(now, seededRandom(1));
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const publicKey = new x509.PublicKey(await crypto.subtle.exportKey("spki", pair.publicKey));
  const notAfter = new Date(now.getTime() + 86_400_000);
  const request = { names: ["example.test"], publicKey, commonName: undefined, notBefore: now, notAfter };
  return Promise.all(Array.from({ length: count }, () => pki.issue(request)));
}

/** Content octets of the serial in a certificate's DER: SEQUENCE, SEQUENCE, [0] version, INTEGER. */
function serialOctets(der: Buffer): Buffer {
  let at = 0;
  const enter = () => {
    const first = der[at + 1] ?? 0;
    at += first < 128 ? 2 : 2 + (first & 0x7f);
  };
  enter();
  enter();
  at += 5;
  expect(der[at]).toBe(2);
  return der.subarray(at + 2, at + 2 + (der[at + 1] ?? 0));
}

describe("serials", () => {
  test("are positive and minimal in DER, some with a sign octet, some short", async () => {
    const serials = (await leaves(80)).map((l) => serialOctets(Buffer.from(l.certificate.rawData)));
    for (const octets of serials) {
      expect((octets[0] ?? 255) < 128).toBe(true);
      expect(octets[0] === 0 && (octets[1] ?? 0) < 128).toBe(false);
    }
    expect(serials.some((o) => o[0] === 0)).toBe(true);
    expect(serials.some((o) => o.length < 16)).toBe(true);
  });

  test("go into the renewal identifier with their sign octet (RFC 9773 §4.1)", async () => {
    for (const { certificate } of await leaves(40)) {
      const [keyId = "", serial = ""] = renewalIdOf(certificate).split(".");
      expect(Buffer.from(serial, "base64url")).toEqual(serialOctets(Buffer.from(certificate.rawData)));
      const authority = certificate.getExtension(x509.AuthorityKeyIdentifierExtension);
      expect(Buffer.from(keyId, "base64url").toString("hex")).toBe(authority?.keyId);
    }
  });
});

test("both intermediates are used, and each has two chains", async () => {
  const issued = await leaves(20);
  const issuers = new Set(issued.map((l) => l.certificate.issuer));
  expect(issuers.size).toBe(2);
  for (const { chains } of issued) {
    const [first, second] = chains.map((pem) => new X509Certificate(pem.slice(pem.indexOf("-----BEGIN", 10))));
    expect(first?.subject).toBe(second?.subject);
    expect(first?.issuer).not.toBe(second?.issuer);
  }
});
