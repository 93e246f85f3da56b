import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { adminPath, handleAdmin } from "./ca-admin.ts";
import { makeNonces } from "./ca-nonces.ts";
import { AcmeProblem, malformed, shortType } from "./ca-problem.ts";
import { handleGet, handlePost, isPostPath, urlOf } from "./ca-routes.ts";
import type { AcmeReply, CaState } from "./ca-state.ts";
import { timeOfDay } from "./log.ts";
import type { FaultName } from "./weather.ts";

const maxBodyOctets = 128 * 1024;
/** What a struck request is told to wait. */
const faultRetryAfter = "1";

/** Names the fault for one request, or leaves it to the weather. `number` counts from 1. */
export type Script = (request: {
  readonly method: string;
  readonly path: string;
  readonly number: number;
}) => FaultName | undefined;

export interface CaServer {
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves the CA over HTTPS on a port of 127.0.0.1 that the system picks. */
export async function serveCa(
  state: () => CaState,
  tls: { cert: string; key: string },
  script?: Script,
): Promise<CaServer> {
  const nonces = makeNonces();
  let count = 0;
  const server = createServer({ cert: tls.cert, key: tls.key }, (req, res) => {
    count += 1;
    const number = count;
    const path = urlOf(req.url, "https://sandbox.invalid").pathname;
    const scripted = script?.({ method: req.method ?? "", path, number });
    respond(state(), nonces, req, res, (fault) => scripted === fault || state().weather.strikes(fault)).catch(() => {
      // The client left, or a defect: either way this request is over.
      res.destroy();
    });
  });
  // Longer than clients keep idle connections, so that a request never meets a closing one.
  server.keepAliveTimeout = 75_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the CA's server has no port");
  return {
    origin: `https://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

type Strikes = (fault: FaultName) => boolean;

async function respond(
  state: CaState,
  nonces: ReturnType<typeof makeNonces>,
  req: IncomingMessage,
  res: ServerResponse,
  strikes: Strikes,
): Promise<void> {
  const url = urlOf(req.url, state.origin());
  const method = req.method ?? "";
  const note = (status: number, problem?: string, fault?: string) =>
    state.log.add({ kind: "acme", at: timeOfDay(), method, path: url.pathname, status, problem, fault });
  const body = await readBody(req);
  const path = url.pathname.split("/").slice(1);
  if (path[0] === adminPath) return send(state, res, adminReply(state, method, path, body), method, undefined);
  const outage = state.outage !== undefined && state.now() < state.outage.until ? state.outage : undefined;
  if (outage?.kind === "reset" || strikes("reset")) {
    note(0, undefined, "reset");
    req.socket.destroy();
    return;
  }
  const struck = outage === undefined ? struckReply(strikes) : busy;
  if (struck !== undefined) {
    note(struck.reply.status, undefined, struck.fault);
    return send(state, res, struck.reply, method, undefined);
  }
  let nonceFault: FaultName | undefined;
  const redeem = (nonce: string) => {
    const isGood = nonces.redeem(nonce);
    if (!isGood || !strikes("badNonce")) return isGood;
    nonceFault = "badNonce";
    return false;
  };
  const reply = await replyTo(state, req, url, body, redeem);
  const after = (["lostResponse", "cutBody"] as const).find(strikes);
  note(after === "lostResponse" ? 0 : reply.status, problemOf(reply), after ?? nonceFault);
  if (after === "lostResponse") req.socket.destroy();
  else if (after === "cutBody") sendHalf(state, req, res, reply, nonces.issue());
  else send(state, res, reply, method, nonces.issue(), url.pathname === "/directory");
}

const busy: Struck = {
  fault: "serverError",
  reply: problemReply(
    new AcmeProblem("serverInternal", 503, "the service is busy", { headers: { "retry-after": faultRetryAfter } }),
  ),
};

interface Struck {
  readonly fault: FaultName;
  readonly reply: AcmeReply;
}

function adminReply(state: CaState, method: string, path: readonly string[], body: Buffer | undefined): AcmeReply {
  try {
    return handleAdmin(state, method, path, body ?? Buffer.alloc(0));
  } catch (error) {
    if (error instanceof AcmeProblem) return problemReply(error);
    throw error;
  }
}

function struckReply(strikes: Strikes): Struck | undefined {
  const headers = { "retry-after": faultRetryAfter };
  if (strikes("serverError")) return busy;
  if (strikes("rateLimited")) {
    const problem = new AcmeProblem("rateLimited", 429, "too many requests", {
      headers: { ...headers, link: '<https://sandbox.test/limits>;rel="help"' },
    });
    return { fault: "rateLimited", reply: problemReply(problem) };
  }
  if (strikes("html")) {
    const page = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n";
    return { fault: "html", reply: { status: 502, contentType: "text/html", body: page } };
  }
  return undefined;
}

async function replyTo(
  state: CaState,
  req: IncomingMessage,
  url: URL,
  body: Buffer | undefined,
  redeem: (nonce: string) => boolean,
): Promise<AcmeReply> {
  try {
    const path = url.pathname.split("/").slice(1);
    // RFC 8555 §6.1.
    if (req.headers["user-agent"] === undefined) throw malformed("requests need a User-Agent");
    if (req.method === "GET" || req.method === "HEAD") {
      const found = handleGet(state, req.method, path);
      if (found !== undefined) return found;
      if (!isPostPath(path)) throw malformed("there is no such resource", 404);
      throw wrongMethod("POST", "resources are read with POST-as-GET");
    }
    if (req.method !== "POST") throw wrongMethod("GET, HEAD, POST", `${req.method} means nothing here`);
    if (!isPostPath(path)) throw malformed("there is no such resource", 404);
    if (req.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() !== "application/jose+json") {
      throw malformed("the content type has to be application/jose+json", 415);
    }
    if (body === undefined) throw malformed(`the body is longer than ${maxBodyOctets} octets`, 413);
    return await handlePost(state, path, url, parseBody(body), redeem);
  } catch (error) {
    if (error instanceof AcmeProblem) return problemReply(error);
    const detail = `defect in the sandbox: ${error instanceof Error ? error.stack : String(error)}`;
    return problemReply(new AcmeProblem("serverInternal", 500, detail));
  }
}

function send(
  state: CaState,
  res: ServerResponse,
  reply: AcmeReply,
  method: string,
  nonce: string | undefined,
  isDirectory = false,
): void {
  const text = textOf(reply);
  res.writeHead(reply.status, headersOf(state, reply, nonce, isDirectory));
  res.end(method === "HEAD" ? undefined : text);
}

/** Announces the whole body and hangs up in the middle of it. */
function sendHalf(state: CaState, req: IncomingMessage, res: ServerResponse, reply: AcmeReply, nonce: string): void {
  const text = textOf(reply);
  res.writeHead(reply.status, { ...headersOf(state, reply, nonce, false), "content-length": String(text.length) });
  res.write(text.subarray(0, text.length >> 1), () => req.socket.destroy());
}

function headersOf(
  state: CaState,
  reply: AcmeReply,
  nonce: string | undefined,
  isDirectory: boolean,
): Record<string, string | string[]> {
  const { link, ...others } = reply.headers ?? {};
  const links = [link ?? []].flat();
  if (!isDirectory) links.push(`<${state.origin()}/directory>;rel="index"`);
  const flat = Object.entries(others).map(([name, value]) => [name, typeof value === "string" ? value : [...value]]);
  return {
    ...Object.fromEntries(flat),
    ...(nonce === undefined ? {} : { "replay-nonce": nonce }),
    ...(links.length === 0 ? {} : { link: links }),
    ...(reply.body === undefined ? {} : { "content-type": reply.contentType ?? "application/json" }),
    "cache-control": "public, max-age=0, no-cache, no-store",
  };
}

function textOf(reply: AcmeReply): Buffer {
  if (reply.body === undefined) return Buffer.alloc(0);
  return Buffer.from(typeof reply.body === "string" ? reply.body : `${JSON.stringify(reply.body, null, 2)}\n`);
}

function problemReply(problem: AcmeProblem): AcmeReply {
  const { status, headers } = problem;
  return { status, headers, contentType: "application/problem+json", body: problem.document() };
}

function problemOf(reply: AcmeReply): string | undefined {
  const { body, contentType } = reply;
  if (contentType !== "application/problem+json" || typeof body !== "object" || body === null) return undefined;
  return "type" in body && typeof body.type === "string" ? shortType(body.type) : undefined;
}

function wrongMethod(allow: string, detail: string): AcmeProblem {
  return new AcmeProblem("malformed", 405, detail, { headers: { allow } });
}

/** Undefined when it is too long; it is read to its end all the same, so that the answer arrives. */
async function readBody(req: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req) {
    if (!(chunk instanceof Buffer)) continue;
    length += chunk.length;
    if (length <= maxBodyOctets) chunks.push(chunk);
  }
  return length > maxBodyOctets ? undefined : Buffer.concat(chunks);
}

function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw malformed("the body is no JSON");
  }
}
