import { request as httpRequest } from "node:http";
import { connect as tcpConnect } from "node:net";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import { type Dns01Error, RejectedError, TransientError } from "../core/errors.ts";
import { onAbort } from "../core/on-abort.ts";
import { thrownText } from "../core/thrown.ts";
import { unescaped } from "./environment.ts";

/** Opens a connection to the proxy itself. Rejects with an error that names the proxy without its login. */
export function connectTo(proxy: URL, signal: AbortSignal): Promise<Duplex> {
  const secure = proxy.protocol === "https:";
  const host = proxy.hostname.replace(/^\[|\]$/g, "");
  const port = Number(proxy.port === "" ? (secure ? 443 : 80) : proxy.port);
  return new Promise((resolve, reject) => {
    const socket = secure ? tlsConnect({ host, port }) : tcpConnect({ host, port });
    const fail = (cause: unknown) => {
      release();
      socket.destroy();
      reject(unreachable(proxy, cause));
    };
    const release = onAbort(signal, () => fail(signal.reason));
    socket.once("error", fail);
    socket.once(secure ? "secureConnect" : "connect", () => {
      release();
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** Opens a connection to `host` through the proxy (CONNECT, RFC 9110 §9.3.6), ready for TLS with the destination. */
export async function tunnel(proxy: URL, host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const connection = await connectTo(proxy, signal);
  return await new Promise((resolve, reject) => {
    const request = httpRequest({
      method: "CONNECT",
      path: authority,
      // Without an agent, which would open a connection of its own.
      createConnection: () => connection,
      signal,
      headers: { host: authority, ...loginFor(proxy) },
    });
    request.once("connect", ({ statusCode = 0 }, socket, head) => {
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head);
        return resolve(socket);
      }
      socket.destroy();
      reject(refusal(proxy, statusCode, authority));
    });
    request.once("error", (cause) => {
      connection.destroy();
      reject(unreachable(proxy, cause));
    });
    request.end();
  });
}

/** Returns the header that signs in at the proxy, if its address has a login. */
export function loginFor({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "") return {};
  const login = Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString("base64");
  return { "proxy-authorization": `Basic ${login}` };
}

/** The error for what the proxy answered in its own name; nothing has reached `target`. */
export function refusal(proxy: URL, status: number, target: string): Dns01Error {
  const answered = `the proxy ${proxy.host} answered ${status}`;
  const facts = { nothingWritten: true, details: { proxy: proxy.host, status } };
  if (status === 407) {
    const hint = "Put the proxy's login into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT.";
    return new RejectedError(`${answered}: it requires a login, or rejects the one in its address`, { ...facts, hint });
  }
  if (status >= 500) {
    const hint = "Check that the proxy reaches this host, or add the host to NO_PROXY.";
    return new TransientError(`${answered}: it cannot reach ${target}`, { ...facts, hint });
  }
  const hint = "Allow this host and port at the proxy, or add the host to NO_PROXY.";
  return new RejectedError(`${answered}: it does not pass on requests to ${target}`, { ...facts, hint });
}

function unreachable(proxy: URL, cause: unknown): Dns01Error {
  const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  return new TransientError(
    `cannot connect to the proxy ${proxy.host}: ${thrownText(first).replace(`${proxy.host}: `, "")}`,
    {
      cause,
      nothingWritten: true,
      details: { proxy: proxy.host },
      hint: "Check HTTPS_PROXY and HTTP_PROXY, and that the proxy runs; NO_PROXY lists hosts to reach without it.",
    },
  );
}
