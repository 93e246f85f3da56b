import {
  byHttpStatus,
  defineProvider,
  httpUrl,
  quoteTxt,
  RejectedError,
  rrsetBackend,
  secret,
  unquoteTxt,
  z,
} from "dns01";

export default defineProvider({
  id: "sethost",
  title: "Sethost", // the service's own name
  docs: "https://api.sethost.example/docs", // where its API is described
  // One flat object; every field becomes a flag, an environment variable and a key of dns01.yaml.
  config: z.strictObject({
    token: secret("API token that may edit TXT records", { header: true }),
    endpoint: httpUrl().default("https://api.sethost.example").describe("address of the API"),
  }),
  // Add `rate: { requests: 4, perMs: 1000 }` if the service has a limit.
  traits: { ttlSeconds: { min: 60, default: 120 } },
  // Which error of the service is which of ours; the rest is told by its status.
  classify: byHttpStatus({ 422: RejectedError }),
  connect: ({ token, endpoint }, { http }) => {
    const api = http(endpoint, { authorization: `Bearer ${token}` });
    return rrsetBackend({
      // true only if the service refuses a write (ConflictError) whose `previous` no longer holds.
      conditional: false,
      // { apex, id } if this account holds exactly the zone `apex`, undefined if not. No search.
      findZone: async (apex, { signal }) => {
        const { domains } = await api("domains", { query: { name: apex }, signal });
        return domains[0] && { apex, id: domains[0].name };
      },
      // { values, ttlSeconds } of the TXT set at exactly this owner, undefined if there is none; values without quotes.
      read: async ({ zone, relative }, { signal }) => {
        const set = await api(`domains/${zone.id}/sets/${relative}`, { signal }).catch((cause) => {
          if (cause.status !== 404) throw cause;
        });
        return set && { values: set.contents.map(unquoteTxt), ttlSeconds: set.ttl };
      },
      // Writes each change: `next` instead of `previous`; without `next` the set is deleted.
      replace: async (zone, changes, { signal }) => {
        for (const { owner, next } of changes) {
          const path = `domains/${zone.id}/sets/${owner.relative}`;
          if (next === undefined) await api(path, { method: "DELETE", signal });
          else {
            const body = { ttl: next.ttlSeconds, contents: next.values.map(quoteTxt) };
            await api(path, { method: "PUT", body, signal });
          }
        }
      },
    });
  },
});
