import { createHash, type webcrypto } from "node:crypto";
import { Agent, request } from "node:https";
import * as x509 from "@peculiar/x509";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";
import type { Sandbox } from "../../src/sandbox/index.ts";

export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; fails for other bodies. */
  readonly json: Record<string, unknown>;
  /** Type of the problem document without its prefix. */
  readonly problem: string | undefined;
}

export interface Key {
  readonly pair: webcrypto.CryptoKeyPair;
  readonly jwk: JWK;
  readonly alg: string;
}

export interface SignOverrides {
  /** Members of the protected header put over the right ones; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: Key;
  readonly contentType?: string;
  /** Changes the finished JWS. */
  readonly tamper?: (jws: Record<string, unknown>) => unknown;
}

/** An ACME client that does exactly what it is told, right or wrong. */
export interface RawAcme {
  readonly key: Key;
  kid: string | undefined;
  fetch(method: string, url: string, options?: { body?: string; headers?: Record<string, string> }): Promise<RawReply>;
  nonce(): Promise<string>;
  /** POST with `kid` if there is one, else with `jwk`; `payload` undefined is POST-as-GET. */
  post(url: string, payload?: unknown, overrides?: SignOverrides): Promise<RawReply>;
  directory(): Promise<Record<string, string>>;
  register(payload?: object): Promise<RawReply>;
  close(): void;
}

export async function rawAcme(sandbox: Sandbox, key?: Key): Promise<RawAcme> {
  const agent = new Agent({ ca: sandbox.caRootPem, keepAlive: true });
  const own = key ?? (await newKey());
  const client: RawAcme = {
    key: own,
    kid: undefined,
    fetch: (method, url, options = {}) => fetchRaw(agent, method, url, options),
    async nonce() {
      const reply = await client.fetch("HEAD", `${new URL(url).origin}/new-nonce`);
      return String(reply.headers["replay-nonce"]);
    },
    async post(target, payload, overrides = {}) {
      const signer = overrides.key ?? own;
      const identity = client.kid === undefined ? { jwk: signer.jwk } : { kid: client.kid };
      const header = { alg: signer.alg, nonce: await client.nonce(), url: target, ...identity, ...overrides.header };
      const jws = await signJws(signer, header, payload === undefined ? "" : JSON.stringify(payload));
      const body = JSON.stringify(overrides.tamper?.(jws) ?? jws);
      const contentType = overrides.contentType ?? "application/jose+json";
      return client.fetch("POST", target, { body, headers: { "content-type": contentType } });
    },
    directory: async () => (await client.fetch("GET", url)).json as Record<string, string>,
    async register(payload = {}) {
      const { newAccount = "" } = await client.directory();
      client.kid = undefined;
      const reply = await client.post(newAccount, { termsOfServiceAgreed: true, ...payload });
      if (reply.status < 300) client.kid = String(reply.headers["location"]);
      return reply;
    },
    close: () => agent.destroy(),
  };
  const url = sandbox.directoryUrl;
  return client;
}

export async function newKey(namedCurve = "P-256", alg = "ES256"): Promise<Key> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign", "verify"]);
  return { pair, jwk: await exportJWK(pair.publicKey), alg };
}

export async function newRsaKey(modulusLength: number): Promise<Key> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return { pair, jwk: await exportJWK(pair.publicKey), alg: "RS256" };
}

/** Signed by hand, so that headers that libraries refuse can be tried. */
export async function signJws(key: Key, header: object, payload: string): Promise<Record<string, unknown>> {
  const head = Buffer.from(JSON.stringify(header)).toString("base64url");
  const body = Buffer.from(payload).toString("base64url");
  const hash = key.alg === "ES384" ? "SHA-384" : "SHA-256";
  const data = new TextEncoder().encode(`${head}.${body}`);
  const algorithm = key.alg === "RS256" ? { name: "RSASSA-PKCS1-v1_5" } : { name: "ECDSA", hash };
  const signature = await crypto.subtle.sign(algorithm, key.pair.privateKey, data);
  return { protected: head, payload: body, signature: Buffer.from(signature).toString("base64url") };
}

export async function txtFor(key: Key, token: string): Promise<string> {
  return createHash("sha256")
    .update(`${token}.${await calculateJwkThumbprint(key.jwk)}`)
    .digest("base64url");
}

/** A CSR in base64url. */
export async function csrFor(names: readonly string[], key?: Key, commonName?: string): Promise<string> {
  return csrWith(
    new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value }))),
    key,
    commonName,
  );
}

/** The same with an extension of any kind. */
export async function csrWith(extension: x509.Extension, key?: Key, commonName?: string): Promise<string> {
  const { pair } = key ?? (await newKey());
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: commonName === undefined ? "" : `CN=${commonName}`,
    keys: pair,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [extension],
  });
  return Buffer.from(csr.rawData).toString("base64url");
}

function fetchRaw(
  agent: Agent,
  method: string,
  url: string,
  options: { body?: string; headers?: Record<string, string> },
): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    // An empty header is left out.
    const headers = Object.entries({ "user-agent": "raw-acme/1", ...options.headers }).filter(([, v]) => v !== "");
    const req = request(url, { method, agent, headers: Object.fromEntries(headers) }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const parse = () => JSON.parse(text) as Record<string, unknown>;
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          text,
          get json() {
            return parse();
          },
          get problem() {
            const isProblem = res.headers["content-type"] === "application/problem+json";
            return isProblem ? String(parse()["type"]).replace("urn:ietf:params:acme:error:", "") : undefined;
          },
        });
      });
    });
    req.on("error", reject);
    req.end(options.body);
  });
}
