import { createHash } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import { decodeTxt, encodeTxt } from "../../src/testing/index.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";

export interface HetznerRRset {
  ttl: number | null;
  readonly records: { readonly value: string; readonly comment?: string }[];
  protected?: boolean;
}

export interface HetznerZone {
  readonly id: number;
  readonly name: string;
  mode: "primary" | "secondary";
  /** By "name/TYPE". */
  readonly rrsets: Map<string, HetznerRRset>;
  /** The id of the action that changes the zone now. */
  running: number | undefined;
}

export interface HetznerFake extends AdapterFake {
  zone(apex: string): HetznerZone;
  /** How often an action is asked for until it has ended. Default 1. */
  polls: number;
  /** Whether an action ends, too, when nobody asks for it. Default true. */
  endsUnasked: boolean;
  /** How the following actions end. */
  outcome: "success" | "error";
  readonly tokens: Map<string, "read" | "write">;
}

export const token = "jEheVytlAoFl7F8MqUQ7jAo2hOXASztX-jEheVytlAoFl7F8MqUQ7jAo2hOXASzt";

interface Action {
  readonly id: number;
  readonly command: string;
  readonly zone: HetznerZone;
  polls: number;
  status: "running" | "success" | "error";
  carryOut(): void;
}

/** Hetzner's Cloud API, the part for DNS: rrsets changed by asynchronous actions that lock the zone. */
export async function startHetznerFake(apexes: readonly DomainName[]): Promise<HetznerFake> {
  const zones = apexes.map(
    (name, i): HetznerZone => ({ id: 42 + i, name, mode: "primary", rrsets: new Map(), running: undefined }),
  );
  const actions = new Map<number, Action>();
  const ids: string[] = [];
  let visible: string | undefined;

  const zoneOf = (apex: string): HetznerZone => {
    const zone = zones.find(({ name }) => name === apex);
    if (zone === undefined) throw new Error(`no zone ${apex}`);
    return zone;
  };
  const keyOf = (zone: HetznerZone, fqdn: string, type: string) =>
    `${fqdn === zone.name ? "@" : fqdn.slice(0, -zone.name.length - 1)}/${type}`;

  const handle = (request: FakeRequest): FakeReply => {
    const { method, path, headers } = request;
    const right = fake.tokens.get(/^Bearer (\S+)$/.exec(headers.authorization ?? "")?.[1] ?? "");
    if (right === undefined) return failure(401, "unauthorized", "unable to authenticate");
    if (method !== "GET" && right === "read") {
      return failure(403, "token_readonly", "token is only allowed to perform GET requests");
    }
    const [, version, root, id = "", kind, name, type, ...verb] = path.split("/").map(decodeURIComponent);
    if (version !== "v1") return failure(404, "not_found", "page not found");
    if (root === "actions" && method === "GET") return pollAction(Number(id));
    if (root !== "zones") return failure(404, "not_found", "page not found");
    if (id === "" && method === "GET") return listZones(request);
    const zone = zones.find(
      (one) => [String(one.id), one.name].includes(id) && [undefined, one.name].includes(visible),
    );
    if (zone === undefined) return failure(404, "not_found", `Zone with ID or Name '${id}' not found`);
    if (kind === undefined && method === "GET") return { body: { zone: zoneBody(zone) } };
    if (kind !== "rrsets" || name === undefined || type === undefined)
      return failure(404, "not_found", "page not found");
    if (zone.mode !== "primary") return failure(422, "incorrect_zone_mode", "the zone is not in primary mode");
    const rrset = zone.rrsets.get(`${name}/${type}`);
    if (verb.length === 0 && method === "GET") {
      return rrset === undefined ? noRRset(name, type) : { body: { rrset: rrsetBody(zone, name, type, rrset) } };
    }
    if (method !== "POST" || verb[0] !== "actions") return failure(404, "not_found", "page not found");
    return change(request, zone, `${name}/${type}`, verb[1] ?? "");
  };

  const listZones = ({ query }: FakeRequest): FakeReply => {
    const [size, number] = [Number(query.get("per_page") ?? 25), Number(query.get("page") ?? 1)];
    if (!(size >= 1 && size <= 50)) return failure(422, "invalid_input", "invalid input in field 'per_page'");
    const seen = zones.filter(({ name }) => [undefined, name].includes(visible));
    const sorted = query.get("sort") === "name:asc" ? seen.toSorted((a, b) => (a.name < b.name ? -1 : 1)) : seen;
    return { body: { zones: sorted.slice((number - 1) * size, number * size).map(zoneBody) } };
  };

  const change = ({ body, headers }: FakeRequest, zone: HetznerZone, key: string, verb: string): FakeReply => {
    const rrset = zone.rrsets.get(key);
    const [name = "", type = ""] = key.split("/");
    const given = parsed(body);
    if (!headers["content-type"]?.startsWith("application/json") || given === undefined) {
      return failure(400, "json_error", "invalid JSON");
    }
    const fields = verb === "add_records" ? ["ttl", "records"] : ["records"];
    const strange = Object.keys(given).find((field) => !fields.includes(field));
    if (strange !== undefined) return invalid(strange, "unknown field");
    if (name !== name.toLowerCase() || name.endsWith(".") || name.endsWith(zone.name))
      return invalid("name", "invalid");
    const values = valuesIn(given["records"]);
    if (values === undefined) return invalid("records", "must not be empty and only contain distinct quoted values");
    if (zone.running !== undefined) return failure(423, "locked", "zone is locked, another action is running");
    if (rrset?.protected) return failure(403, "protected", "the RRSet is protected");
    if (verb === "remove_records") {
      if (rrset === undefined) return noRRset(name, type);
      const absent = values.findIndex((value) => rrset.records.every((record) => record.value !== value));
      if (absent >= 0) return invalid(`records[${absent}].value`, "record does not exist");
      return begin("remove_rrset_records", zone, () => {
        const kept = rrset.records.filter(({ value }) => !values.includes(value));
        if (kept.length === 0) zone.rrsets.delete(key);
        else zone.rrsets.set(key, { ...rrset, records: kept });
      });
    }
    if (verb !== "add_records") return failure(404, "not_found", "page not found");
    const { ttl = null } = given;
    if (ttl !== null && (typeof ttl !== "number" || !Number.isInteger(ttl) || ttl < 60 || ttl > 2_147_483_647)) {
      return invalid("ttl", "must be between 60 and 2147483647");
    }
    if (ttl !== null && rrset !== undefined && rrset.ttl !== null && rrset.ttl !== ttl) {
      return invalid("ttl", "does not match the TTL of the existing RRSet");
    }
    const double = values.find((value) => rrset?.records.some((record) => record.value === value));
    if (double !== undefined) return invalid("records[0].records[1].value", `duplicate value '${double}'`);
    return begin("add_rrset_records", zone, () => {
      const records = [...(rrset?.records ?? []), ...values.map((value) => ({ value }))];
      zone.rrsets.set(key, { ...rrset, ttl: rrset?.ttl ?? ttl, records });
    });
  };

  const begin = (command: string, zone: HetznerZone, carryOut: () => void): FakeReply => {
    const action: Action = { id: actions.size + 1, command, zone, polls: fake.polls, status: "running", carryOut };
    actions.set(action.id, action);
    zone.running = action.id;
    // Unless somebody asks, the change happens all the same.
    if (fake.endsUnasked) setTimeout(() => end(action), 20).unref();
    return { status: 201, body: { action: actionBody(action) } };
  };

  const end = (action: Action): void => {
    if (action.status !== "running") return;
    action.status = fake.outcome;
    action.zone.running = undefined;
    if (fake.outcome === "success") action.carryOut();
  };

  const pollAction = (id: number): FakeReply => {
    const action = actions.get(id);
    if (action === undefined) return failure(404, "not_found", `action with ID '${id}' not found`);
    if (--action.polls <= 0) end(action);
    return { body: { action: actionBody(action) } };
  };

  const http = await startHttpService({
    operationOf: ({ method, path }) => ({
      operation: `${method} ${path.replace("/v1", "")}`,
      write: method !== "GET",
      poll: path.startsWith("/v1/actions/"),
    }),
    handle: (request) => {
      const id = createHash("md5").update(`correlation ${ids.length}`).digest("hex");
      ids.push(id);
      const reply = handle(request);
      return { ...reply, headers: { ...reply.headers, "x-correlation-id": id } };
    },
    throttleReply: (_request, seconds) => ({
      ...failure(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached"),
      headers: seconds === undefined ? {} : { "retry-after": String(seconds) },
    }),
  });

  const fake: HetznerFake = {
    http,
    zone: zoneOf,
    polls: 1,
    endsUnasked: true,
    outcome: "success",
    tokens: new Map([[token, "write"]]),
    config: { apiToken: token, endpoint: http.url },
    values: (apex, fqdn) =>
      (zoneOf(apex).rrsets.get(keyOf(zoneOf(apex), fqdn, "TXT"))?.records ?? []).map(
        ({ value }) => decodeTxt(value) ?? value,
      ),
    put: (apex, fqdn, values, ttl) => {
      const zone = zoneOf(apex);
      const key = keyOf(zone, fqdn, "TXT");
      const there = zone.rrsets.get(key);
      const records = [
        ...(there?.records ?? []),
        ...values.map((value) => ({ value: encodeTxt(value), comment: "other" })),
      ];
      zone.rrsets.set(key, { ttl: there?.ttl ?? ttl, records });
    },
    putOtherType: (apex, fqdn) => {
      const { rrsets } = zoneOf(apex);
      const key = keyOf(zoneOf(apex), fqdn, "A");
      rrsets.set(key, { ttl: 60, records: [{ value: "192.0.2.1" }] });
      return () => rrsets.has(key);
    },
    ttlSeconds: (apex, fqdn) => zoneOf(apex).rrsets.get(keyOf(zoneOf(apex), fqdn, "TXT"))?.ttl ?? undefined,
    refuseCredentials: () => fake.tokens.clear(),
    limitTo: (apex) => {
      visible = apex;
    },
    requestIds: () => ids,
  };
  return fake;
}

function failure(status: number, code: string, message: string, details: unknown = null): FakeReply {
  return { status, body: { error: { code, message, details } } };
}

function invalid(name: string, message: string): FakeReply {
  const text = message.startsWith("duplicate") ? message : `invalid input in field '${name}'`;
  return failure(422, "invalid_input", text, { fields: [{ name, messages: [message] }] });
}

function noRRset(name: string, type: string): FakeReply {
  return failure(404, "not_found", `RRSet with name '${name}' and type '${type}' not found`);
}

function zoneBody({ id, name, mode, rrsets }: HetznerZone) {
  return {
    id,
    name,
    mode,
    status: "ok",
    ttl: 3600,
    labels: {},
    protection: { delete: false },
    record_count: rrsets.size,
  };
}

function rrsetBody(zone: HetznerZone, name: string, type: string, { ttl, records, protected: change }: HetznerRRset) {
  return {
    id: `${name}/${type}`,
    name,
    type,
    ttl,
    records,
    labels: {},
    protection: { change: !!change },
    zone: zone.id,
  };
}

function actionBody({ id, command, status, zone }: Action) {
  const error = status === "error" ? { code: "action_failed", message: "Action failed" } : null;
  const resources = [{ id: zone.id, type: "zone" }];
  return { id, command, status, progress: status === "running" ? 50 : 100, resources, error };
}

/** Quoted strings of at most 255 characters, all different; undefined for anything else. */
function valuesIn(records: unknown): readonly string[] | undefined {
  if (!Array.isArray(records) || records.length === 0) return undefined;
  const values: unknown[] = records.map((record: { readonly value?: unknown }) => record.value);
  const fine = values.filter((value) => typeof value === "string" && /^("([^"\\]|\\.){0,255}"( |$))+$/.test(value));
  return fine.length === values.length && new Set(values).size === values.length ? (fine as string[]) : undefined;
}

function parsed(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
