import { createHash } from "node:crypto";
import { createRequire, Module } from "node:module";
import { type Clock, systemClock } from "../core/clock.ts";
import { AcmeError } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { locationOf, parseJson, parsePem, readAccount } from "./answers.ts";
import { checkKey, checkRoots } from "./check-options.ts";
import { checkProfile, createDirectoryCache } from "./directory.ts";
import { createExchange, type Post } from "./exchange.ts";
import { readAuthorization, readChallenge, readOrder } from "./objects.ts";
import { isProblem, linksOf } from "./problem.ts";
import { retryAfterMs } from "./retry-after.ts";
import { createTransport, type HttpMessage } from "./transport.ts";
import type { Account, AcmeChallenge, AcmeClient, AcmeClientOptions, Order } from "./types.ts";

export interface AcmeClientDeps {
  /** "dns01/<version>". */
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly observer?: Observer;
  /** For HTTPS_PROXY and NO_PROXY. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly wallNow?: () => number;
  /** How long the signal's owner will still wait, if it knows: Retry-After is honoured up to that, else up to 60 s. */
  readonly remainingMs?: (signal: AbortSignal) => number | undefined;
}

/** What is used of acme-client's HttpClient: JWS, JWK and external account binding. It declares no types for it. */
interface HttpClient {
  getJwk(): object;
  createSignedBody(
    url: string,
    payload: object | null,
    header: { readonly nonce: string; readonly kid: string | null },
  ): object;
  createSignedHmacBody(hmacKey: string, url: string, payload: object, header: { readonly kid: string }): object;
}

type HttpClientClass = new (directoryUrl: string, accountKey: string) => HttpClient;

/** One request to be signed; `payload` null is POST-as-GET (RFC 8555 §6.3), which is not the same as {}. */
interface Signed<T> extends Omit<Post<T>, "sign" | "url"> {
  readonly payload: object | null;
  /** With the key itself instead of its account's URL: newAccount only (RFC 8555 §6.2). */
  readonly byKey?: boolean;
}

/**
 * A client of one CA for one account key. Nothing is sent before the first method is called.
 * Throws ConfigError for a key or `caRoot` that cannot be used.
 */
export async function createAcmeClient(options: AcmeClientOptions, deps: AcmeClientDeps): Promise<AcmeClient> {
  checkKey(options.accountKey);
  if (options.caRoot !== undefined) checkRoots(options.caRoot);
  const { directoryUrl } = options;
  const clock = deps.clock ?? systemClock;
  const wallNow = deps.wallNow ?? Date.now;
  const transport = createTransport({ caRoot: options.caRoot, env: deps.env ?? process.env });
  const exchange = createExchange({
    transport,
    clock,
    observer: deps.observer ?? silent,
    userAgent: deps.userAgent,
    wallNow,
    remainingMs: deps.remainingMs ?? (() => undefined),
    newNonceUrl: async (signal, moved) => (await (moved ? directory.refresh(signal) : directory.get(signal))).newNonce,
  });
  const directory = createDirectoryCache(directoryUrl, exchange, clock);
  const jws = new (loadHttpClient())(directoryUrl, options.accountKey);
  const thumbprint = sha256(JSON.stringify(jws.getJwk()));
  const answered = new Set<string>();
  let accountUrl = options.accountUrl;

  const post = <T>(url: string, request: Signed<T>): Promise<T> => {
    const { payload, byKey, ...rest } = request;
    const kid = byKey === true ? null : accountUrl;
    if (kid === undefined)
      throw new Error(`${request.operation} needs an account: call newAccount or findAccount first`);
    return exchange.post({
      ...rest,
      url,
      sign: (nonce) => JSON.stringify(jws.createSignedBody(url, payload, { nonce, kid })),
    });
  };

  /** A request to an address of the directory, which may have moved since the directory was read. */
  const postTo = async <T>(
    resource: "newAccount" | "newOrder",
    signal: AbortSignal,
    request: (url: string) => Omit<Signed<T>, "signal">,
  ): Promise<T> => {
    const url = (await directory.get(signal))[resource];
    try {
      return await post(url, { ...request(url), signal });
    } catch (error) {
      if (!(error instanceof AcmeError && error.problem.status === 404)) throw error;
      const moved = (await directory.refresh(signal))[resource];
      if (moved === url) throw error;
      return post(moved, { ...request(moved), signal });
    }
  };

  const withRetryAfter = <T extends object>(object: T, answer: HttpMessage): T & { readonly retryAfterMs?: number } => {
    const ms = retryAfterMs(answer.headers, wallNow());
    return ms === undefined ? object : { ...object, retryAfterMs: ms };
  };

  const account = async (operation: string, signal: AbortSignal, payload: (url: string) => object) => {
    const found = await postTo<Account>("newAccount", signal, (url) => ({
      operation,
      payload: payload(url),
      byKey: true,
      read: (answer) => readAccount(answer, url, operation),
      // The first attempt may have used up the external account binding.
      ...(operation === "newAccount" ? { recover: () => client.findAccount(signal).catch(unlessRefused) } : {}),
    }));
    accountUrl = found.url;
    return found;
  };

  const readOrderAt = (url: string, operation: string) => (answer: HttpMessage) =>
    withRetryAfter(readOrder(parseJson(answer), url, operation), answer);

  const readChallengeAt = async (url: string, signal: AbortSignal): Promise<AcmeChallenge | undefined> => {
    const operation = "challenge";
    const read = (answer: HttpMessage) => readChallenge(parseJson(answer));
    const challenge = await post(url, { operation, signal, payload: null, read }).catch(unlessRefused);
    return challenge?.status === "pending" ? undefined : challenge;
  };

  const client: AcmeClient = {
    directoryUrl,
    get requests() {
      return exchange.requests;
    },
    directory: (signal) => directory.get(signal),

    async findAccount(signal) {
      try {
        return await account("findAccount", signal, () => ({ onlyReturnExisting: true }));
      } catch (error) {
        if (isProblem(error, "accountDoesNotExist")) return undefined;
        throw error;
      }
    },

    newAccount: ({ contact, termsOfServiceAgreed, eab }, signal) =>
      account("newAccount", signal, (url) => ({
        termsOfServiceAgreed,
        ...(contact.length === 0 ? {} : { contact }),
        ...(eab === undefined
          ? {}
          : { externalAccountBinding: jws.createSignedHmacBody(eab.hmacKey, url, jws.getJwk(), { kid: eab.kid }) }),
      })),

    // Repeated after an unclear end: a second order does no harm, and servers give the first one back.
    async newOrder({ identifiers, profile, replaces }, signal) {
      checkProfile(await directory.get(signal), profile);
      return postTo<Order>("newOrder", signal, (url) => ({
        operation: "newOrder",
        payload: {
          identifiers: identifiers.map((value) => ({ type: "dns", value })),
          ...(profile === undefined ? {} : { profile }),
          ...(replaces === undefined ? {} : { replaces }),
        },
        read: (answer) => readOrderAt(locationOf(answer, url, "newOrder"), "newOrder")(answer),
      }));
    },

    order: (url, signal) => post(url, { operation: "order", signal, payload: null, read: readOrderAt(url, "order") }),

    authorization: (url, signal) =>
      post(url, {
        operation: "authorization",
        signal,
        payload: null,
        read: (answer) => withRetryAfter(readAuthorization(parseJson(answer), url, "authorization"), answer),
      }),

    answered,

    async answer(url, signal) {
      const operation = "answer";
      answered.add(url);
      // What counts is the order's state later on; some servers answer with less than a challenge.
      const read = (answer: HttpMessage): AcmeChallenge =>
        readChallenge(parseJson(answer)) ?? { type: "dns-01", url, status: "processing" };
      try {
        return await post(url, { operation, signal, payload: {}, read, recover: () => readChallengeAt(url, signal) });
      } catch (error) {
        // Starting twice is an error at some servers: harmless when it is under way or over.
        const begun = isProblem(error, "malformed") ? await readChallengeAt(url, signal) : undefined;
        if (begun === undefined) throw error;
        return begun;
      }
    },

    async finalize(order, csr, signal) {
      const operation = "finalize";
      const taken = async () => {
        const now = await client.order(order.url, signal);
        return now.status === "ready" || now.status === "pending" ? undefined : now;
      };
      try {
        return await post(order.finalize, {
          operation,
          signal,
          payload: { csr: Buffer.from(csr).toString("base64url") },
          read: readOrderAt(order.url, operation),
          recover: taken,
        });
      } catch (error) {
        // The order may have been finalized before, by an attempt whose answer was lost.
        const before = isProblem(error, "orderNotReady", "malformed") ? await taken() : undefined;
        if (before === undefined) throw error;
        return before;
      }
    },

    certificate: (url, signal) =>
      post(url, {
        operation: "certificate",
        signal,
        payload: null,
        accept: "application/pem-certificate-chain",
        read: (answer) => ({
          pem: parsePem(answer),
          alternates: linksOf(answer.headers["link"])
            .filter(({ rel, url: to }) => rel === "alternate" && URL.canParse(to, url))
            .map(({ url: to }) => new URL(to, url).href),
        }),
      }),

    dnsValue: (token) => sha256(`${token}.${thumbprint}`),
    close: () => transport.close(),
  };
  return client;
}

/**
 * acme-client's HttpClient, which signs with Node's own crypto, without what lies below its other parts: loading axios,
 * asn1js and @peculiar/x509 from there takes 130 ms and 20 MiB. The copy with these gaps is taken out of the cache
 * again, so that other users of acme-client in this process get a whole one.
 */
function loadHttpClient(): HttpClientClass {
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

/** RFC 8555 §8.1: base64url without padding. */
function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** For reading what became of a request: a refusal to tell is no answer. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof AcmeError) return undefined;
  throw error;
}
