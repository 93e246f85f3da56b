import {
  ConflictError,
  defineProvider,
  HttpError,
  isWithin,
  parseName,
  quoteTxt,
  recordBackend,
  unquoteTxt,
  z,
} from "../src/index.ts";
import { config } from "./cloudflare/config.ts";
import { classify, gone, refused } from "./cloudflare/errors.ts";
import { notServed, pinnedElsewhere, unserved, zoneReadHint, zoneResult } from "./cloudflare/zones.ts";

const recordResult = z.object({ id: z.string(), name: z.string().optional(), content: z.string() });

/** Longest page of records that every version of the API gives. */
const perPage = 100;

export default defineProvider({
  id: "cloudflare",
  title: "Cloudflare",
  docs: "https://developers.cloudflare.com/api/resources/dns/subresources/records/",
  config,
  // 1 is "automatic" and 30 for Enterprise zones only: what is too low is refused with the zone's minimum and raised then.
  traits: { ttlSeconds: { min: 1, default: 60 }, rate: { requests: 1200, perMs: 300_000 }, noZonesHint: zoneReadHint },
  classify,
  connect: ({ apiToken, email, apiKey, zoneToken, zoneID, endpoint, comment }, deps) => {
    const base = new URL(endpoint).pathname === "/" ? new URL("client/v4", endpoint).href : endpoint;
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const login =
      apiToken === undefined ? { "x-auth-email": email ?? "", "x-auth-key": apiKey ?? "" } : bearer(apiToken);
    const records = deps.http(base, login);
    const zones = zoneToken === undefined ? records : deps.http(base, bearer(zoneToken));

    return recordBackend(
      {
        async findZone(apex, { signal }) {
          if (zoneID !== undefined) {
            // A token without the right to look is no obstacle: the user has said which zone is meant.
            const answer = await zones(`zones/${zoneID}`, { signal }).catch(refused);
            const zone = answer === undefined ? undefined : read(answer, zoneResult).result;
            const pinned = zone === undefined ? apex : parseName(zone.name);
            if (!isWithin(apex, pinned)) throw pinnedElsewhere(`zoneID names the zone ${pinned}`, apex, [pinned]);
            if (zone !== undefined && unserved.has(zone.type ?? "")) throw notServed(pinned, zone);
            return pinned === apex ? { apex, id: zoneID } : undefined;
          }
          const query = { name: apex, per_page: 50 };
          const { result } = read(await zones("zones", { query, signal }), z.array(zoneResult));
          // Other accounts may have begun to move the same zone: only one of them is active.
          const found = result.filter(({ name }) => parseName(name) === apex);
          const served = found.find(({ status = "active", type }) => status === "active" && !unserved.has(type ?? ""));
          if (served === undefined && found[0] !== undefined) throw notServed(apex, found[0]);
          return served && { apex, id: served.id };
        },
        async visibleZones({ signal }) {
          const query = { per_page: 50, order: "name" };
          return read(await zones("zones", { query, signal }), z.array(zoneResult)).result.map(({ name }) => name);
        },
        async list({ zone, fqdn }, { signal }) {
          const all: z.output<typeof recordResult>[] = [];
          for (let page = 1; ; page++) {
            const query = { type: "TXT", name: fqdn, per_page: perPage, page };
            const { result, result_info } = read(
              await records(`zones/${zone.id}/dns_records`, { query, signal }),
              z.array(recordResult),
            );
            all.push(...result);
            const more = page < (result_info?.total_pages ?? (result.length < perPage ? 0 : page + 1));
            if (!more || result.length === 0) break;
          }
          return all.map(({ id, content }) => ({ id, value: unquoteTxt(content) }));
        },
        async create({ zone, fqdn }, value, { signal, ttlSeconds: ttl }) {
          const body = { type: "TXT", name: fqdn, content: quoteTxt(value), ttl, ...(comment && { comment }) };
          const { result } = read(await records(`zones/${zone.id}/dns_records`, { body, signal }), recordResult);
          if (parseName(result.name ?? fqdn) === fqdn) return;
          // A name outside of the pinned zone is taken for one inside of it.
          await records(`zones/${zone.id}/dns_records/${result.id}`, { method: "DELETE", signal }).catch(gone);
          throw pinnedElsewhere(`${fqdn} is not in the zone ${zone.id}`, zone.apex);
        },
        async delete({ zone }, { id }, { signal }) {
          const answer = records(`zones/${zone.id}/dns_records/${id}`, { method: "DELETE", signal });
          await answer
            .then((body) => read(body, z.unknown()))
            .catch((cause: unknown) => {
              gone(cause);
              // The list was late: it may also hide a record that was made in its place.
              throw new ConflictError("there is no such record", { cause });
            });
        },
      },
      // Not documented; a record type that was changed was refused for seconds, because the old one was still seen:
      // https://github.com/cloudflare/terraform-provider-cloudflare/issues/6482
      { listLagMs: 10_000, conflictProvesPresence: true },
    );
  },
});

/** The envelope's content; HttpError if it is none or speaks of a failure, for `classify` to explain. */
function read<T extends z.ZodType>(answer: unknown, result: T) {
  const info = z.object({ total_pages: z.number() }).nullish().catch(undefined);
  const parsed = z.object({ success: z.literal(true), result, result_info: info }).safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new HttpError("the answer is not one of the API", { status: 200, body: answer, headers: {} });
}
