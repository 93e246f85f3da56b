import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FakeRequest } from "./http-service.ts";

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SignatureRules {
  readonly keys: readonly SigningKey[];
  readonly region: string;
  readonly service: string;
  /** Of the service, in milliseconds. Default the system's. */
  readonly now?: () => number;
}

/** An error in AWS's words: status 403 or 400, code, message. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const maxSkewMs = 5 * 60_000;

/**
 * Judges an AWS Signature Version 4 by its own computation: scope, time, session token, signed headers, path, query and
 * body. Returns what the service would refuse it with, or the key that signed.
 */
export function checkSignature(request: FakeRequest, rules: SignatureRules): Refusal | SigningKey {
  const header = request.headers.authorization;
  if (header === undefined) return refusal(403, "MissingAuthenticationToken", "Missing Authentication Token");
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (match === null) return refusal(400, "IncompleteSignature", "Authorization header is not well formed.");
  const [, id = "", date = "", region = "", service = "", signedHeaders = "", signature = ""] = match;
  const key = rules.keys.find(({ accessKeyId }) => accessKeyId === id);
  if (key === undefined) {
    return refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
  }
  if (region !== rules.region || service !== rules.service) {
    const scope = `${rules.region}/${rules.service}`;
    return refusal(403, "SignatureDoesNotMatch", `Credential should be scoped to ${scope}, not ${region}/${service}.`);
  }
  const token = request.headers["x-amz-security-token"];
  if (token !== key.sessionToken) {
    return refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
  }
  const time = String(request.headers["x-amz-date"] ?? "");
  const sentAt = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(sentAt) || !time.startsWith(date)) {
    return refusal(400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'.");
  }
  const now = rules.now?.() ?? Date.now();
  if (sentAt < now - maxSkewMs) return refusal(403, "SignatureDoesNotMatch", `Signature expired: ${time} is too old.`);
  if (sentAt > now + maxSkewMs) {
    return refusal(403, "SignatureDoesNotMatch", `Signature not yet current: ${time} is still later than now.`);
  }
  const names = signedHeaders.split(";");
  const demanded = ["host", ...Object.keys(request.headers).filter((name) => name.startsWith("x-amz-"))];
  const unsigned = demanded.filter((name) => !names.includes(name));
  if (unsigned.length > 0 || names.join() !== [...names].sort().join()) {
    return refusal(403, "SignatureDoesNotMatch", `These headers have to be signed, in order: ${unsigned.join(", ")}`);
  }
  const bodyHash = sha256(request.rawBody);
  const claimed = request.headers["x-amz-content-sha256"];
  if (claimed !== undefined && claimed !== bodyHash) {
    return refusal(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.");
  }
  const canonical = [
    request.method,
    // As sent, and encoded once more: all services but S3 do so.
    request.path.split("/").map(encode).join("/"),
    canonicalQuery(request.rawQuery),
    ...names.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replace(/ +/g, " ")}`,
    ),
    "",
    signedHeaders,
    bodyHash,
  ].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const signingKey = [date, region, service, "aws4_request"].reduce<string | Buffer>(
    (previous, part) => hmac(previous, part),
    `AWS4${key.secretAccessKey}`,
  );
  if (timingSafeEqual(hmac(signingKey, toSign), Buffer.from(signature, "hex"))) return key;
  return refusal(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
      "and signing method. Consult the service documentation for details.",
  );
}

export function isRefusal(judged: Refusal | SigningKey): judged is Refusal {
  return "code" in judged;
}

function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message };
}

function canonicalQuery(rawQuery: string): string {
  if (rawQuery === "") return "";
  return rawQuery
    .split("&")
    .map((pair) => {
      const [name = "", value = ""] = pair.split("=", 2);
      return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))] as const;
    })
    .sort(([a, av], [b, bv]) => (a === b ? compare(av, bv) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
