import { createHash } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import { decodeTxt, encodeTxt } from "../../src/testing/index.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { authenticate, type Credentials, failure, type Grant, may } from "./cloudflare-auth.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";

export interface CloudflareRecord {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  /** As it was sent. */
  readonly content: string;
  readonly ttl: number;
  readonly comment: string | null;
}

export interface CloudflareZone {
  readonly id: string;
  readonly name: string;
  status: string;
  type: string;
  /** 30 in Enterprise zones. */
  minTtl: number;
  /** Most records. */
  quota: number;
  /** Oldest first. */
  readonly records: CloudflareRecord[];
}

export interface CloudflareFake extends AdapterFake {
  readonly zones: readonly CloudflareZone[];
  readonly credentials: Credentials;
  zone(apex: string): CloudflareZone;
  /** How a look-up that the token may not make is answered: with nothing, or as older deployments did. */
  lookups: "empty" | "refused";
  /** Lists show records that much later, and go on showing deleted ones. Milliseconds, default 0. */
  listLagMs: number;
  add(apex: string, record: Partial<CloudflareRecord> & { readonly type: string; readonly name: string }): string;
}

export const token = "v1_0-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789";
export const email = "owner@example.com";
export const globalKey = "0123456789abcdef0123456789abcdef01234";

const recordFields = ["type", "name", "content", "ttl", "comment", "proxied", "tags", "settings"];
const zoneFilters = ["name", "status", "account.id", "account.name", "order", "direction", "match", "page", "per_page"];
const recordFilters = ["type", "name", "content", "comment", "order", "direction", "match", "page", "per_page"];

/** Cloudflare's API v4: zones and DNS records, rights per token and zone, its envelope and codes. */
export async function startCloudflareFake(apexes: readonly DomainName[]): Promise<CloudflareFake> {
  const zones = apexes.map(
    (name): CloudflareZone => ({
      id: hexId(`zone ${name}`),
      name,
      status: "active",
      type: "full",
      minTtl: 60,
      quota: 3500,
      records: [],
    }),
  );
  const credentials: Credentials = {
    tokens: new Map([[token, { permissions: new Set(["zone:read", "dns:edit"]) }]]),
    keys: new Map([[email, globalKey]]),
  };
  const rays: string[] = [];
  let ids = 0;
  const madeAt = new Map<string, number>();
  const deleted: { readonly zone: CloudflareZone; readonly record: CloudflareRecord; readonly at: number }[] = [];

  const zoneOf = (apex: string): CloudflareZone => {
    const zone = zones.find(({ name }) => name === apex);
    if (zone === undefined) throw new Error(`no zone ${apex}`);
    return zone;
  };
  const store = (zone: CloudflareZone, record: Omit<CloudflareRecord, "id">): CloudflareRecord => {
    const stored = { id: hexId(`record ${++ids}`), ...record };
    zone.records.push(stored);
    madeAt.set(stored.id, performance.now());
    return stored;
  };

  const handle = (request: FakeRequest): FakeReply => {
    const { method, path, headers } = request;
    const [, client, version, root, zoneId, kind, recordId, ...rest] = path.split("/");
    const noRoute = () =>
      failure(
        404,
        { code: 7003, message: `Could not route to ${path}, perhaps your object identifier is invalid?` },
        { code: 7000, message: "No route for that URI" },
      );
    if (client !== "client" || version !== "v4" || root !== "zones" || rest.length > 0) return noRoute();
    const grant = authenticate(headers, credentials);
    if (!("permissions" in grant)) return grant;
    if (zoneId === undefined) return method === "GET" ? listZones(request, grant) : noRoute();
    const zone = zones.find(({ id }) => id === zoneId);
    if (zone === undefined) return /^[0-9a-f]{32}$/.test(zoneId) ? unauthorized : noRoute();
    if (kind === undefined) {
      if (method !== "GET") return noRoute();
      return may(grant, zone.name, "zone:read") ? success(zoneBody(zone)) : unauthorized;
    }
    if (kind !== "dns_records") return noRoute();
    const right = method === "GET" ? (["dns:read", "dns:edit"] as const) : (["dns:edit"] as const);
    if (!may(grant, zone.name, ...right)) return failure(403, { code: 10000, message: "Authentication error" });
    if (recordId === undefined && method === "GET") return listRecords(request, zone);
    if (recordId === undefined && method === "POST") return create(request, zone);
    if (recordId !== undefined && method === "DELETE") return remove(zone, recordId);
    return noRoute();
  };

  const listZones = ({ query }: FakeRequest, grant: Grant): FakeReply => {
    const seen = zones.filter(({ name }) => may(grant, name, "zone:read"));
    const [name, status] = [query.get("name"), query.get("status")];
    const found = seen.filter((zone) => [null, zone.name].includes(name) && [null, zone.status].includes(status));
    if (found.length === 0 && fake.lookups === "refused" && (seen.length < zones.length || seen.length === 0)) {
      const message =
        "Actor 'com.cloudflare.api.token.' requires permission 'com.cloudflare.api.account.zone.list' to list zones";
      return failure(403, { code: 0, message });
    }
    return page(found.map(zoneBody), query, zoneFilters, { least: 5, most: 50, pagesOfNothing: 0 });
  };

  const listRecords = ({ query }: FakeRequest, zone: CloudflareZone): FakeReply => {
    const [type, name, content] = ["type", "name", "content"].map((field) => query.get(field));
    const then = performance.now() - fake.listLagMs;
    const stillListed = deleted.filter((one) => one.zone === zone && one.at > then).map(({ record }) => record);
    const listed = [...zone.records, ...stillListed].filter(({ id }) => (madeAt.get(id) ?? 0) <= then);
    const found = listed.filter(
      (record) =>
        [null, record.type].includes(type ?? null) &&
        [null, record.name].includes(name?.toLowerCase() ?? null) &&
        [null, record.content].includes(content ?? null),
    );
    return page(found.map(recordBody).reverse(), query, recordFilters, { least: 1, most: 100, pagesOfNothing: 1 });
  };

  const create = ({ body, headers }: FakeRequest, zone: CloudflareZone): FakeReply => {
    if (!headers["content-type"]?.startsWith("application/json")) {
      return failure(415, { code: 10015, message: "content-type has to be application/json" });
    }
    const invalid = (code: number, message: string) =>
      failure(400, { code: 1004, message: "DNS Validation Error", error_chain: [{ code, message }] });
    const given = parsed(body);
    if (given === undefined) return failure(400, { code: 9207, message: "Request body is invalid." });
    const unknown = Object.keys(given).find((key) => !recordFields.includes(key));
    if (unknown !== undefined) return invalid(9000, `Unknown field ${unknown}.`);
    const { type, name, content, ttl = 1, comment = null } = given;
    if (typeof type !== "string" || !["TXT", "A", "CNAME", "NS"].includes(type)) return invalid(9004, "Invalid type.");
    if (typeof name !== "string" || name === "" || name.endsWith(".")) return invalid(9000, "DNS name is invalid.");
    if (typeof content !== "string" || content === "") return invalid(9009, "Content for TXT record is invalid.");
    if (typeof ttl !== "number" || !Number.isInteger(ttl) || (ttl !== 1 && (ttl < zone.minTtl || ttl > 86_400))) {
      return invalid(9021, `TTL must be between ${zone.minTtl} and 86400 seconds, or 1 for Automatic.`);
    }
    if (comment !== null && (typeof comment !== "string" || comment.length > 100)) {
      return invalid(9300, "DNS record has an invalid comment.");
    }
    const within = name === zone.name || name.endsWith(`.${zone.name}`);
    const full = (within ? name : `${name}.${zone.name}`).toLowerCase();
    const there = zone.records.filter((record) => record.name === full);
    if (there.some((record) => record.type === "CNAME")) {
      return failure(400, { code: 81054, message: "A CNAME record with that host already exists." });
    }
    if (there.some((record) => record.type === "NS" && full !== zone.name)) {
      return failure(400, { code: 81056, message: "NS records with that host already exist." });
    }
    if (there.some((record) => record.type === type && bare(record.content) === bare(content))) {
      return failure(400, { code: 81058, message: "An identical record already exists." });
    }
    if (zone.records.length >= zone.quota) {
      return failure(400, { code: 81045, message: "The record quota has been exceeded." });
    }
    return success(recordBody(store(zone, { type, name: full, content, ttl, comment })));
  };

  const remove = (zone: CloudflareZone, recordId: string): FakeReply => {
    const index = zone.records.findIndex(({ id }) => id === recordId);
    if (index < 0) return failure(404, { code: 81044, message: "Record does not exist." });
    for (const record of zone.records.splice(index, 1)) deleted.push({ zone, record, at: performance.now() });
    return success({ id: recordId });
  };

  const http = await startHttpService({
    operationOf: ({ method, path }) => ({
      operation: `${method} ${path.replace("/client/v4", "").replace(/[0-9a-f]{32}/g, ":id")}`,
      write: method !== "GET",
    }),
    handle: (request) => {
      const ray = `${hexId(`ray ${rays.length}`).slice(0, 16)}-FRA`;
      rays.push(ray);
      const reply = handle(request);
      return { ...reply, headers: { ...reply.headers, "cf-ray": ray } };
    },
    throttleReply: (_request, seconds) => ({
      ...failure(429, { code: 971, message: "Please wait and consider throttling your request speed" }),
      headers: seconds === undefined ? {} : { "retry-after": String(seconds) },
    }),
  });
  const at = (apex: string, fqdn: string) =>
    zoneOf(apex).records.filter(({ type, name }) => type === "TXT" && name === fqdn);

  const fake: CloudflareFake = {
    http,
    zones,
    credentials,
    lookups: "empty",
    listLagMs: 0,
    zone: zoneOf,
    add: (apex, record) => store(zoneOf(apex), { content: "", ttl: 300, comment: null, ...record }).id,
    config: { apiToken: token, endpoint: http.url },
    values: (apex, fqdn) => at(apex, fqdn).map(({ content }) => bare(content)),
    put: (apex, name, values, ttl) => {
      // The API keeps what it was sent, and clients differ in it.
      for (const [i, value] of values.entries()) {
        store(zoneOf(apex), {
          type: "TXT",
          name,
          content: i % 2 === 0 ? value : encodeTxt(value),
          ttl,
          comment: "other",
        });
      }
    },
    putOtherType: (apex, name) => {
      const { id } = store(zoneOf(apex), { type: "A", name, content: "192.0.2.1", ttl: 1, comment: null });
      return () => zoneOf(apex).records.some((record) => record.id === id);
    },
    ttlSeconds: (apex, fqdn) => at(apex, fqdn)[0]?.ttl,
    refuseCredentials: () => {
      credentials.tokens.clear();
      credentials.keys.clear();
    },
    limitTo: (apex) => {
      credentials.tokens.set(token, { permissions: new Set(["zone:read", "dns:edit"]), zones: new Set([apex]) });
    },
    requestIds: () => rays,
  };
  return fake;
}

const unauthorized = failure(403, { code: 9109, message: "Unauthorized to access requested resource" });

function success(result: unknown, info?: unknown): FakeReply {
  const body = { result, success: true, errors: [], messages: [] };
  return { body: info === undefined ? body : { ...body, result_info: info } };
}

function page(
  all: readonly unknown[],
  query: URLSearchParams,
  known: readonly string[],
  limits: { readonly least: number; readonly most: number; readonly pagesOfNothing: number },
): FakeReply {
  const strange = [...query.keys()].find((key) => !known.includes(key));
  const [number, size] = [Number(query.get("page") ?? 1), Number(query.get("per_page") ?? 20)];
  const valid = Number.isInteger(number) && number >= 1 && size >= limits.least && size <= limits.most;
  if (strange !== undefined || !valid) return failure(400, { code: 1006, message: "Malformed query parameters" });
  const result = all.slice((number - 1) * size, number * size);
  return success(result, {
    page: number,
    per_page: size,
    count: result.length,
    total_count: all.length,
    total_pages: all.length === 0 ? limits.pagesOfNothing : Math.ceil(all.length / size),
  });
}

function zoneBody({ id, name, status, type }: CloudflareZone) {
  const account = { id: hexId("account"), name: "Example" };
  return { id, name, status, paused: false, type, development_mode: 0, account, name_servers: ["a.ns.example"] };
}

function recordBody({ id, name, type, content, ttl, comment }: CloudflareRecord) {
  const times = { created_on: "2025-08-01T00:00:00.000000Z", modified_on: "2025-08-01T00:00:00.000000Z" };
  const rest = { proxiable: type === "A", proxied: false, settings: {}, meta: {}, tags: [], ...times };
  return { id, name, type, content, ttl, comment, ...rest };
}

/** Not by the program's own function: what it writes is judged here. */
function bare(content: string): string {
  return decodeTxt(content) ?? content;
}

function parsed(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function hexId(seed: string): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, 32);
}
