import {
  type Call,
  defineProvider,
  type HttpApi,
  type Owner,
  RejectedError,
  type RRset,
  rrsetBackend,
  type TxtBackend,
  unquoteTxt,
  type Zone,
  z,
} from "../src/index.ts";
import { config } from "./powerdns/config.ts";
import { classify, isUnknownChange } from "./powerdns/errors.ts";
import { singly, storedRecord, wholly } from "./powerdns/sets.ts";

const zoneList = z.array(z.object({ id: z.string(), name: z.string(), kind: z.string() }));
const zoneAnswer = z.object({
  rrsets: z.array(z.object({ name: z.string(), type: z.string(), ttl: z.number(), records: z.array(storedRecord) })),
});

/** A change is answered with nothing (204); a zone would be the API's too. Anything else comes from something in between. */
const patchAnswer = z.object({ name: z.string() }).optional();

export default defineProvider({
  id: "powerdns",
  title: "PowerDNS Authoritative Server",
  docs: "https://doc.powerdns.com/authoritative/http-api/zone.html",
  aliases: ["pdns"],
  config,
  traits: { ttlSeconds: { min: 1, default: 60, env: ["PDNS_TTL"] } },
  classify,
  connect: ({ endpoint, apiKey, serverName, apiKeyHeaderName, timeout }, { http }) => {
    const base = endpoint.replace(/\/+$/, "").replace(/\/api\/v1$/, "");
    const server = http(`${base}/api/v1/servers/${encodeURIComponent(serverName)}`, { [apiKeyHeaderName]: apiKey });
    const api = withTimeout(server, timeout);

    const findZone = async (apex: Zone["apex"], { signal }: Call): Promise<Zone | undefined> => {
      const found = zoneList.parse(await api("zones", { query: { zone: `${apex}.`, dnssec: "false" }, signal }));
      const zone = found.find(({ name }) => name.toLowerCase() === `${apex}.`);
      if (zone === undefined) return undefined;
      if (/^(slave|secondary|consumer)$/i.test(zone.kind)) {
        const hint = "Point the endpoint at the zone's primary.";
        throw new RejectedError(`this server only transfers ${apex} from elsewhere (kind ${zone.kind})`, { hint });
      }
      return { apex, id: `${zone.id} ${zone.kind}` };
    };
    const read = async ({ zone, fqdn }: Owner, { signal, ttlSeconds }: Call): Promise<RRset | undefined> => {
      const { rrsets } = zoneAnswer.parse(await api(pathOf(zone), { query: { rrset_name: `${fqdn}.` }, signal }));
      // Servers before 4.8 do not know the filter and answer with the whole zone.
      const at = rrsets.filter(({ name }) => name.toLowerCase() === `${fqdn}.`);
      const txt = at.find(({ type }) => type === "TXT");
      const isAlias = at.some(({ type }) => type === "CNAME");
      if (txt === undefined && !isAlias) return undefined;
      const { records, ttl } = txt ?? { records: [], ttl: ttlSeconds };
      const values = records.filter(({ disabled }) => !disabled).map(({ content }) => unquoteTxt(content));
      return { values, ttlSeconds: ttl, version: JSON.stringify({ records, isAlias }) };
    };
    const patch = async (zone: Zone, rrsets: readonly object[], signal: AbortSignal): Promise<void> => {
      patchAnswer.parse(await api(pathOf(zone), { method: "PATCH", body: { rrsets }, signal }));
      // Else secondaries learn of it within a minute. Refused where nobody is to be told; no reason to fail in any case.
      if (!zone.id.endsWith(" Native")) await api(`${pathOf(zone)}/notify`, { method: "PUT", signal }).catch(() => {});
    };

    /** For one operation: whether the server knows changes of single values shows when it is asked for one. */
    const backend = (): TxtBackend => {
      let isSingle = true;
      return rrsetBackend({
        get conditional() {
          return isSingle;
        },
        findZone,
        visibleZones: async ({ signal }) =>
          zoneList.parse(await api("zones", { query: { dnssec: "false" }, signal })).map(({ name }) => name),
        read,
        async replace(zone, changes, { signal }) {
          const send = (entriesOf: typeof singly) => patch(zone, changes.flatMap(entriesOf), signal);
          if (!isSingle) return send(wholly);
          return send(singly).catch((error: unknown) => {
            if (!isUnknownChange(error)) throw error;
            isSingle = false;
            return send(wholly);
          });
        },
      });
    };
    return { ...backend(), apply: (...given) => backend().apply(...given) };
  },
});

function withTimeout(api: HttpApi, seconds: number | undefined): HttpApi {
  if (seconds === undefined) return api;
  return (path, { signal, ...request }) =>
    api(path, { ...request, signal: AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]) });
}

function pathOf({ id }: Zone): string {
  return `zones/${id.replace(/ .*/, "")}`;
}
