import { createHash, createHmac } from "node:crypto";

/** What a signature covers. */
export interface Covered {
  readonly method: string;
  /** As it is sent, with "/" at its end. */
  readonly path: string;
  /** As it is sent: made by queryOf. */
  readonly query: string;
  /** Every header that is covered, `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Parameters in the one order and spelling that signatures are made of (RFC 3986 §2.3); they are sent like that too. */
export function queryOf(parameters: Readonly<Record<string, string | number>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encoded(name)}=${encoded(String(value))}`)
    .sort()
    .join("&");
}

/**
 * The canonical request that Alibaba Cloud (ACS3) and Huawei Cloud (SDK-HMAC) both sign: its SHA-256, and the names of
 * the headers in it.
 */
export function canonicalRequest({ method, path, query, headers, body }: Covered): {
  readonly hash: string;
  readonly signedHeaders: string;
} {
  const sorted = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value.trim()] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const signedHeaders = sorted.map(([name]) => name).join(";");
  const lines = sorted.map(([name, value]) => `${name}:${value}`);
  return { hash: sha256([method, path, query, ...lines, "", signedHeaders, sha256(body)].join("\n")), signedHeaders };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function hmacSha256(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
