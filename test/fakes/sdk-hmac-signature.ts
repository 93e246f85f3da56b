import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FakeRequest } from "./http-service.ts";

export interface SdkHmacKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Set for temporary keys. */
  readonly securityToken?: string | undefined;
}

const wellFormed = /^SDK-HMAC-SHA256 Access=([^,\s]+), SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;

/**
 * Checks a request as Huawei Cloud's gateway does; answers what is wrong, or `undefined` when it is genuine.
 * @see https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
 */
export function verifySdkHmac(request: FakeRequest, keys: readonly SdkHmacKey[]): string | undefined {
  const { method, path, query, headers, rawBody } = request;
  const header = (name: string): string => String(headers[name] ?? "").trim();
  const [, id, signedHeaders = "", signature = ""] = wellFormed.exec(header("authorization")) ?? [];
  if (id === undefined) return "authorization header is malformed";
  const names = signedHeaders.split(";");
  if (!names.includes("host") || !names.includes("x-sdk-date")) return "host and x-sdk-date have to be signed";
  if (names.join() !== [...names].sort().join()) return "signed headers are not in order";
  const unsigned = names.find((name) => headers[name] === undefined);
  if (unsigned !== undefined) return `the signed header ${unsigned} was not sent`;

  const date = header("x-sdk-date");
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const time = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  if (!(Math.abs(time - Date.now()) <= 15 * 60_000)) return `x-sdk-date is expired: ${date}`;
  const key = keys.find(({ accessKeyId }) => accessKeyId === id);
  if (key === undefined) return "ak does not exist";
  if (header("x-security-token") !== (key.securityToken ?? "")) return "security token does not fit";

  const lines = names.map((name) => `${name}:${header(name)}\n`).join("");
  const uri = path.endsWith("/") ? path : `${path}/`;
  const canonical = [method, uri, canonicalQuery(query), lines, signedHeaders, sha256(rawBody)].join("\n");
  const toSign = ["SDK-HMAC-SHA256", date, sha256(canonical)].join("\n");
  const expected = createHmac("sha256", key.secretAccessKey).update(toSign).digest();
  if (timingSafeEqual(expected, Buffer.from(signature, "hex"))) return undefined;
  return `verify aksk signature fail, canonicalRequest:${canonical.replaceAll("\n", "|")}`;
}

function canonicalQuery(query: URLSearchParams): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = [...query].sort(([a, v], [b, w]) => (a < b || (a === b && v < w) ? -1 : 1));
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
