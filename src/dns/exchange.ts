import type { DomainName } from "../core/name.ts";
import type { Message, RecordType } from "./message.ts";

/** Address of one server; `address` is an IP address, never a name. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Ask {
  readonly name: DomainName;
  readonly type: RecordType;
  /** RD: true only towards resolvers. Default false. */
  readonly recursionDesired?: boolean;
  readonly checkingDisabled?: boolean;
  readonly dnssecOk?: boolean;
  /** Ask for the server's identity (RFC 5001). Default true towards authoritative servers. */
  readonly nsid?: boolean;
  /** Start with TCP; for servers where UDP never worked. */
  readonly tcpOnly?: boolean;
  readonly signal: AbortSignal;
}

/** A response that belongs to the question: right peer, id, QR and question (propagation.md §4). */
export interface Answer {
  readonly message: Message;
  readonly transport: "udp" | "tcp" | "doh";
  readonly rttMs: number;
  /** Datagrams and connections it took, retries included. */
  readonly queries: { readonly udp: number; readonly tcp: number; readonly doh: number };
  readonly nsid?: string | undefined;
  /** "W_CASE" when the 0x20 case was not echoed over UDP, "W_NO_EDNS" when EDNS had to be left out. */
  readonly warnings: readonly string[];
}

/** No usable response. `silent`: nothing came over UDP and TCP; `unroutable`: could not be sent; `broken`: came, but is no DNS answer to our question. */
export class ExchangeError extends Error {
  readonly kind: "silent" | "unroutable" | "broken";
  readonly queries: { readonly udp: number; readonly tcp: number; readonly doh: number };

  constructor(
    kind: "silent" | "unroutable" | "broken",
    message: string,
    queries: { readonly udp: number; readonly tcp: number; readonly doh: number },
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ExchangeError";
    this.kind = kind;
    this.queries = queries;
  }
}

/**
 * Asks one server one question, with the retries of propagation.md §5.9. The network as a parameter: the real one is
 * made by transport.ts, the virtual one by the simulation. Throws ExchangeError, or the signal's reason.
 */
export type Exchange = (ask: Ask, to: Endpoint) => Promise<Answer>;
