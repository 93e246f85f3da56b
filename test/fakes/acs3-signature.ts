import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FakeRequest } from "./http-service.ts";

export interface Acs3Key {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** Set for temporary keys. */
  readonly securityToken?: string | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const wellFormed = /^ACS3-HMAC-SHA256 Credential=([^,\s]+),SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})$/;

/**
 * Checks a request as Alibaba Cloud's gateway does; `undefined` when it is genuine. `nonces` remembers those that were
 * used.
 * @see https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
export function verifyAcs3(request: FakeRequest, keys: readonly Acs3Key[], nonces: Set<string>): Refusal | undefined {
  const { method, path, headers, rawBody } = request;
  const header = (name: string): string => String(headers[name] ?? "").trim();
  const refuse = (status: number, code: string, message: string): Refusal => ({ status, code, message });
  const [, id, signedHeaders = "", signature = ""] = wellFormed.exec(header("authorization")) ?? [];
  if (id === undefined) return refuse(400, "IncompleteSignature", "The request signature does not conform.");

  const names = signedHeaders.split(";");
  const needed = ["host", ...Object.keys(headers).filter((name) => name.startsWith("x-acs-"))];
  if (needed.some((name) => !names.includes(name)) || names.join() !== [...names].sort().join()) {
    return refuse(400, "IncompleteSignature", "Not every x-acs-* header is signed, in order.");
  }
  const missing = ["action", "version", "date", "signature-nonce", "content-sha256"].find(
    (name) => header(`x-acs-${name}`) === "",
  );
  if (missing !== undefined) return refuse(400, "MissingParameter", `x-acs-${missing} is mandatory for this action.`);

  const date = header("x-acs-date");
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date)) {
    return refuse(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.");
  }
  if (Math.abs(Date.parse(date) - Date.now()) > 15 * 60_000) {
    return refuse(400, "InvalidTimeStamp.Expired", `Specified time stamp or date value is expired: ${date}.`);
  }
  const key = keys.find(({ accessKeyId }) => accessKeyId === id);
  if (key === undefined) return refuse(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
  if (header("x-acs-security-token") !== (key.securityToken ?? "")) {
    return refuse(400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken is not matched.");
  }

  const hash = sha256(rawBody);
  const lines = names.map((name) => `${name}:${header(name)}\n`).join("");
  const canonical = [method, path, canonicalQuery(request), lines, signedHeaders, hash].join("\n");
  const expected = createHmac("sha256", key.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${sha256(canonical)}`)
    .digest();
  if (header("x-acs-content-sha256") !== hash || !timingSafeEqual(expected, Buffer.from(signature, "hex"))) {
    const told = `server string to sign is:ACS3-HMAC-SHA256 ${sha256(canonical)}, canonical request ${canonical}`;
    return refuse(400, "SignatureDoesNotMatch", `Specified signature is not matched with our calculation. ${told}`);
  }
  const nonce = header("x-acs-signature-nonce");
  if (nonces.has(nonce)) return refuse(400, "SignatureNonceUsed", "Specified signature nonce was used already.");
  nonces.add(nonce);
  return undefined;
}

/** As it was sent: a client that orders or encodes otherwise than it signs is refused here, though not everywhere. */
function canonicalQuery({ query, rawQuery }: FakeRequest): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const sorted = [...query].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const canonical = sorted.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  return canonical === rawQuery ? canonical : "the query is not sent as it is signed";
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
