import { createRequire, Module } from "node:module";
import type { Post } from "./exchange.ts";

/** What is used of acme-client's HttpClient: JWS, JWK and external account binding. It declares no types for it. */
export interface HttpClient {
  getJwk(): object;
  /** Without a nonce for a JWS inside another one; without a kid the key itself is in the header. */
  createSignedBody(
    url: string,
    payload: object | null,
    header: { readonly nonce?: string; readonly kid?: string | null },
  ): object;
  createSignedHmacBody(hmacKey: string, url: string, payload: object, header: { readonly kid: string }): object;
}

type HttpClientClass = new (directoryUrl: string, accountKey: string) => HttpClient;

/** One request to be signed; `payload` null is POST-as-GET (RFC 8555 §6.3), which is not the same as {}. */
export interface Signed<T> extends Omit<Post<T>, "sign" | "url"> {
  readonly payload: object | null;
  /** With the key itself instead of its account's URL: newAccount and some revocations (RFC 8555 §6.2). */
  readonly byKey?: boolean;
  /** Signs in place of the client's own key. */
  readonly signer?: HttpClient;
}

/** Members of the directory that requests are sent to. */
export type Resource = "newAccount" | "newOrder" | "keyChange" | "revokeCert";

/**
 * acme-client's HttpClient, which signs with Node's own crypto, without what lies below its other parts: loading axios,
 * asn1js and @peculiar/x509 from there takes 130 ms and 20 MiB. The copy with these gaps is taken out of the cache
 * again, so that other users of acme-client in this process get a whole one.
 */
export function loadHttpClient(): HttpClientClass {
  const require = createRequire(import.meta.url);
  const http = require.resolve("acme-client/src/http.js");
  const whole = require.cache[http];
  if (whole !== undefined) return whole.exports as HttpClientClass;
  const inside = createRequire(http);
  const added = [http, inside.resolve("./crypto/index.js")].filter((path) => require.cache[path] === undefined);
  for (const [name, exports] of unusedParts) {
    const path = inside.resolve(name);
    if (require.cache[path] !== undefined) continue;
    require.cache[path] = Object.assign(new Module(path), { filename: path, loaded: true, exports });
    added.push(path);
  }
  try {
    return require(http) as HttpClientClass;
  } finally {
    for (const path of added) delete require.cache[path];
  }
}

/** With the little that is used of them while modules load. */
const unusedParts: readonly (readonly [string, object])[] = [
  ["./axios.js", {}],
  ["asn1js", {}],
  ["@peculiar/x509", { cryptoProvider: { set: () => {} } }],
];
