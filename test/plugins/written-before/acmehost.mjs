import { AuthError, defineProvider, HttpError, httpUrl, recordBackend, secret, z } from "dns01";

const zoneList = z.object({ zones: z.array(z.object({ id: z.string(), name: z.string() })) });
const record = z.object({ id: z.string(), content: z.string() });
const recordList = z.object({ records: z.array(record), next: z.number().optional() });

export default defineProvider({
  id: "acmehost",
  title: "Acmehost",
  docs: "https://api.acmehost.example/docs",
  config: z.strictObject({
    token: secret("API token that may edit TXT records", { header: true }),
    endpoint: httpUrl().default("https://api.acmehost.example").describe("address of the API"),
  }),
  traits: { ttlSeconds: { min: 60, default: 120 }, rate: { requests: 10, perMs: 1000 } },
  classify: (cause) => {
    if (!(cause instanceof HttpError) || cause.body?.error?.code !== "SCOPE") return undefined;
    return new AuthError("the token may not edit this zone (SCOPE)", {
      cause,
      hint: "Give it the permission dns:edit.",
    });
  },
  connect: ({ token, endpoint }, { http }) => {
    const api = http(`${endpoint}/v1`, { authorization: `Bearer ${token}` });
    return recordBackend({
      findZone: async (apex, { signal }) => {
        const { zones } = zoneList.parse(await api("zones", { query: { name: apex }, signal }));
        return zones[0] && { apex, id: zones[0].id };
      },
      list: async ({ zone, relative: name }, { signal }) => {
        const found = [];
        for (let page = 1; page !== undefined; ) {
          const query = { type: "TXT", name, page };
          const answer = recordList.parse(await api(`zones/${zone.id}/records`, { query, signal }));
          found.push(...answer.records.map(({ id, content }) => ({ id, value: content })));
          page = answer.next;
        }
        return found;
      },
      create: async ({ zone, relative: name }, content, { signal, ttlSeconds: ttl }) => {
        await api(`zones/${zone.id}/records`, { body: { type: "TXT", name, content, ttl }, signal });
      },
      delete: async ({ zone }, { id }, { signal }) => {
        await api(`zones/${zone.id}/records/${id}`, { method: "DELETE", signal }).catch((cause) => {
          if (cause.status !== 404) throw cause;
        });
      },
    });
  },
});
