import { randomUUID } from "node:crypto";
import { domainToUnicode } from "node:url";
import { defineProvider, parseName, recordBackend, type z } from "../src/index.ts";
import { config } from "./alidns/config.ts";
import { credentialsOf } from "./alidns/credentials.ts";
import { domainAnswer, domainNames } from "./alidns/domains.ts";
import { absent, classify } from "./alidns/errors.ts";
import { recordPage, txtRecord, writeAnswer } from "./alidns/records.ts";
import { acs3Headers } from "./signing/acs3.ts";
import { queryOf } from "./signing/canonical.ts";

/** The most that one page of records holds. */
const pageSize = 100;

export default defineProvider({
  id: "alidns",
  title: "Alibaba Cloud DNS (Aliyun)",
  docs: "https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-overview",
  aliases: ["aliyun", "alicloud", "alidns-solver"],
  config,
  // 600 is what the free edition takes; what is too low is refused and raised then.
  traits: { ttlSeconds: { min: 1, default: 600, env: ["ALICLOUD_TTL"] } },
  classify,
  connect: (given, deps) => {
    const { line, endpoint } = given;
    const api = deps.http(endpoint);
    const credentials = credentialsOf(given, deps);
    const call = async (action: string, parameters: Readonly<Record<string, string | number>>, signal: AbortSignal) => {
      const query = queryOf(parameters);
      const { host } = new URL(endpoint);
      const key = await credentials(signal);
      const once = { now: new Date(), nonce: randomUUID() };
      const headers = acs3Headers({ host, action, version: "2015-01-09", query, ...key, ...once });
      return api(`?${query}`, { method: "POST", headers, signal });
    };

    return recordBackend(
      {
        async findZone(apex, { signal }) {
          // Names that are no ASCII are known by either spelling.
          for (const DomainName of new Set([apex, domainToUnicode(apex) || apex])) {
            const found = await call("DescribeDomainInfo", { DomainName }, signal).catch(
              absent("InvalidDomainName", "IncorrectDomainUser", "DomainNotBelongToUser"),
            );
            if (found === undefined) continue;
            const { DomainName: id } = domainAnswer.parse(found);
            if (parseName(id) === apex) return { apex, id };
          }
          return undefined;
        },
        visibleZones: async ({ signal }) => domainNames(await call("DescribeDomains", { PageSize: 100 }, signal)),
        async list({ zone, relative }, { signal }) {
          const where = { DomainName: zone.id, SubDomain: relative === "@" ? zone.id : `${relative}.${zone.id}` };
          const all: z.output<typeof recordPage>["DomainRecords"]["Record"] = [];
          for (let PageNumber = 1; ; PageNumber++) {
            const page = { Type: "TXT", PageNumber, PageSize: pageSize };
            const answer = recordPage.parse(await call("DescribeSubDomainRecords", { ...where, ...page }, signal));
            all.push(...answer.DomainRecords.Record);
            if (answer.DomainRecords.Record.length === 0 || all.length >= answer.TotalCount) break;
          }
          return all.filter((r) => r.Line === line).map(txtRecord);
        },
        async create({ zone, relative }, Value, { signal, ttlSeconds: TTL }) {
          const what = { RR: relative, Type: "TXT", Value, TTL, Line: line };
          writeAnswer.parse(await call("AddDomainRecord", { DomainName: zone.id, ...what }, signal));
        },
        async delete(_owner, { id }, { signal }) {
          const answer = call("DeleteDomainRecord", { RecordId: id }, signal).then((body) => writeAnswer.parse(body));
          await answer.catch(absent("DomainRecordNotBelongToUser", "DomainRecordNotExist"));
        },
      },
      { conflictProvesPresence: true },
    );
  },
});
