import { request as httpRequest } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";

/** The proxy that the environment names for this address (HTTPS_PROXY, NO_PROXY, in either case), as curl reads them. */
export function proxyFor(url: URL, env: Readonly<Record<string, string | undefined>>): URL | undefined {
  if (url.protocol !== "https:" || isLoopback(url.hostname)) return undefined;
  const text = env["https_proxy"] ?? env["HTTPS_PROXY"] ?? env["all_proxy"] ?? env["ALL_PROXY"] ?? "";
  if (text === "") return undefined;
  const without = env["no_proxy"] ?? env["NO_PROXY"] ?? "";
  if (without.split(/[\s,]+/).some((rule) => excludes(rule.toLowerCase(), url))) return undefined;
  const proxy = text.includes("://") ? text : `http://${text}`;
  return URL.canParse(proxy) ? new URL(proxy) : undefined;
}

/** Plain HTTP is accepted to these hosts only. `hostname` as in URL. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function excludes(rule: string, url: URL): boolean {
  if (rule === "*") return true;
  const { host = "", port } = /^(?<host>.*?)(?::(?<port>\d+))?$/.exec(rule)?.groups ?? {};
  if (host === "" || (port !== undefined && port !== (url.port === "" ? "443" : url.port))) return false;
  const suffix = host.replace(/^\*?\./, "");
  return url.hostname === suffix || url.hostname.endsWith(`.${suffix}`);
}

/** A connection to `host` through the proxy (CONNECT, RFC 9110 §9.3.6), ready for TLS with the destination. */
export function tunnel(proxy: URL, host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const credentials = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
  const proxyHost = proxy.hostname.replace(/^\[|\]$/g, "");
  const secure = proxy.protocol === "https:";
  const proxyPort = Number(proxy.port === "" ? (secure ? 443 : 80) : proxy.port);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: proxyHost,
      port: proxyPort,
      method: "CONNECT",
      path: authority,
      agent: false,
      signal,
      headers: {
        host: authority,
        ...(proxy.username === ""
          ? {}
          : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }),
      },
      ...(secure
        ? { createConnection: () => tlsConnect({ host: proxyHost, port: proxyPort, rejectUnauthorized: true }) }
        : {}),
    });
    request.once("connect", (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode} to CONNECT`));
    });
    request.once("error", (cause) => reject(new Error(`the proxy ${proxy.host}: ${cause.message}`, { cause })));
    request.end();
  });
}

/** As curl reads a login: a "%" that begins no escape is meant as it is. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
