import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { acceptsGzip } from "./accept.ts";

/** Constant bytes, made once at the start: answering costs no thinking while everything else is busy. */
export interface Document {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** The same without quotes, for addresses that change with the content. */
  readonly hash: string;
}

export function documentOf(value: unknown, type = "application/json"): Document {
  const body = Buffer.from(JSON.stringify(value));
  const hash = createHash("sha256").update(body).digest("hex").toUpperCase();
  return { type, body, gzipped: gzipSync(body, { level: 9 }), etag: `"${hash}"`, hash };
}

export interface DocumentHeaders {
  readonly "cache-control": string;
  readonly vary: string;
}

/** Sends it, or `304` to whoever has it already. */
export function sendDocument(
  req: IncomingMessage,
  res: ServerResponse,
  document: Document,
  headers: DocumentHeaders,
): void {
  const shared = { ...headers, etag: document.etag };
  if (matches(req.headers["if-none-match"], document.etag)) {
    res.writeHead(304, shared).end();
    return;
  }
  const zipped = acceptsGzip(header(req, "accept-encoding")) && document.gzipped.length < document.body.length;
  const body = zipped ? document.gzipped : document.body;
  res.writeHead(200, {
    ...shared,
    "content-type": document.type,
    "content-length": body.length,
    ...(zipped ? { "content-encoding": "gzip" } : {}),
  });
  res.end(body);
}

/** RFC 9110 §13.1.2: the weak comparison. */
function matches(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  return given.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}
