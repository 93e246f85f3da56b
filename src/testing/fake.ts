import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type DomainName, relativeTo } from "../core/name.ts";
import type { TxtBackend } from "../core/provider.ts";
import type { Service, ServiceFault } from "./subject.ts";

/** A request as the fake is given it. */
export interface FakeRequest {
  readonly method: string;
  /** Percent-encoding kept, without the query: "/v1/zones/12/records". */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: IncomingMessage["headers"];
  /** Parsed where it is JSON, else the text; `undefined` when empty. */
  readonly body: unknown;
}

export interface FakeAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON; nothing for `undefined`. */
  readonly body?: unknown;
}

export interface FakeRecord {
  readonly id: string;
  /** Inside the zone: "_acme-challenge.www", "@" at the apex. */
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly ttlSeconds: number;
}

export interface FakeZone {
  readonly id: string;
  readonly apex: string;
  /** Replace it as the service would change it. */
  records: readonly FakeRecord[];
  /** One more record, under a new id. */
  add(record: Omit<FakeRecord, "id">): FakeRecord;
}

export interface FakeOptions {
  /** Zones the service holds, all empty. */
  readonly zones: readonly DomainName[];
  /** How the service answers one request; `undefined` if it knows no such request. Has to act in one go, without waiting. */
  answer(request: FakeRequest, zones: readonly FakeZone[]): FakeAnswer | undefined;
  /** One more connection of the provider to the fake at `url`. */
  connect(url: string, signal: AbortSignal): Promise<TxtBackend>;
  /** The secrets that `connect` configures. */
  readonly secrets?: readonly string[];
  /** Whether a request can change something. Default: by its method, GET and HEAD cannot. */
  isWrite?(request: FakeRequest): boolean;
  /** The service's answer to credentials that it does not accept. Default: 401. */
  refuse?(): FakeAnswer;
  /** The service's way to ask for fewer requests. Default: 429. */
  throttle?(): FakeAnswer;
}

interface Weather {
  refused: boolean;
  hanging: boolean;
  loseNext: boolean;
  injected: { readonly fault: ServiceFault; left: number; met: boolean }[];
}

/**
 * A fake of an HTTP API on loopback, with zones, records and bad days; how the API speaks is yours to write, in
 * `answer`.
 *
 * @example
 * export const start = (zones) =>
 *   startFake({
 *     zones,
 *     connect: (url, signal) => connectBackend(provider, { token: "t0ken", endpoint: url }, signal),
 *     answer: ({ method, path }, zones) => (method === "GET" && path === "/zones" ? { body: zones } : undefined),
 *   });
 */
export async function startFake(options: FakeOptions): Promise<Service> {
  const { isWrite = ({ method }) => method !== "GET" && method !== "HEAD" } = options;
  const zones = options.zones.map((apex, i) => createZone(String(i + 1), apex));
  const weather: Weather = { refused: false, hanging: false, loseNext: false, injected: [] };
  const defects: string[] = [];
  const sockets = new Set<Socket>();

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = parse(incoming, await text(incoming));
    const fault = nextFault(weather);
    if (fault === "reset") return void incoming.socket.resetAndDestroy();
    if (weather.hanging) return;
    if (fault === "throttle")
      return send(response, options.throttle?.() ?? { status: 429, body: { message: "slow down" } });
    if (fault === "unavailable") return send(response, { status: 500, body: "Internal Server Error" });
    if (fault === "page") return send(response, { status: 200, body: "<!DOCTYPE html><h1>Maintenance</h1>" });
    if (weather.refused)
      return send(response, options.refuse?.() ?? { status: 401, body: { message: "token refused" } });
    const answer = answered(options, request, zones, defects);
    if (fault === "lost" || (weather.loseNext && isWrite(request))) {
      weather.loseNext = false;
      return void incoming.socket.resetAndDestroy();
    }
    send(response, answer);
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => incoming.socket.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  const at = (apex: DomainName, fqdn: DomainName) => {
    const zone = zones.find((z) => z.apex === apex);
    if (zone === undefined) throw new Error(`the fake has no zone ${apex}`);
    const name = relativeTo(fqdn, apex);
    return { zone, name, txt: zone.records.filter((r) => r.type === "TXT" && sameName(r.name, name)) };
  };

  return {
    connect: (signal) => options.connect(url, signal),
    values: async (apex, fqdn) => at(apex, fqdn).txt.map(({ value }) => value),
    async put(apex, fqdn, values, ttlSeconds) {
      const { zone, name } = at(apex, fqdn);
      for (const value of values) zone.add({ name, type: "TXT", value, ttlSeconds });
    },
    async putOtherType(apex, fqdn) {
      const { zone, name } = at(apex, fqdn);
      const value = "192.0.2.1";
      zone.add({ name, type: "A", value, ttlSeconds: 600 });
      // Not by id: a service that stores whole sets may write it anew.
      return async () => zone.records.some((r) => r.type === "A" && sameName(r.name, name) && r.value === value);
    },
    ttlSeconds: async (apex, fqdn) => at(apex, fqdn).txt[0]?.ttlSeconds,
    loseNextAnswer: () => {
      weather.loseNext = true;
    },
    refuseCredentials: () => {
      weather.refused = true;
    },
    disappear: close,
    hang: () => {
      weather.hanging = true;
    },
    inject(fault, nth) {
      const entry = { fault, left: nth, met: false };
      weather.injected.push(entry);
      return {
        met: () => entry.met,
        cancel: () => {
          weather.injected = weather.injected.filter((e) => e !== entry);
        },
      };
    },
    secrets: options.secrets ?? [],
    async stop() {
      await close();
      // Said here, because the adapter may have taken it for the service's own bad day.
      if (defects[0] !== undefined) throw new Error(defects[0]);
    },
  };
}

function createZone(id: string, apex: string): FakeZone {
  let made = 0;
  const zone: FakeZone = {
    id,
    apex,
    records: [],
    add(given) {
      const record = { id: `${id}-${++made}`, ...given };
      zone.records = [...zone.records, record];
      return record;
    },
  };
  return zone;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function answered(
  options: FakeOptions,
  request: FakeRequest,
  zones: readonly FakeZone[],
  defects: string[],
): FakeAnswer {
  const asked = `${request.method} ${request.path}`;
  try {
    const answer = options.answer(request, zones);
    if (answer !== undefined) return answer;
    defects.push(`the fake knows no request ${asked}: the adapter asks wrongly, or the fake's answer lacks it`);
    return { status: 404, body: { message: "no such address" } };
  } catch (error) {
    const message = `the fake failed at ${asked}: ${error instanceof Error ? error.message : String(error)}`;
    defects.push(message);
    return { status: 400, body: { message } };
  }
}

function nextFault(weather: Weather): ServiceFault | undefined {
  for (const entry of weather.injected) entry.left--;
  const due = weather.injected.find(({ left }) => left <= 0);
  if (due === undefined) return undefined;
  due.met = true;
  weather.injected = weather.injected.filter((entry) => entry !== due);
  return due.fault;
}

function parse(incoming: IncomingMessage, body: string): FakeRequest {
  const [path = "/", query = ""] = (incoming.url ?? "/").split(/\?(.*)/s);
  return {
    method: incoming.method ?? "GET",
    path,
    query: new URLSearchParams(query),
    headers: incoming.headers,
    body: body === "" ? undefined : jsonOr(body),
  };
}

function jsonOr(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: FakeAnswer): void {
  const isText = typeof body === "string" || body === undefined;
  response.writeHead(status, { ...(isText ? {} : { "content-type": "application/json" }), ...headers });
  response.end(isText ? body : JSON.stringify(body));
}
