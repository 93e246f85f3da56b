import { domainToUnicode } from "node:url";
import { type ConnectDeps, defineProvider, type RecordApi, recordBackend, unquoteTxt, type z } from "../src/index.ts";
import { proxiedHttpAgent, proxiedHttpsAgent } from "../src/proxy/agents.ts";
import {
  createAnswer,
  deleteAnswer,
  domainAnswer,
  domainList,
  listAnswer,
  nothing,
  notOurs,
  type record,
} from "./dnspod/answers.ts";
import { config, isDefaultLine } from "./dnspod/config.ts";
import { type Client, type Credential, credentialsOf } from "./dnspod/credentials.ts";
import { absent, classify } from "./dnspod/errors.ts";
import { loginTokenOf } from "./dnspod/faults.ts";
import { legacyApi } from "./dnspod/legacy.ts";

export default defineProvider({
  id: "dnspod",
  title: "DNSPod (Tencent Cloud)",
  docs: "https://cloud.tencent.com/document/api/1427",
  aliases: ["tencentcloud"],
  config,
  traits: {
    ttlSeconds: { min: 1, default: 600, env: ["DNSPOD_TTL", "TENCENTCLOUD_TTL"] },
    rate: { requests: 20, perMs: 1000 },
  },
  classify,
  connect: async (given, deps) => {
    const { endpoint = "https://dnsapi.cn", recordLine } = given;
    const loginToken = loginTokenOf(given);
    // TKE puts it into every container, so it is no fault.
    if (loginToken !== undefined && given.webIdentityTokenFile !== undefined) {
      deps.warn("webIdentityTokenFile is not used, because loginToken is given");
    }
    deps.mask?.(loginToken?.split(",")[1] ?? "");
    const api =
      loginToken === undefined
        ? await cloudApi(given, deps)
        : legacyApi({ loginToken, endpoint, recordLine }, deps.http);
    // A record stays out of lists for up to 30 seconds: https://cloud.tencent.com/document/api/1427/56180
    return recordBackend(api, { listLagMs: 30_000, conflictProvesPresence: true });
  },
});

async function cloudApi(given: z.output<typeof config>, deps: ConnectDeps): Promise<RecordApi> {
  const { endpoint = "https://dnspod.tencentcloudapi.com", recordLine, region } = given;
  const site = endpoint.includes(".intl.") ? ".intl" : "";
  const { stsEndpoint = `https://sts${site}.tencentcloudapi.com` } = given;
  const { dnspod } = await import("tencentcloud-sdk-nodejs-dnspod");
  const agents = { http: proxiedHttpAgent({}, deps), https: proxiedHttpsAgent({}, deps) };
  const open = (url: string, credential: Credential): Client => {
    const { protocol, host, pathname } = new URL(url);
    const httpProfile = {
      protocol: `${protocol}//`,
      endpoint: host + pathname.replace(/\/+$/, ""),
      // The time limit is the signal's; the SDK's own leaves a timer behind when it is aborted.
      reqTimeout: 0,
      // Without one the SDK takes http_proxy for every address, whatever NO_PROXY says.
      agent: protocol === "http:" ? agents.http : agents.https,
    };
    return new dnspod.v20210323.Client({ credential, profile: { language: "en-US", httpProfile } });
  };
  const credentials = credentialsOf(given, deps, (credential) =>
    // The SDK's clients differ in address and version only.
    Object.assign(open(stsEndpoint, credential ?? { secretId: "", secretKey: "" }), {
      apiVersion: "2018-08-13",
      region,
    }),
  );
  const call = async (action: string, parameters: object, signal: AbortSignal): Promise<unknown> =>
    open(endpoint, await credentials(signal)).request(action, parameters, { signal });
  // By name and id: the name of the default line differs between the sites.
  const line = recordLine === "" ? { RecordLine: "默认", RecordLineId: "0" } : { RecordLine: recordLine };

  return {
    async findZone(apex, { signal }) {
      // Names that are no ASCII are known by either spelling.
      for (const Domain of new Set([apex, domainToUnicode(apex) || apex])) {
        const found = await call("DescribeDomain", { Domain }, signal).catch(absent(...notOurs));
        if (found === undefined) continue;
        const paused = domainAnswer.parse(found).DomainInfo.Status === "PAUSE";
        if (paused) deps.warn(`${apex} is paused: its records are not served`);
        return { apex, id: Domain };
      }
      return undefined;
    },
    async visibleZones({ signal }) {
      const { DomainList } = domainList.parse(await call("DescribeDomainList", { Limit: 100 }, signal));
      return DomainList.map(({ Name }) => Name);
    },
    async list({ zone, relative }, { signal }) {
      const records: z.output<typeof record>[] = [];
      for (let more = true; more; ) {
        const where = { Domain: zone.id, Subdomain: relative, RecordType: "TXT" };
        const part = { ErrorOnEmpty: "no", Offset: records.length, Limit: 3000 };
        const page = await call("DescribeRecordList", { ...where, ...part }, signal).catch(
          absent("ResourceNotFound.NoDataOfRecord"),
        );
        const { RecordCountInfo, RecordList } = listAnswer.parse(page ?? nothing);
        records.push(...RecordList);
        more = RecordList.length > 0 && records.length < RecordCountInfo.TotalCount;
      }
      return records
        .filter(({ Line, LineId }) => (recordLine === "" ? isDefaultLine(Line, LineId) : Line === recordLine))
        .map((r) => ({ id: String(r.RecordId), value: unquoteTxt(r.Value), isOff: r.Status === "DISABLE" }));
    },
    async create({ zone, relative }, Value, { signal, ttlSeconds: TTL }) {
      const where = { Domain: zone.id, SubDomain: relative, RecordType: "TXT" };
      createAnswer.parse(await call("CreateRecord", { ...where, ...line, Value, TTL }, signal));
    },
    async delete({ zone }, { id }, { signal }) {
      deleteAnswer.parse(await call("DeleteRecord", { Domain: zone.id, RecordId: Number(id) }, signal));
    },
  };
}
