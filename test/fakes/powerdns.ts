import type { DomainName } from "../../src/core/name.ts";
import { decodeTxt, encodeTxt } from "../../src/testing/index.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";
import { applyPatch, PatchError, type StoredSet, type StoredZone } from "./powerdns-patch.ts";

export interface PowerdnsOptions {
  /** Of all zones. Default "Native". */
  readonly kind?: string;
  /** Whether it knows EXTEND and PRUNE, as 4.9.12, 5.0.2 and later do. Default true. */
  readonly knowsSingleChanges?: boolean;
  /** Where a proxy in front wants the key, in lower case. Default x-api-key. */
  readonly header?: string;
  /** Whether rrset_name and rrset_type filter, as since 4.8. Default true. */
  readonly filters?: boolean;
}

export interface PowerdnsFake extends AdapterFake {
  readonly http: HttpService;
  setsAt(apex: DomainName, fqdn: DomainName): readonly StoredSet[];
  /** Puts TXT records there as they are, switched off ones too. */
  putSet(apex: DomainName, set: StoredSet): void;
  /** Zones that secondaries were told of, in order. */
  readonly notified: readonly string[];
}

const apiKey = "pdns-api-key-0123456789";

/** The HTTP API of the authoritative server, as its documentation and its sources have it. */
export async function startPowerdns(
  apexes: readonly DomainName[],
  { kind = "Native", knowsSingleChanges = true, filters = true, header = "x-api-key" }: PowerdnsOptions = {},
): Promise<PowerdnsFake> {
  const zones = new Map<string, StoredZone>(apexes.map((apex) => [`${apex}.`, { name: `${apex}.`, sets: [] }]));
  const notified: string[] = [];
  let isRefusing = false;

  const handle = (request: FakeRequest): FakeReply => {
    if (isRefusing || request.headers[header] !== apiKey) return plain(401, "Unauthorized");
    // Where clients learn whether paths begin with /api/v1.
    if (request.path === "/api" && request.method === "GET") return { body: [{ url: "/api/v1", version: 1 }] };
    const [zoneId, action] = segments(request.path);
    if (zoneId === undefined) return notFound;
    if (zoneId === "") return request.method === "GET" && action === undefined ? listZones(request) : notFound;
    const zone = zones.get(zoneId);
    if (zone === undefined) return notFound;
    if (request.method === "GET" && action === undefined)
      return { body: { ...infoOf(zone), rrsets: shown(zone, request) } };
    if (request.method === "PATCH" && action === undefined) return patch(zone, request);
    if (request.method === "PUT" && action === "notify") return notify(zone, request);
    return { status: 405, body: { error: "Method Not Allowed" } };
  };

  const infoOf = ({ name }: StoredZone) => {
    const url = `/api/v1/servers/localhost/zones/${name}`;
    return { account: "", catalog: "", id: name, kind, last_check: 0, masters: [], name, serial: 2026010101, url };
  };

  const listZones = ({ query }: FakeRequest): FakeReply => {
    const name = query.get("zone");
    if (name === null) return { body: [...zones.values()].map(infoOf) };
    if (!name.endsWith(".")) return invalid(`DNS Name '${name}' is not canonical`);
    const zone = zones.get(name.toLowerCase());
    return { body: zone === undefined ? [] : [infoOf(zone)] };
  };

  const shown = ({ sets }: StoredZone, { query }: FakeRequest) => {
    const [name, type] = [query.get("rrset_name"), query.get("rrset_type")];
    return (
      sets
        .filter((set) => !filters || name === null || (set.name === name && (type === null || set.type === type)))
        // A look at one name does not show what is switched off (4.9.17).
        .map((set) => ({
          ...set,
          comments: [],
          records: set.records.filter((r) => !r.disabled || !filters || name === null),
        }))
        .filter(({ records }) => records.length > 0)
    );
  };

  const patch = (zone: StoredZone, { headers, body }: FakeRequest): FakeReply => {
    if (!/^application\/json\b/.test(headers["content-type"] ?? "")) return { status: 415, body: { error: "no JSON" } };
    try {
      zone.sets = applyPatch(zone, body, knowsSingleChanges);
      return { status: 204 };
    } catch (error) {
      if (error instanceof PatchError) return invalid(error.message);
      throw error;
    }
  };

  const notify = (zone: StoredZone, { body }: FakeRequest): FakeReply => {
    if (body !== "") return { status: 400, body: { error: "Clients MUST NOT send a body" } };
    if (kind === "Native") return invalid(`Domain '${zone.name}' is not a primary domain (or has no secondaries)`);
    notified.push(zone.name);
    return { body: { result: "Notification queued" } };
  };

  const http = await startHttpService({
    handle,
    operationOf: ({ method, path }) => {
      const [zoneId, action] = segments(path);
      const place = zoneId === undefined ? path : `zones${zoneId === "" ? "" : "/:id"}${action ? `/${action}` : ""}`;
      return { operation: `${method} ${place}`, write: method === "PATCH" };
    },
  });

  const zoneOf = (apex: DomainName): StoredZone => {
    const zone = zones.get(`${apex}.`);
    if (zone === undefined) throw new Error(`no zone ${apex}`);
    return zone;
  };
  const setsAt = (apex: DomainName, fqdn: DomainName) => zoneOf(apex).sets.filter(({ name }) => name === `${fqdn}.`);
  const txtAt = (apex: DomainName, fqdn: DomainName) => setsAt(apex, fqdn).find(({ type }) => type === "TXT");
  const putSet = (apex: DomainName, set: StoredSet) => {
    const zone = zoneOf(apex);
    zone.sets = [...zone.sets.filter(({ name, type }) => name !== set.name || type !== set.type), set];
  };
  return {
    http,
    config: { endpoint: http.url, apiKey },
    setsAt,
    putSet,
    notified,
    values: (apex, fqdn) =>
      (txtAt(apex, fqdn)?.records ?? [])
        .filter(({ disabled }) => !disabled)
        .map(({ content }) => decodeTxt(content) ?? content),
    put: (apex, fqdn, values, ttl) => {
      const before = txtAt(apex, fqdn)?.records ?? [];
      const news = values.map((value) => ({ content: encodeTxt(value), disabled: false }));
      putSet(apex, { name: `${fqdn}.`, type: "TXT", ttl, records: [...before, ...news] });
    },
    putOtherType: (apex, fqdn) => {
      const set = { name: `${fqdn}.`, type: "A", ttl: 60, records: [{ content: "192.0.2.1", disabled: false }] };
      putSet(apex, set);
      return () => setsAt(apex, fqdn).some(({ type, records }) => type === "A" && records.length === 1);
    },
    ttlSeconds: (apex, fqdn) => txtAt(apex, fqdn)?.ttl,
    refuseCredentials: () => {
      isRefusing = true;
    },
  };
}

/** [zone id, what is wanted of it] below the server's zones; [""] for the list itself, [] for anything else. */
function segments(path: string): readonly string[] {
  const [, zone = "", action] = /^\/api\/v1\/servers\/localhost\/zones(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(path) ?? [];
  if (!/^\/api\/v1\/servers\/localhost\/zones(\/|$)/.test(path)) return [];
  return action === undefined ? [decodeURIComponent(zone)] : [decodeURIComponent(zone), action];
}

function plain(status: number, body: string): FakeReply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

const notFound = plain(404, "Not Found");

function invalid(error: string): FakeReply {
  return { status: 422, body: { error } };
}
