import { createHash } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "../fakes/http-service.ts";
import type { AdapterFake } from "./trial.ts";

interface ToyRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly ttl: number;
}

const token = "tok-5ecret/+value";

/**
 * Two imaginary services in one, for the trial of the trial. By record: POST and DELETE with ids, equal records refused.
 * By set: PUT of all values of a name with an ETag. Zones are looked up by name or listed in pages.
 */
export async function startToyService(apexes: readonly DomainName[]): Promise<AdapterFake> {
  const zones = new Map<string, ToyRecord[]>(apexes.map((apex) => [apex, []]));
  const requestIds: string[] = [];
  let accepted = true;
  let visible: string | undefined;
  let ids = 0;

  const sees = (apex: string) => zones.has(apex) && (visible === undefined || visible === apex);
  const at = (apex: string, name: string) =>
    (zones.get(apex) ?? []).filter((record) => record.name === name && record.type === "TXT");
  const fail = (status: number, code: string, message: string): FakeReply => ({ status, body: { code, message } });

  const handle = ({ method, path, query, headers, body }: FakeRequest): FakeReply => {
    if (!accepted || headers.authorization !== `Bearer ${token}`)
      return fail(401, "BadToken", "the token is not valid");
    const [, root, zone = "", kind, rest] = path.split("/").map(decodeURIComponent);
    if (root !== "zones") return fail(404, "NoSuchPath", "no such path");
    if (zone === "") return page([...zones.keys()].filter(sees), query);
    if (!sees(zone)) return fail(visible === undefined ? 404 : 403, "NoSuchZone", "no such zone, or not yours");
    const records = zones.get(zone) ?? [];
    const given = body === "" ? {} : (JSON.parse(body) as Partial<ToyRecord> & { values?: readonly string[] });
    if (kind === undefined) return { body: { id: zone } };
    if (kind === "records" && method === "GET") {
      const name = query.get("name");
      return page(
        records.filter((record) => record.type === "TXT" && (name === null || record.name === name)),
        query,
      );
    }
    if (kind === "records" && method === "POST") {
      const { name = "", value = "", ttl = 0 } = given;
      if (at(zone, name).some((record) => record.value === value)) return fail(409, "Exists", "the record exists");
      const record = { id: `r${++ids}`, name, type: "TXT", value, ttl };
      records.push(record);
      return { status: 201, body: record };
    }
    if (kind === "records" && method === "DELETE") {
      const index = records.findIndex(({ id }) => id === rest);
      if (index < 0) return fail(404, "NoSuchRecord", "no such record");
      records.splice(index, 1);
      return { status: 204 };
    }
    if (kind === "sets" && method === "GET") {
      const set = at(zone, rest ?? "");
      return { body: { values: set.map(({ value }) => value), ttl: set[0]?.ttl ?? 0, etag: etag(set) } };
    }
    if (kind === "sets" && method === "PUT") {
      const name = rest ?? "";
      const set = at(zone, name);
      const expected = headers["if-match"];
      if (expected !== undefined && expected !== etag(set)) return fail(412, "Changed", "the set has changed");
      const { values = [], ttl = 0 } = given;
      const others = records.filter((record) => !set.includes(record));
      const added = values.map((value) => ({ id: `r${++ids}`, name, type: "TXT", value, ttl }));
      records.splice(0, records.length, ...others, ...added);
      return { body: { values } };
    }
    return fail(405, "NoSuchMethod", "no such method");
  };

  const http = await startHttpService({
    operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: method !== "GET" }),
    handle: (request) => {
      const requestId = `req-${String(requestIds.length).padStart(12, "0")}`;
      requestIds.push(requestId);
      const reply = handle(request);
      return { ...reply, headers: { "x-request-id": requestId } };
    },
  });
  const put = (apex: string, record: Omit<ToyRecord, "id">): string => {
    const id = `r${++ids}`;
    zones.get(apex)?.push({ id, ...record });
    return id;
  };

  return {
    http,
    config: { token, endpoint: http.url },
    values: (apex, fqdn) => at(apex, fqdn).map(({ value }) => value),
    put: (apex, name, values, ttl) => {
      for (const value of values) put(apex, { name, type: "TXT", value, ttl });
    },
    putOtherType: (apex, name) => {
      const id = put(apex, { name, type: "A", value: "192.0.2.1", ttl: 60 });
      return () => zones.get(apex)?.some((record) => record.id === id) === true;
    },
    ttlSeconds: (apex, name) => at(apex, name)[0]?.ttl,
    refuseCredentials: () => {
      accepted = false;
    },
    limitTo: (apex) => {
      visible = apex;
    },
    requestIds: () => requestIds,
  };
}

/** Twenty to a page: more than one test puts at a name, less than the paging case does. */
function page(entries: readonly unknown[], query: URLSearchParams): FakeReply {
  const size = Number(query.get("size") ?? 20);
  const from = Number(query.get("from") ?? 0);
  const next = from + size < entries.length ? from + size : undefined;
  return { body: { entries: entries.slice(from, from + size), next } };
}

function etag(set: readonly ToyRecord[]): string {
  return createHash("sha256").update(JSON.stringify(set)).digest("hex").slice(0, 16);
}
