import { linkSignal } from "../core/abort.ts";
import { abortReason, type Clock, systemClock } from "../core/clock.ts";
import { durationText } from "../core/duration.ts";
import { thrownText } from "../core/thrown.ts";
import { addressOf } from "./doh-address.ts";
import { createHttp2Post, type Posted } from "./doh-http2.ts";
import { type Answer, type Ask, ExchangeError } from "./exchange.ts";
import { buildQuery, judge, type Query } from "./query.ts";
import { maxMessageOctets } from "./wire.ts";

const mediaType = "application/dns-message";
const unroutable = new Set(["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EACCES", "EPERM"]);

export interface DohOptions {
  /** The resolver's own address, without template variables: the question goes there by POST. */
  readonly url: URL;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  /** For the whole request. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A DoH server that did not answer with a DNS message. */
export class DohError extends ExchangeError {
  /** HTTP status, if it came that far. */
  readonly status: number | undefined;
  /** From Retry-After, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: ExchangeError["kind"],
    message: string,
    facts: { readonly status?: number; readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(kind, message, { udp: 0, tcp: 0, doh: 1 }, facts.cause);
    this.name = "DohError";
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/**
 * Asks one resolver over HTTPS (RFC 8484): wire format by POST, id 0. RD is set unless the question says otherwise.
 * Redirects are not followed. Throws DohError or the signal's reason.
 */
export function createDohExchange(options: DohOptions): (ask: Ask) => Promise<Answer> {
  const { url, clock = systemClock, timeoutMs = 5000 } = options;
  const send = sender(url, options.fetch);
  return async (ask) => {
    if (ask.signal.aborted) throw abortReason(ask.signal);
    const asked = { ...ask, recursionDesired: ask.recursionDesired ?? true, nsid: ask.nsid ?? false };
    const query = buildQuery(asked, { edns: true, id: 0 });
    const link = linkSignal(ask.signal);
    const timeout = new DohError("silent", `no answer within ${durationText(timeoutMs)}`);
    clock.sleep(timeoutMs, link.signal).then(
      () => link.abort(timeout),
      () => {},
    );
    const start = clock.now();
    try {
      const octets = await read(url, await send(query, link.signal));
      const reply = judge(octets, query, "stream");
      if (reply?.kind !== "message") {
        const why = reply?.kind === "garbled" ? reply.error.message : "it answers another question";
        throw new DohError("broken", `the DNS message is of no use: ${why}`, { status: 200 });
      }
      const rttMs = clock.now() - start;
      return { message: reply.message, transport: "doh", rttMs, queries: { udp: 0, tcp: 0, doh: 1 }, warnings: [] };
    } catch (error) {
      if (ask.signal.aborted) throw abortReason(ask.signal);
      if (link.signal.aborted) throw timeout;
      throw error instanceof DohError ? error : networkError(error);
    } finally {
      link.release();
      // Ends the timer and whatever is left of the request.
      link.abort(timeout);
    }
  };
}

/** A redirect is not followed: whoever configured the address is to see where his questions go. */
function statusText(status: number, url: URL, location: string | undefined): string {
  if (status < 300 || status > 399 || location === undefined || !URL.canParse(location, url.href))
    return `HTTP status ${status}`;
  return `redirects to ${addressOf(new URL(location, url))} (HTTP status ${status}), which is not followed: give that address`;
}

type Send = (query: Query, signal: AbortSignal) => Promise<Posted>;

/** Over HTTP/2 where the server has it, else by `fetch`. */
function sender(url: URL, given: typeof fetch | undefined): Send {
  const headers = { accept: mediaType, "content-type": mediaType };
  const http2 = given === undefined && url.protocol === "https:" ? createHttp2Post(url) : undefined;
  return async ({ octets }, signal) => {
    const posted = await http2?.(headers, octets, signal);
    if (posted !== undefined) return posted;
    const send = given ?? fetch;
    const response = await send(url, { method: "POST", headers, body: octets, redirect: "manual", signal });
    const { status, body } = response;
    return { status, header: (name) => response.headers.get(name) ?? undefined, body: body ?? empty() };
  };
}

async function* empty(): AsyncGenerator<Uint8Array> {}

/** The DNS message in an answer. */
async function read(url: URL, { status, header, body }: Posted): Promise<Uint8Array> {
  if (status !== 200) {
    const retryAfterMs = retryAfter(header("retry-after"));
    throw new DohError("broken", statusText(status, url, header("location")), { status, retryAfterMs });
  }
  const type = header("content-type") ?? "";
  if (type.split(";")[0]?.trim().toLowerCase() !== mediaType) {
    throw new DohError("broken", `answers with "${type}" instead of ${mediaType}`, { status });
  }
  return whole(body);
}

/** Read piece by piece, so that a server cannot fill the memory. */
async function whole(body: Posted["body"]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length > maxMessageOctets) {
      throw new DohError("broken", `the answer is longer than ${maxMessageOctets} octets`, { status: 200 });
    }
  }
  return new Uint8Array(Buffer.concat(pieces));
}

/** Seconds or a date (RFC 9110 §10.2.3). */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

const untrusted = "its certificate is not trusted; for a private CA set NODE_EXTRA_CA_CERTS";
/** OpenSSL's own words are for those who know its sources. */
const sayings: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
};

/** fetch says "fetch failed" and keeps the reason in `cause`. */
function networkError(error: unknown): DohError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  const kind = code !== undefined && unroutable.has(code) ? "unroutable" : "silent";
  return new DohError(kind, sayings[code ?? ""] ?? thrownText(cause), { cause: error });
}
