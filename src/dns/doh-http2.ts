import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { raceAbort } from "../core/abort.ts";
import { abortReason } from "../core/clock.ts";

/** What one POST brought. */
export interface Posted {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** One POST over HTTP/2; `undefined` where the server speaks HTTP/1.1 only. */
export type Http2Post = (
  headers: Readonly<Record<string, string>>,
  octets: Uint8Array,
  signal: AbortSignal,
) => Promise<Posted | undefined>;

/**
 * Which version of HTTP a server speaks shows in the TLS handshake, where both are offered (RFC 7301). `fetch` offers
 * HTTP/1.1 alone, and public resolvers have given that up (RFC 8484 §5.2 asks for HTTP/2). All questions go over one
 * connection; an idle one keeps no process alive.
 */
export function createHttp2Post(url: URL): Http2Post {
  let session: Promise<ClientHttp2Session | undefined> | undefined;

  const open = async (): Promise<ClientHttp2Session | undefined> => {
    const socket = await handshake(url);
    if (socket.alpnProtocol !== "h2") {
      socket.destroy();
      return undefined;
    }
    const opened = connectHttp2(url.origin, { createConnection: () => socket });
    opened.unref();
    return opened;
  };

  const begin = () => {
    const begun = open();
    session = begun;
    const forget = () => {
      if (session === begun) session = undefined;
    };
    // A handshake that failed is tried again by the next question.
    begun.then((opened) => opened?.on("error", forget).on("close", forget).on("goaway", forget), forget);
    return begun;
  };

  return async (headers, octets, signal) => {
    const known = session;
    const opened = await raceAbort(known ?? begin(), signal);
    if (opened === undefined) return undefined;
    try {
      return await request(opened, url, headers, octets, signal);
    } catch (error) {
      // Nothing more is asked over a connection that may be dead. What is under way there may end.
      if (session === known) session = undefined;
      opened.close();
      if (signal.aborted || known === undefined) throw error;
      // An idle connection may have been closed at this very moment: that says nothing of the server.
      const fresh = await raceAbort(begin(), signal);
      return fresh && request(fresh, url, headers, octets, signal);
    }
  };
}

function handshake(url: URL): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const name = isIP(host) === 0 ? { servername: host } : {};
  return new Promise((resolve, reject) => {
    const port = Number(url.port || 443);
    const protocols = { ALPNProtocols: ["h2", "http/1.1"] };
    const socket = connectTls({ host, port, rejectUnauthorized: true, ...protocols, ...name });
    socket.unref();
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

function request(
  session: ClientHttp2Session,
  url: URL,
  headers: Readonly<Record<string, string>>,
  octets: Uint8Array,
  signal: AbortSignal,
): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...headers, ":method": "POST", ":path": `${url.pathname}${url.search}` });
    const stop = () => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(abortReason(signal));
    };
    signal.addEventListener("abort", stop, { once: true });
    stream.on("error", reject);
    stream.once("close", () => {
      signal.removeEventListener("abort", stop);
      reject(new Error("the connection was closed without an answer"));
    });
    stream.once("response", (received) => {
      const header = (name: string) => {
        const value = received[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      resolve({ status: received[":status"] ?? 0, header, body: stream });
    });
    stream.end(octets);
  });
}
