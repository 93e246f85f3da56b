import { connectBackend, startFake } from "dns01/testing";
import provider from "./acmehost.mjs";

const token = "fake-t0ken";

/** A fresh service that holds exactly these zones, all empty. Called once for each rule. */
export const start = (zones) =>
  startFake({
    zones,
    secrets: [token],
    connect: (url, signal) => connectBackend(provider, { token, endpoint: url }, signal),
    // One request, answered as the service does, no laxer: { status, body }. A zone is { id, apex, records }, a record
    // { id, name, type, value, ttlSeconds } with its name inside the zone ("@" at the apex); zone.add(…) makes one.
    answer: ({ method, path, query, headers, body }, zones) => {
      if (headers.authorization !== `Bearer ${token}`) return { status: 401, body: { error: { code: "TOKEN" } } };
      if (method === "GET" && path === "/v1/zones") {
        const found = zones.filter(({ apex }) => apex === query.get("name"));
        return { body: { zones: found.map(({ id, apex }) => ({ id, name: apex })) } };
      }
      const [, zoneId, recordId] = /^\/v1\/zones\/(\w+)\/records(?:\/([\w-]+))?$/.exec(path) ?? [];
      const zone = zones.find(({ id }) => id === zoneId);
      if (method === "GET") {
        const found = zone.records.filter((r) => r.type === query.get("type") && r.name === query.get("name"));
        const page = Number(query.get("page"));
        const records = found.slice(50 * (page - 1), 50 * page).map(({ id, value }) => ({ id, content: value }));
        return { body: { records, ...(found.length > 50 * page ? { next: page + 1 } : {}) } };
      }
      if (method === "POST") {
        const { type, name, content: value, ttl: ttlSeconds } = body;
        const exists = zone.records.some((r) => r.type === type && r.name === name && r.value === value);
        if (exists) return { status: 409, body: { error: { code: "EXISTS" } } };
        return { status: 201, body: { id: zone.add({ type, name, value, ttlSeconds }).id } };
      }
      const kept = zone.records.filter(({ id }) => id !== recordId);
      if (kept.length === zone.records.length) return { status: 404, body: { error: { code: "GONE" } } };
      zone.records = kept;
      return { status: 204 };
    },
  });

/** Rules that cannot hold for this service, each with its reason: { "adding.again": "…" }. */
export const skip = {};
