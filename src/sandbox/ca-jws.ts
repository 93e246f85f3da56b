import { calculateJwkThumbprint, errors, flattenedVerify, importJWK, type JWK } from "jose";
import { AcmeProblem, malformed, unauthorized } from "./ca-problem.ts";

const algorithms = ["ES256", "ES384", "ES512", "RS256"] as const;
const macAlgorithms = ["HS256", "HS384", "HS512"] as const;

/** A flattened JWS whose form is right; nothing is verified yet. */
export interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
  readonly header: Readonly<Record<string, unknown>>;
}

/** Reads RFC 7515 §7.2.2 JSON as RFC 8555 §6.2 narrows it. */
export function parseJws(body: unknown): Jws {
  if (!isObject(body)) throw malformed("the body is no JSON object");
  if ("signatures" in body) throw malformed("a JWS in general serialization is not accepted, only the flattened one");
  if ("header" in body) throw malformed("the JWS must not have an unprotected header");
  const { protected: head, payload, signature } = body;
  if (typeof head !== "string" || typeof payload !== "string" || typeof signature !== "string") {
    throw malformed('the JWS needs the strings "protected", "payload" and "signature"');
  }
  const header = parseJson(decode(head, "protected header"), "protected header");
  if (!isObject(header)) throw malformed("the protected header is no JSON object");
  decode(payload, "payload");
  decode(signature, "signature");
  if ("crit" in header || "b64" in header) throw malformed("critical JWS extensions are not accepted");
  return { protected: head, payload, signature, header };
}

/** The nonce of the header, or the error RFC 8555 §6.5 asks for. */
export function nonceOf(jws: Jws): string {
  const nonce = jws.header["nonce"];
  if (typeof nonce !== "string") throw new AcmeProblem("badNonce", 400, "the protected header has no nonce");
  if (!/^[A-Za-z0-9_-]+$/.test(nonce)) throw malformed("the nonce is not base64url");
  return nonce;
}

/** RFC 8555 §6.4: another "url" than the one asked for may be a request meant for another server. */
export function checkUrl(jws: Jws, url: string): void {
  const given = jws.header["url"];
  if (typeof given !== "string") throw malformed('the protected header has no "url"');
  if (given !== url) throw unauthorized(`the protected header is for the URL "${given}", the request went to "${url}"`);
}

/** Exactly one of "jwk" and "kid" (RFC 8555 §6.2). */
export function keyHint(jws: Jws): { readonly kid: string } | { readonly jwk: JWK } {
  const { kid, jwk } = jws.header;
  if ((kid === undefined) === (jwk === undefined)) {
    throw malformed('the protected header needs exactly one of "jwk" and "kid"');
  }
  if (kid !== undefined) {
    if (typeof kid !== "string") throw malformed('"kid" is no string');
    return { kid };
  }
  if (!isObject(jwk)) throw malformed('"jwk" is no object');
  return { jwk };
}

/** Verifies with a public key and gives the payload's octets. */
export async function verifyJws(jws: Jws, jwk: JWK): Promise<Uint8Array> {
  const alg = jws.header["alg"];
  if (typeof alg !== "string" || !algorithms.some((a) => a === alg)) {
    throw new AcmeProblem("badSignatureAlgorithm", 400, `"${String(alg)}" is not accepted for an account`, {
      members: { algorithms },
    });
  }
  checkPublicKey(jwk);
  try {
    const key = await importJWK(jwk, alg);
    return (await flattenedVerify(flat(jws), key, { algorithms: [...algorithms] })).payload;
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed) throw malformed("the JWS signature is wrong");
    throw malformed(`the JWS cannot be verified with its key: ${cause instanceof Error ? cause.message : "unknown"}`);
  }
}

/** Verifies an external account binding (RFC 8555 §7.3.4) against the CA's key. */
export async function verifyMac(jws: Jws, key: Uint8Array): Promise<Uint8Array> {
  const alg = jws.header["alg"];
  if (typeof alg !== "string" || !macAlgorithms.some((a) => a === alg)) {
    throw new AcmeProblem("badSignatureAlgorithm", 400, "the external account binding is not signed with an HMAC", {
      members: { algorithms: macAlgorithms },
    });
  }
  try {
    return (await flattenedVerify(flat(jws), key, { algorithms: [...macAlgorithms] })).payload;
  } catch {
    throw unauthorized("the external account binding is not signed with the key of its kid");
  }
}

/** RFC 7638; also what makes a key authorization (RFC 8555 §8.1). */
export function thumbprint(jwk: JWK): Promise<string> {
  return calculateJwkThumbprint(jwk, "sha256");
}

/** The payload as a JSON object; `undefined` for the empty payload of POST-as-GET (RFC 8555 §6.3). */
export function payloadObject(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  if (payload.length === 0) return undefined;
  const value = parseJson(Buffer.from(payload).toString("utf8"), "payload");
  if (!isObject(value)) throw malformed("the payload is no JSON object");
  return value;
}

export function isObject(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

/** base64url without padding (RFC 8555 §6.1), as octets. */
export function base64url(text: string, what: string): Buffer {
  // A length of 4n + 1 carries half an octet: no encoder makes it.
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1)
    throw malformed(`the ${what} is not base64url without padding`);
  return Buffer.from(text, "base64url");
}

function checkPublicKey(jwk: JWK): void {
  const bad = (detail: string) => new AcmeProblem("badPublicKey", 400, detail);
  if ("d" in jwk || "k" in jwk) throw bad("the JWK holds a secret");
  if (jwk.kty === "RSA") {
    const bits = Buffer.from(String(jwk.n ?? ""), "base64url").length * 8;
    if (bits < 2048 || bits > 4096) throw bad(`an RSA account key of ${bits} bits is not accepted, only 2048 to 4096`);
  } else if (jwk.kty !== "EC") {
    throw bad(`account keys of type "${String(jwk.kty)}" are not accepted, only EC and RSA`);
  }
}

function flat(jws: Jws) {
  return { protected: jws.protected, payload: jws.payload, signature: jws.signature };
}

function decode(text: string, what: string): string {
  return base64url(text, what).toString("utf8");
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`the ${what} is no JSON`);
  }
}
