import { connectBackend, startFake } from "dns01/testing";
import provider from "./sethost.mjs";

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
      if (headers.authorization !== `Bearer ${token}`) return { status: 403, body: { error: "token" } };
      if (path === "/domains") {
        const found = zones.filter(({ apex }) => apex === query.get("name"));
        return { body: { domains: found.map(({ apex }) => ({ name: apex })) } };
      }
      const [, apex, name] = /^\/domains\/([^/]+)\/sets\/([^/]+)$/.exec(path) ?? [];
      const zone = zones.find((one) => one.apex === apex);
      const set = zone.records.filter((r) => r.type === "TXT" && r.name === name);
      const others = zone.records.filter((r) => !set.includes(r));
      if (method === "GET") {
        if (set.length === 0) return { status: 404, body: { error: "no such set" } };
        return { body: { ttl: set[0].ttlSeconds, contents: set.map(({ value }) => `"${value}"`) } };
      }
      zone.records = others;
      if (method === "DELETE") return { status: 204 };
      for (const content of body.contents) {
        zone.add({ type: "TXT", name, value: content.slice(1, -1), ttlSeconds: body.ttl });
      }
      return { status: 204 };
    },
    refuse: () => ({ status: 403, body: { error: "token" } }),
    throttle: () => ({ status: 503, body: { error: "busy" } }),
  });

/** Rules that cannot hold for this service, each with its reason: { "adding.again": "…" }. */
export const skip = { "errors.temporary": "the service says 503 to who asks too often" };

/** Without compare-and-swap only one writer at a time loses nothing. Remove this line for `conditional: true`. */
export const writers = 1;
