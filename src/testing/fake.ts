import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type DomainName, relativeTo } from "../core/name.ts";
import type { TxtBackend } from "../core/provider.ts";
import { createShownText, textsIn } from "./fake-text.ts";
import { createWeather } from "./fake-weather.ts";
import type { Service } from "./subject.ts";

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
  /**
   * The service's way to ask for fewer requests, with the seconds to wait where it tells them (Retry-After) and they
   * are given. Default: 429.
   */
  throttle?(retryAfterSeconds?: number): FakeAnswer;
  /**
   * The service's answer to credentials that may not touch the zone of the request. Default: 403, or none where `refuse`
   * answers 403 as well: that status then does not tell a forbidden zone from wrong credentials.
   */
  forbid?(): FakeAnswer;
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
  const zones = options.zones.map((apex, i) => createZone(String(firstZoneId + i), apex));
  const weather = createWeather();
  const shown = createShownText();
  const hung = new Set<Socket>();
  const throttle = (seconds?: number) => (options.throttle ?? tooManyRequests)(seconds);
  const forbid = options.forbid ?? (options.refuse?.().status === 403 ? undefined : forbidden);
  const defects: string[] = [];
  const sockets = new Set<Socket>();

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = parse(incoming, await text(incoming));
    const { kind: fault, seconds } = weather.next() ?? {};
    if (fault === "reset") return void incoming.socket.resetAndDestroy();
    if (fault === "hang" || weather.hanging) {
      hung.add(incoming.socket);
      return;
    }
    if (fault === "throttle") return send(response, throttle(seconds));
    if (fault === "notFoundPage") return send(response, { status: 404, body: "<!DOCTYPE html><h1>Not Found</h1>" });
    if (fault === "unavailable") return send(response, { status: 500, body: "Internal Server Error" });
    if (fault === "page") return send(response, { status: 200, body: "<!DOCTYPE html><h1>Maintenance</h1>" });
    if (weather.refused)
      return send(response, options.refuse?.() ?? { status: 401, body: { message: "token refused" } });
    const isForbidden = zones.some((zone) => ![undefined, zone.apex].includes(weather.only) && concerns(request, zone));
    if (isForbidden && forbid !== undefined) return send(response, forbid());
    const answer = answered(options, request, zones, defects);
    shown.answered(answer.body);
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
    socket
      .on("error", () => {})
      .on("close", () => {
        sockets.delete(socket);
        hung.delete(socket);
      });
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
      for (const value of values) {
        zone.add({ name, type: "TXT", value, ttlSeconds });
        shown.stored(value);
      }
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
    inject: (kind, nth) => weather.inject({ kind }, nth),
    hangAt: (nth) => ({ ...weather.inject({ kind: "hang" }, nth), isOpen: () => hung.size > 0 }),
    notFoundPage: (nth) => weather.inject({ kind: "notFoundPage" }, nth),
    ...(tellsSeconds(throttle(1)) && {
      throttleFor: (seconds, nth) => weather.inject({ kind: "throttle", seconds }, nth),
    }),
    ...(forbid !== undefined && {
      limitTo: (apex) => {
        weather.only = apex;
      },
    }),
    takesAnyText: shown.isWell,
    secrets: options.secrets ?? [],
    async stop() {
      await close();
      // Said here, because the adapter may have taken it for the service's own bad day.
      if (defects[0] !== undefined) throw new Error(defects[0]);
    },
  };
}

/** Large, so that no version or page in a path is taken for a zone. */
const firstZoneId = 70_001;

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

const forbidden = (): FakeAnswer => ({ status: 403, body: { message: "not allowed in this zone" } });

function tooManyRequests(seconds?: number): FakeAnswer {
  const headers = seconds === undefined ? {} : { "retry-after": String(seconds) };
  return { status: 429, headers, body: { message: "slow down" } };
}

function tellsSeconds({ headers = {} }: FakeAnswer): boolean {
  // "0" keeps a fake quick, and asks for no pause.
  return Object.entries(headers).some(([name, value]) => name.toLowerCase() === "retry-after" && Number(value) !== 0);
}

/** Whether a request is about a zone: it names the zone or a name in it, or has the zone's id in its path. */
function concerns({ path, query, body }: FakeRequest, { id, apex }: FakeZone): boolean {
  const inPath = path.split("/").map(decoded);
  const isWithin = (text: string) => `.${text.toLowerCase().replace(/\.$/, "")}`.endsWith(`.${apex}`);
  return inPath.includes(id) || [...inPath, ...query.values(), ...textsIn(body)].some(isWithin);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
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
