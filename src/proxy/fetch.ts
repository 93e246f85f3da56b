import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { Dns01Error } from "../core/errors.ts";
import { type ProxyOptions, proxiedHttpAgent, proxiedHttpsAgent } from "./agents.ts";
import { namesProxy, proxyFor } from "./environment.ts";
import { refusal } from "./tunnel.ts";

/** What src/http.ts needs of fetch. */
export type Send = (
  url: URL,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array<ArrayBuffer>;
    readonly signal: AbortSignal;
    readonly redirect: "manual";
  },
) => Promise<Response>;

/**
 * Returns Node's own fetch, or where the environment names a proxy one over agents that know it: Node 20's fetch reads
 * no such variables, and later ones do not leave out the metadata addresses of clouds.
 */
export function fetchThroughProxy(options: ProxyOptions): Send {
  const { env = process.env } = options;
  if (!namesProxy(env)) return fetch;
  const agents = {
    "http:": proxiedHttpAgent({ keepAlive: true }, options),
    "https:": proxiedHttpsAgent({ keepAlive: true }, options),
  };
  return async (url, { method, headers, body, signal }) => {
    const secure = url.protocol === "https:";
    const proxy = proxyFor(url, env);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method,
        agent: agents[secure ? "https:" : "http:"],
        headers: { "accept-encoding": "identity", ...headers },
        signal,
      });
      request.once("response", resolve);
      // As fetch fails, so that what comes after need not know the difference.
      request.on("error", (cause) => reject(Dns01Error.is(cause) ? cause : new TypeError("fetch failed", { cause })));
      request.end(body);
    });
    const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
    if (status === 407 && proxy !== undefined && !secure) {
      answer.destroy();
      throw refusal(proxy, status, url.host);
    }
    const isEmpty = status === 204 || status === 205 || status === 304;
    if (isEmpty) answer.resume();
    return new Response(isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), {
      status,
      statusText,
      headers: headersOf(answer),
    });
  };
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  return headers;
}
