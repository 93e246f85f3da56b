import { type Call, defineProvider, httpUrl, rewriteTxt, rrsetBackend, secret, unquoteTxt, z } from "../src/index.ts";
import { classify, gone, switchedOff } from "./huaweicloud/errors.ts";
import { queryOf } from "./signing/canonical.ts";
import { sdkHmacHeaders } from "./signing/sdk-hmac.ts";

const config = z.strictObject({
  accessKeyId: secret("id of an access key (AK)", { header: true }).meta({
    env: ["HUAWEICLOUD_ACCESS_KEY_ID", "HUAWEICLOUD_SDK_AK"],
    aliases: ["accessKeyID"],
  }),
  secretAccessKey: secret("secret of the access key (SK)").meta({
    env: ["HUAWEICLOUD_SECRET_ACCESS_KEY", "HUAWEICLOUD_SDK_SK"],
  }),
  securityToken: secret("token of a temporary access key", { header: true })
    .optional()
    .meta({ env: ["HUAWEICLOUD_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"] }),
  region: z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)+$/, "is no region of Huawei Cloud")
    .default("cn-north-4")
    .meta({
      description: "region whose endpoint is asked; public zones are the same in all of them",
      env: ["HUAWEICLOUD_REGION"],
    }),
  endpoint: httpUrl()
    .optional()
    .meta({ description: "address of the API, instead of https://dns.REGION.myhuaweicloud.com", endpoint: true }),
});

const zoneList = z.object({ zones: z.array(z.object({ id: z.string(), name: z.string() })) });
const storedSet = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  records: z.array(z.string()),
  status: z.string(),
  line: z.string().default("default_view"),
});
const setList = z.object({ recordsets: z.array(storedSet) });

export default defineProvider({
  id: "huaweicloud",
  title: "Huawei Cloud DNS",
  docs: "https://support.huaweicloud.com/intl/en-us/api-dns/dns_api_64001.html",
  config,
  traits: { ttlSeconds: { min: 1, default: 300 } },
  classify,
  connect: ({ accessKeyId, secretAccessKey, securityToken, region, endpoint }, { http }) => {
    const base = endpoint ?? `https://dns.${region}.myhuaweicloud.com`;
    const { host } = new URL(base);
    const api = http(base);
    const token = securityToken === undefined ? {} : { "x-security-token": securityToken };
    const call = (method: string, path: string, { signal }: Call, parameters = {}, content?: object) => {
      const query = queryOf(parameters);
      const body = content === undefined ? "" : JSON.stringify(content);
      const key = { accessKeyId, secretAccessKey, now: new Date() };
      const headers = { ...token, "content-type": "application/json" };
      const signed = sdkHmacHeaders({ method, host, path, query, body, headers, ...key });
      const sent = body === "" ? {} : { body };
      return api(query === "" ? path : `${path}?${query}`, { method, headers: signed, signal, ...sent });
    };

    return rrsetBackend({
      conditional: false,
      async findZone(apex, asked) {
        const query = { type: "public", name: `${apex}.`, search_mode: "equal", limit: 500 };
        const { zones } = zoneList.parse(await call("GET", "/v2/zones", asked, query));
        const zone = zones.find(({ name }) => name.toLowerCase().replace(/\.$/, "") === apex);
        return zone && { apex, id: zone.id };
      },
      async visibleZones(asked) {
        const query = { type: "public", limit: 100 };
        return zoneList.parse(await call("GET", "/v2/zones", asked, query)).zones.map(({ name }) => name);
      },
      async read({ zone, fqdn }, asked) {
        const query = { name: `${fqdn}.`, type: "TXT", search_mode: "equal", limit: 500 };
        const answer = setList.parse(await call("GET", `/v2/zones/${zone.id}/recordsets`, asked, query));
        const set = answer.recordsets.find(
          ({ name, type, line, status }) =>
            name.toLowerCase() === `${fqdn}.` &&
            type === "TXT" &&
            line === "default_view" &&
            status !== "PENDING_DELETE",
        );
        return set && { values: set.records.map(unquoteTxt), ttlSeconds: set.ttl, version: JSON.stringify(set) };
      },
      batchesOf: (changes) => changes.map((change) => [change]),
      async replace(zone, changes, asked) {
        for (const { owner, previous, next } of changes) {
          const before = previous === undefined ? undefined : storedSet.parse(JSON.parse(previous.version ?? ""));
          // It would take the value and not serve it.
          if (
            before?.status === "DISABLE" &&
            next !== undefined &&
            next.values.some((v) => !previous?.values.includes(v))
          )
            throw switchedOff(owner.fqdn);
          const path = `/v2/zones/${zone.id}/recordsets${before === undefined ? "" : `/${before.id}`}`;
          if (next === undefined) {
            await call("DELETE", path, asked).catch(gone);
            continue;
          }
          const records = rewriteTxt(before?.records ?? [], next.values);
          const content = { name: `${owner.fqdn}.`, type: "TXT", ttl: next.ttlSeconds, records };
          await call(before === undefined ? "POST" : "PUT", path, asked, {}, content);
        }
      },
    });
  },
});
