import { randomUUID } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import { decodeTxt, encodeTxt } from "../../src/testing/index.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";
import { type SdkHmacKey, verifySdkHmac } from "./sdk-hmac-signature.ts";

interface StoredSet {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly string[];
  /** Switched off in the console: kept, and not served. */
  readonly disabled?: boolean;
  /** The last change has been neither listed nor in the way of another one: its status is `pending`. */
  isNew: boolean;
  /** How many more changes it refuses; its status is `pending` until then. Afterwards it is ACTIVE, or gone. */
  meets: number;
  readonly pending: "PENDING_CREATE" | "PENDING_UPDATE" | "PENDING_DELETE";
}

interface StoredZone {
  readonly id: string;
  readonly apex: DomainName;
  sets: readonly StoredSet[];
}

export interface HuaweicloudOptions {
  /** Least TTL that the account may use; it is 300 in some regions. Default 1. */
  readonly minTtl?: number;
  /**
   * How many other changes of the set a change refuses before it is carried out. Default 0: it is pending until it has
   * been listed, or has refused one. Counted and not timed, so that a quiet machine and a busy one see the same calls.
   */
  readonly meets?: number;
  readonly key?: SdkHmacKey;
}

export interface HuaweicloudFake extends AdapterFake {
  setsAt(apex: DomainName, fqdn: DomainName): readonly Pick<StoredSet, "type" | "ttl" | "records">[];
  putSet(apex: DomainName, set: Pick<StoredSet, "name" | "type" | "ttl" | "records" | "disabled">): void;
  /** From now on requests with this method are answered so. */
  refuse(method: string, status: number, body: unknown): void;
}

const defaultKey: SdkHmacKey = {
  accessKeyId: "HUAWEIFAKEACCESSKEY0",
  secretAccessKey: "fakeSecretAccessKeyOfHuaweiCloud40Chars0",
};

class Refused extends Error {
  readonly reply: FakeReply;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.reply = { status, body: { code, message } };
  }
}

/** Public zones and record sets of version 2, behind the gateway that verifies signatures. */
export async function startHuaweicloud(
  apexes: readonly DomainName[],
  { meets = 0, minTtl = 1, key = defaultKey }: HuaweicloudOptions = {},
): Promise<HuaweicloudFake> {
  const zones: readonly StoredZone[] = apexes.map((apex) => ({ id: newId(), apex, sets: [] }));
  const keys = [key];
  const requestIds: string[] = [];
  const refusals = new Map<string, FakeReply>();
  let only: DomainName | undefined;

  const handle = (request: FakeRequest): FakeReply => {
    const request_id = randomUUID().replaceAll("-", "");
    requestIds.push(request_id);
    const headers = { "x-request-id": request_id };
    const wrong = verifySdkHmac(request, keys);
    if (wrong !== undefined) {
      const error_msg = `Incorrect IAM authentication information: ${wrong}`;
      return { status: 401, headers, body: { error_msg, error_code: "APIGW.0301", request_id } };
    }
    try {
      return { headers, ...(refusals.get(request.method) ?? route(request)) };
    } catch (error) {
      if (error instanceof Refused) return { headers, ...error.reply };
      throw error;
    }
  };

  const route = (request: FakeRequest): FakeReply => {
    const { method, path } = request;
    if (path === "/v2/zones" && method === "GET") return listZones(request);
    const [, zoneId, setId] = /^\/v2\/zones\/([0-9a-f]{32})\/recordsets(?:\/([0-9a-f]{32}))?$/.exec(path) ?? [];
    if (zoneId === undefined)
      return { status: 404, body: { error_msg: "API does not exist", error_code: "APIGW.0101" } };
    const zone = zones.find(({ id }) => id === zoneId);
    if (zone === undefined) throw new Refused(404, "DNS.0302", "This zone does not exist.");
    if (only !== undefined && zone.apex !== only) throw new Refused(403, "DNS.1802", "Policy doesn't allow it.");
    settle(zone);
    if (setId === undefined && method === "GET") return listSets(zone, request);
    if (setId === undefined && method === "POST") return create(zone, request);
    if (setId !== undefined && method === "PUT") return update(zone, setId, request);
    if (setId !== undefined && method === "DELETE") return remove(zone, setId);
    return { status: 405, body: { code: "DNS.0002", message: "Invalid request." } };
  };

  const listZones = ({ query }: FakeRequest): FakeReply => {
    checkQuery(query, ["type", "name", "search_mode", "limit", "offset", "marker", "status"]);
    const found = zones
      .filter(({ apex }) => only === undefined || apex === only)
      .map(({ id, apex }) => ({ id, name: `${apex}.`, zone_type: "public", status: "ACTIVE", ttl: 300, record_num: 2 }))
      .filter(({ name }) => fits(name, query));
    return pageOf("zones", found, query);
  };

  const listSets = (zone: StoredZone, { query }: FakeRequest): FakeReply => {
    checkQuery(query, ["type", "name", "search_mode", "limit", "offset", "marker", "status"]);
    const type = query.get("type");
    const found = zone.sets.filter((set) => fits(set.name, query) && (type === null || set.type === type));
    const listed = found.map(shown(zone));
    for (const set of found) set.isNew = false;
    return pageOf("recordsets", listed, query);
  };

  const create = (zone: StoredZone, request: FakeRequest): FakeReply => {
    const set = setIn(zone, request, minTtl);
    const standing = zone.sets.find(
      ({ name, type }) => name === set.name && (type === set.type || type === "CNAME" || set.type === "CNAME"),
    );
    if (standing !== undefined) {
      refuseOnce(standing);
      const message = `Attribute 'name' conflicts with Record Set '${set.name}' type '${standing.type}'.`;
      throw new Refused(400, "DNS.0312", message);
    }
    const made: StoredSet = { ...set, id: newId(), pending: "PENDING_CREATE", isNew: true, meets };
    zone.sets = [...zone.sets, made];
    return { status: 202, body: shown(zone)(made) };
  };

  const update = (zone: StoredZone, id: string, request: FakeRequest): FakeReply => {
    const current = settled(zone, id);
    const set = setIn(zone, request, minTtl);
    if (set.name !== current.name || set.type !== current.type) throw new Refused(400, "DNS.0304", "Invalid name.");
    const made: StoredSet = { ...set, id, pending: "PENDING_UPDATE", isNew: true, meets };
    zone.sets = zone.sets.map((s) => (s.id === id ? made : s));
    return { status: 202, body: shown(zone)(made) };
  };

  const remove = (zone: StoredZone, id: string): FakeReply => {
    const made: StoredSet = { ...settled(zone, id), pending: "PENDING_DELETE", isNew: true, meets };
    zone.sets = zone.sets.map((s) => (s.id === id ? made : s));
    return { status: 202, body: shown(zone)(made) };
  };

  const settled = (zone: StoredZone, id: string): StoredSet => {
    const set = zone.sets.find((s) => s.id === id);
    if (set === undefined) throw new Refused(404, "DNS.0313", "This record set does not exist.");
    if (isPending(set)) {
      refuseOnce(set);
      throw new Refused(400, "DNS.0021", "Failed to acquire the lock.");
    }
    return set;
  };

  const http = await startHttpService({
    handle,
    operationOf: ({ method, path }) => {
      const place = path.replace(/[0-9a-f]{32}/g, ":id");
      return { operation: `${method} ${place}`, write: method !== "GET" };
    },
    throttleReply: (_request, retryAfterSeconds) => ({
      status: 429,
      headers: retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) },
      body: {
        error_msg: "The throttling threshold has been reached: policy user over ratelimit,limit:100,time:1 minute",
        error_code: "APIGW.0308",
        request_id: randomUUID().replaceAll("-", ""),
      },
    }),
  });

  const stored = (apex: DomainName): StoredZone => {
    const zone = zones.find((z) => z.apex === apex);
    if (zone === undefined) throw new Error(`no zone ${apex}`);
    return zone;
  };
  const setsAt = (apex: DomainName, fqdn: DomainName) =>
    stored(apex).sets.filter(({ name, pending }) => name === `${fqdn}.` && pending !== "PENDING_DELETE");
  const txtAt = (apex: DomainName, fqdn: DomainName) => setsAt(apex, fqdn).find(({ type }) => type === "TXT");
  const putSet = (apex: DomainName, set: Pick<StoredSet, "name" | "type" | "ttl" | "records" | "disabled">) => {
    const zone = stored(apex);
    const others = zone.sets.filter(({ name, type }) => name !== set.name || type !== set.type);
    zone.sets = [...others, { ...set, id: newId(), pending: "PENDING_UPDATE", isNew: false, meets: 0 }];
  };
  return {
    http,
    config: {
      accessKeyId: key.accessKeyId,
      secretAccessKey: key.secretAccessKey,
      ...(key.securityToken === undefined ? {} : { securityToken: key.securityToken }),
      endpoint: http.url,
    },
    setsAt,
    putSet,
    refuse: (method, status, body) => void refusals.set(method, { status, body }),
    values: (apex, fqdn) => (txtAt(apex, fqdn)?.records ?? []).map((record) => decodeTxt(record) ?? record),
    put: (apex, fqdn, values, ttl) => {
      const records = [...(txtAt(apex, fqdn)?.records ?? []), ...values.map(encodeTxt)];
      putSet(apex, { name: `${fqdn}.`, type: "TXT", ttl, records });
    },
    putOtherType: (apex, fqdn) => {
      putSet(apex, { name: `${fqdn}.`, type: "A", ttl: 300, records: ["192.0.2.1"] });
      return () => setsAt(apex, fqdn).some(({ type }) => type === "A");
    },
    ttlSeconds: (apex, fqdn) => txtAt(apex, fqdn)?.ttl,
    refuseCredentials: () => void keys.splice(0, 1, { ...key, secretAccessKey: "another" }),
    limitTo: (apex) => {
      only = apex;
    },
    requestIds: () => requestIds,
  };
}

function newId(): string {
  return randomUUID().replaceAll("-", "");
}

/** What was deleted a while ago is gone. */
function settle(zone: StoredZone): void {
  zone.sets = zone.sets.filter((set) => set.pending !== "PENDING_DELETE" || isPending(set));
}

function isPending({ isNew, meets }: StoredSet): boolean {
  return isNew || meets > 0;
}

function refuseOnce(set: StoredSet): void {
  set.isNew = false;
  set.meets--;
}

function shown(zone: StoredZone): (set: StoredSet) => Readonly<Record<string, unknown>> {
  return (set) => {
    const { id, name, type, ttl, records } = set;
    const status = isPending(set) ? set.pending : set.disabled === true ? "DISABLE" : "ACTIVE";
    return { id, name, type, ttl, records, status, zone_id: zone.id, zone_name: `${zone.apex}.`, default: false };
  };
}

function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Refused(400, "DNS.0002", `Invalid request: ${unknown}.`);
  const limit = Number(query.get("limit") ?? 500);
  if (!(limit >= 0 && limit <= 500)) throw new Refused(400, "DNS.0006", "The limit parameter is invalid.");
  if (!["like", "equal", null].includes(query.get("search_mode")))
    throw new Refused(400, "DNS.0002", "Invalid request.");
}

/** Without search_mode=equal a name is looked for anywhere in the names. */
function fits(name: string, query: URLSearchParams): boolean {
  const wanted = query.get("name");
  if (wanted === null) return true;
  return query.get("search_mode") === "equal" ? name === wanted : name.includes(wanted);
}

function pageOf(what: string, all: readonly unknown[], query: URLSearchParams): FakeReply {
  const [limit, offset] = [Number(query.get("limit") ?? 500), Number(query.get("offset") ?? 0)];
  const page = all.slice(offset, offset + limit);
  return { body: { links: {}, [what]: page, metadata: { total_count: all.length } } };
}

function setIn(
  zone: StoredZone,
  { headers, body }: FakeRequest,
  minTtl: number,
): Pick<StoredSet, "name" | "type" | "ttl" | "records"> {
  if (!/^application\/json\b/.test(headers["content-type"] ?? ""))
    throw new Refused(400, "DNS.0002", "Invalid request.");
  const { name, type, ttl = 300, records } = JSON.parse(body) as Record<string, unknown>;
  const suffix = `${zone.apex}.`;
  const isName =
    typeof name === "string" && name === name.toLowerCase() && (name === suffix || name.endsWith(`.${suffix}`));
  if (!isName) throw new Refused(400, "DNS.0304", "The record set name is invalid.");
  if (type !== "TXT" && type !== "A") throw new Refused(400, "DNS.0307", "The record set type is invalid.");
  if (typeof ttl !== "number" || !Number.isInteger(ttl) || ttl < 1 || ttl > 2_147_483_647) {
    throw new Refused(400, "DNS.0303", "The TTL is invalid.");
  }
  if (ttl < minTtl) {
    const message = `The TTL parameter has been out of range. The value ranges from ${minTtl} to 2147483647.`;
    throw new Refused(400, "DNS.0319", message);
  }
  const isRecords =
    Array.isArray(records) &&
    records.length > 0 &&
    new Set(records).size === records.length &&
    records.every(
      (r) => typeof r === "string" && (type !== "TXT" || /^"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*$/s.test(r)),
    );
  if (!isRecords) throw new Refused(400, "DNS.0308", "The record set value is invalid.");
  return { name, type, ttl, records: records as readonly string[] };
}
