import { createHash } from "node:crypto";
import { type Clock, systemClock } from "../core/clock.ts";
import { AcmeError } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { accountRequests } from "./account-requests.ts";
import { locationOf, parseJson, parsePem } from "./answers.ts";
import { checkKey, checkRoots } from "./check-options.ts";
import { checkProfile, createDirectoryCache } from "./directory.ts";
import { createExchange } from "./exchange.ts";
import { loadHttpClient, type Resource, type Signed } from "./jws.ts";
import { readAuthorization, readChallenge, readOrder } from "./objects.ts";
import { isProblem, linksOf, unlessRefused } from "./problem.ts";
import { byOurClock, retryAfterMs } from "./retry-after.ts";
import { createTransport, type HttpMessage, type Transport } from "./transport.ts";
import type { AcmeChallenge, AcmeClient, AcmeClientOptions, Directory, Order } from "./types.ts";

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
  /** Connections that are shared with other clients, and closed by whoever made them. */
  readonly transport?: Transport | undefined;
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
  const transport = deps.transport ?? createTransport({ caRoot: options.caRoot, env: deps.env ?? process.env });
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
  const signerOf = (key: string) => new (loadHttpClient())(directoryUrl, key);
  const jws = signerOf(options.accountKey);
  const thumbprint = sha256(JSON.stringify(jws.getJwk()));
  const answered = new Set<string>();
  let accountUrl = options.accountUrl;

  const post = <T>(url: string, request: Signed<T>): Promise<T> => {
    const { payload, byKey, signer = jws, ...rest } = request;
    const kid = byKey === true ? null : accountUrl;
    if (kid === undefined)
      throw new Error(`${request.operation} needs an account: call newAccount or findAccount first`);
    return exchange.post({
      ...rest,
      url,
      sign: (nonce) => JSON.stringify(signer.createSignedBody(url, payload, { nonce, kid })),
    });
  };

  /** A request to an address of the directory, which may have moved since the directory was read. */
  const postTo = async <T>(
    resource: Resource,
    signal: AbortSignal,
    request: (url: string) => Omit<Signed<T>, "signal">,
  ): Promise<T> => {
    const url = addressOf(await directory.get(signal), resource);
    try {
      return await post(url, { ...request(url), signal });
    } catch (error) {
      if (!(error instanceof AcmeError && error.problem.status === 404)) throw error;
      const moved = addressOf(await directory.refresh(signal), resource);
      if (moved === url) throw error;
      return post(moved, { ...request(moved), signal });
    }
  };

  /** What the answer says of time, by our clock. */
  const timed = <T extends { readonly expires?: string }>(
    object: T,
    { headers }: HttpMessage,
  ): T & { readonly retryAfterMs?: number } => {
    const ms = retryAfterMs(headers, wallNow());
    const expires = byOurClock(object.expires, headers, wallNow());
    return {
      ...object,
      ...(expires === undefined ? {} : { expires }),
      ...(ms === undefined ? {} : { retryAfterMs: ms }),
    };
  };

  const readOrderAt = (url: string, operation: string) => (answer: HttpMessage) =>
    timed(readOrder(parseJson(answer), url, operation), answer);

  const readChallengeAt = async (url: string, signal: AbortSignal): Promise<AcmeChallenge | undefined> => {
    const operation = "challenge";
    const read = (answer: HttpMessage) => readChallenge(parseJson(answer), url);
    const challenge = await post(url, { operation, signal, payload: null, read }).catch(unlessRefused);
    return challenge?.status === "pending" ? undefined : challenge;
  };

  const client: AcmeClient = {
    directoryUrl,
    get requests() {
      return exchange.requests;
    },
    directory: (signal) => directory.get(signal),

    ...accountRequests({
      jws,
      signerOf,
      post,
      postTo,
      accountUrl: () => accountUrl,
      setAccountUrl(url) {
        accountUrl = url;
      },
    }),

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
        // The body first: a page of somebody else's has no Location either, and is asked again as everywhere.
        read: (answer) => timed(readOrder(parseJson(answer), locationOf(answer, url, "newOrder"), "newOrder"), answer),
      }));
    },

    order: (url, signal) => post(url, { operation: "order", signal, payload: null, read: readOrderAt(url, "order") }),

    authorization: (url, signal) =>
      post(url, {
        operation: "authorization",
        signal,
        payload: null,
        read: (answer) => timed(readAuthorization(parseJson(answer), url, "authorization"), answer),
      }),

    answered,

    async answer(url, signal) {
      const operation = "answer";
      answered.add(url);
      // What counts is the order's state later on; some servers answer with less than a challenge.
      const read = (answer: HttpMessage): AcmeChallenge =>
        readChallenge(parseJson(answer), url) ?? { type: "dns-01", url, status: "processing" };
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
    close: () => {
      if (deps.transport === undefined) transport.close();
    },
  };
  return client;
}

/** Throws AcmeError for what this CA does not offer. */
function addressOf(directory: Directory, resource: Resource): string {
  const url = directory[resource];
  if (url !== undefined) return url;
  const what =
    { keyChange: "exchange account keys", revokeCert: "revoke certificates" }[resource as string] ?? resource;
  const detail = `the CA does not offer to ${what}: its directory has no "${resource}"`;
  throw new AcmeError(`${resource}: ${detail}`, { type: "about:blank", detail }, { operation: resource });
}

/** RFC 8555 §8.1: base64url without padding. */
function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
