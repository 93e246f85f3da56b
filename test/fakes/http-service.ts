import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createFaults, type Fault, type FaultKind, type Injected } from "./http-faults.ts";

export { type Fault, type FaultKind, faultKinds, type Injected } from "./http-faults.ts";

/** A request as the fake sees it. Nothing is decoded but the query; a signature can be computed from what is here. */
export interface FakeRequest {
  readonly method: string;
  /** As it was sent, percent-encoding kept, without the query. */
  readonly path: string;
  /** As it was sent, without "?"; "" when there is none. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
  /** `rawBody` as text. */
  readonly body: string;
}

export interface FakeReply {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes are sent as they are; anything else as JSON. Nothing is sent for `undefined`. */
  readonly body?: unknown;
}

/** What a request is, decided by the fake before it is handled. */
export interface FakeOperation {
  /** The service's own name of it ("CreateRecord", "POST /zones/:id/dns_records"). */
  readonly operation: string;
  /** Whether it can change something at the service. */
  readonly write: boolean;
  /** Asks how an asynchronous change is getting on: does not count in the call economy. */
  readonly poll?: boolean;
}

export interface LoggedCall extends FakeOperation {
  /** 1-based, over the life of the service. */
  readonly number: number;
  readonly request: FakeRequest;
  /** Of the answer; `undefined` when none was sent. */
  readonly status: number | undefined;
  /** The fault it met. */
  readonly fault: FaultKind | undefined;
}

export interface HttpServiceOptions {
  /** The service. Has to change its state in one go, without `await` in between, as a service's transaction does. */
  readonly handle: (request: FakeRequest) => FakeReply | Promise<FakeReply>;
  /** Names the request. Must not throw; requests that nobody knows are named and then refused by `handle`. */
  readonly operationOf: (request: FakeRequest) => FakeOperation;
  /** The service's own "slow down", with or without Retry-After in seconds. Default: 429. */
  readonly throttleReply?: (request: FakeRequest, retryAfterSeconds: number | undefined) => FakeReply;
  /** Milliseconds a request takes, half of them before it is handled. Default 0. */
  readonly latencyMs?: (request: FakeRequest) => number;
}

export interface HttpService {
  /** "http://127.0.0.1:PORT" */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Every request so far, in the order of arrival. */
  readonly calls: readonly LoggedCall[];
  /** Requests that hang and whose connection the client still holds open. */
  readonly hanging: number;
  /** What `handle` threw: a defect of the fake. Tests end with an assertion that it is empty. */
  readonly defects: readonly unknown[];
  /** Empties the log; call numbers go on. */
  clearCalls(): void;
  inject(fault: Fault): Injected;
  /** Takes back what was injected. */
  calm(): void;
  setLatency(latencyMs: (request: FakeRequest) => number): void;
  /** Cuts every connection, hanging ones too. May be called twice; afterwards nobody answers at `url`. */
  close(): Promise<void>;
}

/**
 * Base of every fake of an HTTP API: a real server on loopback with a log and faults. The adapter under test talks to
 * it as it would to the service.
 *
 * @example
 * const service = await startHttpService({
 *   operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: method !== "GET" }),
 *   handle: ({ headers }) =>
 *     headers.authorization === `Bearer ${token}` ? { body: { records } } : { status: 401, body: { error: "token" } },
 * });
 * service.inject({ kind: "lostResponse", when: ({ write }) => write }); // the next write
 * service.inject({ kind: "error500", nth: 3 });                         // the third call from now on
 * service.inject({ kind: "hang", times: Number.POSITIVE_INFINITY });    // every call from now on
 */
export async function startHttpService(options: HttpServiceOptions): Promise<HttpService> {
  const { handle, operationOf, throttleReply = tooManyRequests } = options;
  const faults = createFaults();
  const sockets = new Set<Socket>();
  const hanging = new Set<Socket>();
  const calls: LoggedCall[] = [];
  const defects: unknown[] = [];
  const end = new AbortController();
  let numbered = 0;
  let latencyMs = options.latencyMs ?? (() => 0);

  const answer = async (request: FakeRequest): Promise<FakeReply> => {
    try {
      return await handle(request);
    } catch (error) {
      defects.push(error);
      return { status: 500, body: `the fake failed: ${error instanceof Error ? error.message : String(error)}` };
    }
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { socket } = incoming;
    const request = await parse(incoming);
    const operation = operationOf(request);
    const fault = faults.next(operation, request);
    const number = ++numbered;
    const place = calls.length;
    const note = (status: number | undefined) => {
      const call = { ...operation, number, request, status, fault: fault?.kind };
      // Noted on arrival and completed with the answer; the log may have been emptied in between.
      if (status === undefined) calls.push(call);
      else if (calls[place]?.number === number) calls[place] = call;
    };
    note(undefined);
    const send = (reply: FakeReply) => {
      note(reply.status ?? 200);
      return write(response, reply);
    };

    const pause = latencyMs(request) / 2;
    if (pause > 0) await sleep(pause, undefined, { signal: end.signal });
    switch (fault?.kind) {
      case "reset":
        return void socket.resetAndDestroy();
      case "hang":
        hanging.add(socket);
        return;
      case "throttle":
        return send(throttleReply(request, undefined));
      case "throttleRetryAfter":
        return send(throttleReply(request, fault.retryAfterSeconds ?? 1));
      case "reply":
        return send(fault.reply?.(request) ?? {});
      case "error500":
        return send({ status: 500, headers: { "content-type": "text/plain" }, body: "Internal Server Error" });
      case "html200":
      case "html502":
        return send(gatewayPage(fault.kind === "html200" ? 200 : 502));
    }
    const reply = await answer(request);
    if (pause > 0) await sleep(pause, undefined, { signal: end.signal });
    if (fault?.kind === "lostResponse") return void socket.resetAndDestroy();
    return send(reply);
  };

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      // The client went away, or the service is closing.
      if (!incoming.socket.destroyed && !end.signal.aborted) defects.push(error);
      incoming.socket.destroy();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      hanging.delete(socket);
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;

  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    calls,
    defects,
    get hanging() {
      return hanging.size;
    },
    clearCalls: () => void calls.splice(0),
    inject: faults.inject,
    calm: faults.calm,
    setLatency(next) {
      latencyMs = next;
    },
    close() {
      end.abort();
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closed;
    },
  };
}

async function parse(incoming: IncomingMessage): Promise<FakeRequest> {
  const target = incoming.url ?? "/";
  const cut = target.indexOf("?");
  const rawQuery = cut < 0 ? "" : target.slice(cut + 1);
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const rawBody = Buffer.concat(chunks);
  return {
    method: incoming.method ?? "GET",
    path: cut < 0 ? target : target.slice(0, cut),
    rawQuery,
    query: new URLSearchParams(rawQuery),
    headers: incoming.headers,
    rawBody,
    body: rawBody.toString("utf8"),
  };
}

function write(response: ServerResponse, { status = 200, headers = {}, body }: FakeReply): void {
  const raw = typeof body === "string" || body instanceof Uint8Array || body === undefined;
  const type = raw ? {} : { "content-type": "application/json" };
  response.writeHead(status, { ...type, ...headers });
  response.end(raw ? body : JSON.stringify(body));
}

function tooManyRequests(_request: FakeRequest, retryAfterSeconds: number | undefined): FakeReply {
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return { status: 429, headers, body: { message: "too many requests" } };
}

/** What stands between client and service when a proxy has its own opinion. */
function gatewayPage(status: number): FakeReply {
  return {
    status,
    headers: { "content-type": "text/html" },
    body: "<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>",
  };
}
