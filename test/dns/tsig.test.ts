import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameFromLabels } from "../../src/core/name.ts";
import { CodecError, decodeMessage, emptyMessage, encodeMessage } from "../../src/dns/codec.ts";
import { answerTsig, serverClockOf, signTsig, type TsigVerdict, tsigError, verifyTsig } from "../../src/dns/tsig.ts";
import { parseKeyFile, parseTsigAlgorithm, type TsigKey, tsigAlgorithms } from "../../src/dns/tsig-key.ts";
import { vectorSecret, vectors, vectorTime } from "./tsig-vectors.ts";

const octetsOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const keyOf = (name: string, algorithm: TsigKey["algorithm"]): TsigKey => ({
  name: nameFromLabels([name]),
  algorithm,
  secret: new Uint8Array(Buffer.from(vectorSecret, "base64")),
});
const key = keyOf("acme", "hmac-sha256");
const other: TsigKey = { ...key, secret: new Uint8Array(32) };
const now = vectorTime;
const request = encodeMessage({
  ...emptyMessage,
  id: 7,
  questions: [{ name: nameFromLabels(["test"]), type: "SOA", class: "IN" }],
});
const reply = encodeMessage({ ...emptyMessage, id: 7, response: true, rcode: "NOTAUTH" });

function macOf(octets: Uint8Array): Uint8Array {
  const { tsig } = decodeMessage(octets);
  if (tsig === undefined) throw new Error("not signed");
  return tsig.mac;
}

function verify(
  octets: Uint8Array,
  keys: readonly TsigKey[] = [key],
  requestMac?: Uint8Array,
  time = now,
): TsigVerdict {
  return verifyTsig(octets, keys, { now: time, requestMac });
}

describe("recorded between other programs", () => {
  test.each(vectors)("$algorithm of $key: request and answer verify", ({ algorithm, key: name, request, answer }) => {
    const own = keyOf(name, algorithm);
    expect(verify(octetsOf(request), [own]).status).toBe("ok");
    expect(verify(octetsOf(answer), [own], macOf(octetsOf(request))).status).toBe("ok");
  });

  test.each(vectors)("$algorithm of $key: signing the same message gives the same octets", (vector) => {
    const octets = octetsOf(vector.request);
    const { tsig } = decodeMessage(octets);
    if (tsig === undefined) throw new Error("not signed");
    // The TSIG record is last: its name, ten octets of head, its RDATA.
    const algorithm = vector.algorithm === "hmac-md5" ? 26 : vector.algorithm.length + 2;
    const size = vector.key.length + 2 + 10 + algorithm + 16 + tsig.mac.length;
    const unsigned = new Uint8Array(octets.subarray(0, octets.length - size));
    unsigned[11] = (unsigned[11] ?? 0) - 1;
    const signed = signTsig(unsigned, keyOf(vector.key, vector.algorithm), { now: tsig.timeSigned, fudge: tsig.fudge });
    expect(Buffer.from(signed.octets).toString("hex")).toBe(vector.request);
    expect(signed.mac).toEqual(tsig.mac);
  });

  test("an answer does not verify with another request's MAC, or without", () => {
    const [a, b] = vectors.filter((v) => v.algorithm === "hmac-sha256");
    if (a === undefined || b === undefined) throw new Error("no vectors");
    expect(verify(octetsOf(a.answer), [key], macOf(octetsOf(b.request))).status).toBe("badsig");
    expect(verify(octetsOf(a.answer), [key]).status).toBe("badsig");
  });
});

describe("verifying", () => {
  test.each(tsigAlgorithms)("accepts what was signed with %s", (algorithm) => {
    const own = { ...key, algorithm };
    const { octets, mac } = signTsig(request, own, { now });
    expect(verify(octets, [{ ...own, name: nameFromLabels(["first"]) }, own])).toMatchObject({
      status: "ok",
      key: own,
      tsig: { mac },
    });
  });

  test("refuses a message with any bit changed", () => {
    const { octets } = signTsig(request, key, { now });
    fc.assert(
      fc.property(fc.nat(octets.length * 8 - 1), (bit) => {
        const at = bit >> 3;
        const before = octets[at] ?? 0;
        const changed = octets.slice();
        changed[at] = before ^ (1 << (bit & 7));
        // Not signed: the id (the original one is), and the case of letters in the names of key and algorithm.
        const inNames = at >= request.length && at < octets.length - 48 && /[a-z]/.test(String.fromCharCode(before));
        if (at < 2 || (inNames && (bit & 7) === 5)) return;
        expect(statusOf(changed)).not.toBe("ok");
      }),
      { numRuns: 600 },
    );
  });

  test("accepts a message whose id a forwarder changed", () => {
    const { octets } = signTsig(request, key, { now });
    octets[0] = 0xff;
    expect(verify(octets).status).toBe("ok");
  });

  test("tells a wrong secret from an unknown key and an unknown algorithm", () => {
    const { octets } = signTsig(request, key, { now });
    expect(verify(octets, [other]).status).toBe("badsig");
    expect(verify(octets, [{ ...key, name: nameFromLabels(["elsewhere"]) }]).status).toBe("badkey");
    expect(verify(octets, [{ ...key, algorithm: "hmac-sha512" }]).status).toBe("badkey");
    expect(verify(octets, []).status).toBe("badkey");
    expect(verify(request).status).toBe("unsigned");
  });

  test("accepts clocks as far apart as fudge and no further", () => {
    const { octets } = signTsig(request, key, { now });
    for (const offset of [-300, 300]) expect(verify(octets, [key], undefined, now + offset).status).toBe("ok");
    for (const offset of [-301, 301]) expect(verify(octets, [key], undefined, now + offset).status).toBe("badtime");
  });

  test("says badsig before badtime, so that nobody without the key learns the time", () => {
    const { octets } = signTsig(request, other, { now });
    expect(verify(octets, [key], undefined, now + 9999).status).toBe("badsig");
  });

  test.each([
    [32, "ok"],
    [16, "ok"],
    [15, "malformed"],
    [33, "malformed"],
    [0, "badsig"],
  ])("a MAC of %i octets is %s with hmac-sha256", (size, status) => {
    const { mac } = signTsig(request, key, { now });
    const cut = new Uint8Array(size);
    cut.set(mac.subarray(0, size));
    expect(verify(withMac(cut)).status).toBe(status);
  });

  test("a short MAC is badtrunc where the whole is wanted, and a wrong short one badsig", () => {
    const { mac } = signTsig(request, key, { now });
    const options = { now, minMacOctets: 32 };
    expect(verifyTsig(withMac(mac.slice(0, 16)), [key], options).status).toBe("badtrunc");
    expect(verifyTsig(withMac(new Uint8Array(16)), [key], options).status).toBe("badsig");
  });
});

describe("a server's answer", () => {
  const answered = (verdict: TsigVerdict) => answerTsig(reply, verdict, now);

  test("to a good request is signed over the request's MAC", () => {
    const signed = signTsig(request, key, { now });
    const octets = answered(verify(signed.octets));
    expect(verify(octets, [key], signed.mac)).toMatchObject({ status: "ok", tsig: { error: 0 } });
    expect(verify(octets, [key]).status).toBe("badsig");
  });

  test("to an unknown key or a wrong signature has the error and no MAC", () => {
    const { octets } = signTsig(request, key, { now });
    const empty = { mac: new Uint8Array(), keyName: "acme", originalId: 7 };
    expect(decodeMessage(answered(verify(octets, []))).tsig).toMatchObject({ ...empty, error: tsigError.badKey });
    expect(decodeMessage(answered(verify(octets, [other]))).tsig).toMatchObject({ ...empty, error: tsigError.badSig });
  });

  test("to a request from another time is signed at that time and carries the server's clock", () => {
    const signed = signTsig(request, key, { now: now - 1000 });
    const octets = answered(verify(signed.octets));
    const verdict = verify(octets, [key], signed.mac, now - 1000);
    if (verdict.status !== "ok") throw new Error(verdict.status);
    expect(verdict.tsig).toMatchObject({ error: tsigError.badTime, timeSigned: now - 1000 });
    expect(serverClockOf(verdict.tsig)).toBe(now);
  });

  test("to an unsigned request is unsigned", () => {
    expect(answered(verify(request))).toEqual(reply);
  });
});

describe("an algorithm", () => {
  test.each([
    ["hmac-sha256", "hmac-sha256"],
    ["hmac-sha256.", "hmac-sha256"],
    ["HMACSHA256", "hmac-sha256"],
    ["HMAC-SHA512", "hmac-sha512"],
    ["hmac_sha1", "hmac-sha1"],
    ["hmac-sha-384", "hmac-sha384"],
    [" HMACMD5\n", "hmac-md5"],
    ["hmac-md5.sig-alg.reg.int.", "hmac-md5"],
  ])("may be written %j", (text, algorithm) => {
    expect(parseTsigAlgorithm(text)).toBe(algorithm);
  });

  test.each(["", "sha256", "hmac-sha3", "hmac", "gss-tsig"])("is not %j", (text) => {
    expect(parseTsigAlgorithm(text)).toBeUndefined();
  });
});

describe("a key file", () => {
  test("is read as tsig-keygen and people write it", () => {
    const plain = 'key "acme.example" {\n\talgorithm hmac-sha512;\n\tsecret "YWJj ZGVm==";\n};\n';
    expect(parseKeyFile(plain)).toEqual({ name: "acme.example", algorithm: "hmac-sha512", secret: "YWJjZGVm==" });
    const commented =
      '# a // key\n/* key "x" { */ key acme{secret YWJj;algorithm "HMAC-MD5.SIG-ALG.REG.INT"; // end\n};';
    expect(parseKeyFile(commented)).toEqual({ name: "acme", algorithm: "HMAC-MD5.SIG-ALG.REG.INT", secret: "YWJj" });
  });

  test.each(["", "YWJjZGVmZ2hpamts", 'key "a" { secret "YWJjZGVmZ2hpamts"; };'])(
    "is refused without its content: %j",
    (text) => {
      expect(() => parseKeyFile(text)).toThrow(CodecError);
      expect(() => parseKeyFile(text)).not.toThrow(/YWJj/);
    },
  );
});

function statusOf(octets: Uint8Array): string {
  try {
    return verify(octets).status;
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return "unreadable";
  }
}

/** The request with a TSIG of this MAC. */
function withMac(mac: Uint8Array): Uint8Array {
  const { tsig } = decodeMessage(signTsig(request, key, { now }).octets);
  if (tsig === undefined) throw new Error("not signed");
  return encodeMessage({ ...decodeMessage(request), tsig: { ...tsig, mac } });
}
