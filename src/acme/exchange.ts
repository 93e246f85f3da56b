import type { Clock } from "../core/clock.ts";
import { AcmeError, TransientError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { ExchangeError, unreachable } from "./exchange-error.ts";
import { createNoncePool } from "./nonces.ts";
import { malformedAnswer, problemOf, refusal, shortType } from "./problem.ts";
import { Failure, repeat } from "./repeat.ts";
import type { HttpMessage, HttpSend, Transport } from "./transport.ts";

export interface ExchangeDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly observer: Observer;
  /** "dns01/1.2.3": some servers refuse requests without one (RFC 8555 §6.1). */
  readonly userAgent: string;
  /** Milliseconds since 1970, for Retry-After dates of servers that send no Date. */
  readonly wallNow: () => number;
  readonly remainingMs: (signal: AbortSignal) => number | undefined;
  /** Where to ask for a nonce; `moved` when the last known address is gone. */
  readonly newNonceUrl: (signal: AbortSignal, moved: boolean) => Promise<string>;
}

export interface Get<T> {
  readonly operation: string;
  readonly url: string;
  readonly signal: AbortSignal;
  readonly read: (answer: HttpMessage) => T;
}

export interface Post<T> {
  readonly operation: string;
  readonly url: string;
  readonly signal: AbortSignal;
  readonly accept?: string | undefined;
  /** The JWS for this nonce: made anew for each attempt, for a nonce is good for one request (RFC 8555 §6.5). */
  readonly sign: (nonce: string) => string;
  /** Throws Unreadable for a body that cannot be what the CA sent. */
  readonly read: (answer: HttpMessage) => T;
  /** After an unclear end: reads what became of it; undefined to send it again. */
  readonly recover?: (() => Promise<T | undefined>) | undefined;
}

/** A success status over a body that is cut off or somebody else's. */
export class Unreadable extends Error {}

export interface Exchange {
  readonly requests: number;
  get<T>(get: Get<T>): Promise<T>;
  post<T>(post: Post<T>): Promise<T>;
}

/** With half of all nonces refused, 20 attempts fail once in a million. */
const maxBadNonces = 20;
/** First contact: an address that is wrong should show soon. */
const attemptsOfGet = 4;
const attemptsOfPost = 10;
const maxRedirects = 3;

/** Requests to one CA: nonces, attempts, typed errors, events. */
export function createExchange(deps: ExchangeDeps): Exchange {
  const pool = createNoncePool(deps.clock);
  let requests = 0;

  /** One HTTP exchange. Throws Failure, a final error, or the signal's reason. */
  const send = async (operation: string, request: HttpSend): Promise<HttpMessage> => {
    const { method, url } = request;
    const detail = `${method} ${operation}`;
    requests += 1;
    deps.observer({ type: "step", kind: "acme", state: "before", detail });
    const start = deps.clock.now();
    let status = 0;
    try {
      const answer = await deps.transport.send({
        ...request,
        headers: { "user-agent": deps.userAgent, "accept-language": "en", ...request.headers },
      });
      status = answer.status;
      return answer;
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      const failed = unreachable(operation, url, error);
      if (error.permanent) throw failed;
      throw new Failure(failed, { unclear: error.sent, atOnce: error.stale });
    } finally {
      const durationMs = deps.clock.now() - start;
      deps.observer({ type: "acme.request", method, url, status, durationMs });
      if (status !== 0) deps.observer({ type: "step", kind: "acme", state: "after", detail });
    }
  };

  /** A success as it is; everything else as an error. */
  const judge = (operation: string, url: string, answer: HttpMessage): HttpMessage => {
    if (answer.status < 300) return answer;
    if (answer.status < 400) {
      const to = answer.headers["location"];
      throw malformedAnswer(operation, `${url} redirects${to === undefined ? "" : ` to ${to}`}`, answer.status);
    }
    const error = refusal(operation, url, answer, deps.wallNow());
    throw error instanceof AcmeError ? error : new Failure(error, { unclear: answer.status >= 500 });
  };

  const understand = <T>(operation: string, url: string, answer: HttpMessage, read: (answer: HttpMessage) => T): T => {
    try {
      return read(answer);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      const failed = new TransientError(`${operation}: the answer of ${url} cannot be read: ${error.message}`, {
        operation,
        hint: "A proxy or firewall may have changed or cut the answer.",
        details: { url },
        cause: error,
      });
      throw new Failure(failed, { unclear: true });
    }
  };

  /** RFC 8555 §7.2. */
  const fetchNonce = (signal: AbortSignal) => {
    const operation = "newNonce";
    const head = async (moved: boolean) => {
      const url = await deps.newNonceUrl(signal, moved);
      return { url, answer: await send(operation, { method: "HEAD", url, headers: {}, signal }) };
    };
    const once = async () => {
      const first = await head(false);
      const { url, answer } = first.answer.status === 404 ? await head(true) : first;
      const nonce = nonceOf(judge(operation, url, answer));
      if (nonce === undefined) throw malformedAnswer(operation, `${url} gives no nonce`, answer.status);
      return nonce;
    };
    return repeat<string>({ operation, signal, attempts: attemptsOfPost, once }, deps);
  };

  /** One signed request; refused nonces are exchanged on the way. */
  const postOnce = async <T>(job: Post<T>): Promise<T> => {
    const { operation, url, signal } = job;
    let nonce = await pool.take(() => fetchNonce(signal), signal);
    for (let refused = 0; ; refused++) {
      let brought: string | undefined;
      let again = false;
      try {
        const answer = await send(operation, {
          method: "POST",
          url,
          headers: { "content-type": "application/jose+json", ...(job.accept ? { accept: job.accept } : {}) },
          body: job.sign(nonce),
          signal,
        });
        brought = nonceOf(answer);
        again = refused < maxBadNonces && isBadNonce(answer);
        if (!again) return understand(operation, url, judge(operation, url, answer), job.read);
      } finally {
        if (!again || brought === undefined) pool.settle(brought);
      }
      const message = "the CA refused the nonce";
      deps.observer({ type: "retry", what: operation, attempt: refused + 1, waitMs: 0, code: "ACME", message });
      nonce = brought ?? (await pool.take(() => fetchNonce(signal), signal));
    }
  };

  return {
    get requests() {
      return requests;
    },
    get: (job) =>
      repeat(
        {
          operation: job.operation,
          signal: job.signal,
          attempts: attemptsOfGet,
          once: async () => {
            const { operation, signal } = job;
            let url = job.url;
            let answer = await send(operation, { method: "GET", url, headers: { accept: "application/json" }, signal });
            for (let i = 0; i < maxRedirects && redirected(answer, url) !== undefined; i++) {
              url = redirected(answer, url) ?? url;
              answer = await send(operation, { method: "GET", url, headers: { accept: "application/json" }, signal });
            }
            return understand(operation, url, judge(operation, url, answer), job.read);
          },
        },
        deps,
      ),
    post: (job) =>
      repeat(
        {
          operation: job.operation,
          signal: job.signal,
          attempts: attemptsOfPost,
          once: () => postOnce(job),
          recover: job.recover,
        },
        deps,
      ),
  };
}

/** RFC 8555 §6.5.1: base64url; anything else is not to be sent back. */
function nonceOf(answer: HttpMessage): string | undefined {
  const nonce = answer.headers["replay-nonce"];
  return nonce !== undefined && /^[A-Za-z0-9_-]+$/.test(nonce) ? nonce : undefined;
}

function isBadNonce(answer: HttpMessage): boolean {
  if (answer.status !== 400) return false;
  const problem = problemOf(answer);
  return problem !== undefined && shortType(problem) === "badNonce";
}

/** Where a plain GET may go on: never from TLS to plain HTTP. A signed request names its address and cannot be moved. */
function redirected(answer: HttpMessage, from: string): string | undefined {
  const to = answer.headers["location"];
  if (answer.status < 300 || answer.status >= 400 || to === undefined || !URL.canParse(to, from)) return undefined;
  const target = new URL(to, from);
  return target.protocol === "https:" || target.protocol === new URL(from).protocol ? target.href : undefined;
}
