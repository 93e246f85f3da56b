import { defineProvider, httpUrl, rewriteTxt, rrsetBackend, secret, unquoteTxt, z } from "../src/index.ts";
import { absent, classify } from "./desec/errors.ts";

const config = z.strictObject({
  token: secret("API token of the account", { header: true }).meta({ env: ["DESEC_TOKEN", "DEDYN_TOKEN"] }),
  endpoint: httpUrl()
    .default("https://desec.io/api/v1")
    .meta({
      description: "address of the API; without a path, /api/v1 is added",
      env: ["DESEC_ENDPOINT"],
      endpoint: true,
    }),
});

const domainList = z.array(z.object({ name: z.string() }));
const rrsetAnswer = z.object({ ttl: z.number(), records: z.array(z.string()) });

export default defineProvider({
  id: "desec",
  title: "deSEC",
  docs: "https://desec.readthedocs.io/en/latest/dns/rrsets.html",
  config,
  // 60 s are for names under dedyn.io; other domains usually have 3600, and say so when asked for less.
  traits: { ttlSeconds: { min: 60, default: 3600 }, rate: { requests: 2, perMs: 1000 } },
  classify,
  connect: ({ token, endpoint }, { http }) => {
    const base = new URL(endpoint).pathname === "/" ? new URL("api/v1", endpoint).href : endpoint;
    const api = http(base, { authorization: `Token ${token}` });

    return rrsetBackend({
      conditional: false,
      async findZone(apex, { signal }) {
        const answer = await api(`domains/${encodeURIComponent(apex)}/`, { signal }).catch(absent);
        return answer === undefined ? undefined : { apex, id: apex };
      },
      async visibleZones({ signal }) {
        return domainList.parse(await api("domains/", { signal })).map(({ name }) => name);
      },
      async read({ zone, relative }, { signal }) {
        const path = `domains/${encodeURIComponent(zone.id)}/rrsets/${relative === "@" ? relative : encodeURIComponent(relative)}/TXT/`;
        const answer = await api(path, { signal }).catch(absent);
        if (answer === undefined) return undefined;
        const { ttl, records } = rrsetAnswer.parse(answer);
        return { values: records.map(unquoteTxt), ttlSeconds: ttl, version: JSON.stringify(records) };
      },
      async replace(zone, changes, { signal }) {
        const body = changes.map(({ owner: { relative }, previous, next }) => ({
          // In a bulk request the apex is written as nothing, not as "@".
          subname: relative === "@" ? "" : relative,
          type: "TXT",
          // Only for a new set: one that is older than the domain's minimum may keep its TTL, but not be given it again.
          ...(previous === undefined && next && { ttl: next.ttlSeconds }),
          records: rewriteTxt(recordsIn(previous?.version), next?.values ?? []),
        }));
        await api(`domains/${encodeURIComponent(zone.id)}/rrsets/`, { method: "PATCH", body, signal });
      },
    });
  },
});

/** As they are written there, strings and escapes of foreign values included. */
function recordsIn(version = "[]"): readonly string[] {
  return rrsetAnswer.shape.records.parse(JSON.parse(version));
}
