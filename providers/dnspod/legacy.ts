import { domainToUnicode } from "node:url";
import { type HttpFactory, type RecordApi, unquoteTxt, z } from "../../src/index.ts";
import { isDefaultLine } from "./config.ts";
import { absent, LegacyStatus } from "./errors.ts";

const status = z.object({ code: z.coerce.string(), message: z.string().default("") });
const answer = z.looseObject({ status });
const domainAnswer = z.object({ domain: z.object({ id: z.coerce.string() }) });
const domainList = z.object({ domains: z.array(z.object({ name: z.string() })) });
const listAnswer = z.object({
  info: z.object({ record_total: z.coerce.number() }),
  records: z
    .array(
      z.object({
        id: z.coerce.string(),
        type: z.string(),
        value: z.string(),
        line: z.string(),
        // The international site has none.
        line_id: z.coerce.string().optional(),
        enabled: z.coerce.string().default("1"),
      }),
    )
    .nullish()
    .transform((list) => list ?? []),
});

/** What the API forces at most into one page. */
const pageLength = 3000;

/**
 * The API that DNSPod had before it became part of Tencent Cloud, with tokens made in its own console. HTTP is always
 * 200; `status.code` is "1" for success. @see https://docs.dnspod.cn/api/
 */
export function legacyApi(
  given: { readonly loginToken: string; readonly endpoint: string; readonly recordLine: string },
  http: HttpFactory,
): RecordApi {
  const { loginToken, endpoint, recordLine } = given;
  // Demanded: program/version (contact). Without it the account is shut out.
  const send = http(endpoint, { "user-agent": "dns01/1.0 (dns01@users.noreply.github.com)" });
  const international = new URL(endpoint).hostname.endsWith("dnspod.com");
  const common = {
    login_token: loginToken,
    ...(international ? { user_token: loginToken } : {}),
    format: "json",
    lang: "en",
    error_on_empty: "no",
  };
  const call = async (action: string, parameters: Readonly<Record<string, string>>, signal: AbortSignal) => {
    const body = new URLSearchParams({ ...common, ...parameters });
    const said = answer.parse(await send(action, { body, signal }));
    if (said.status.code !== "1") throw new LegacyStatus(said.status.code, said.status.message);
    return said;
  };
  const defaultLine = { record_line: international ? "default" : "默认", record_line_id: "0" };
  const line = recordLine === "" ? defaultLine : { record_line: recordLine };

  return {
    async findZone(apex, { signal }) {
      // Names that are no ASCII are known by either spelling.
      for (const domain of new Set([apex, domainToUnicode(apex) || apex])) {
        const found = await call("Domain.Info", { domain }, signal).catch(absent("6", "8", "13"));
        if (found !== undefined) return { apex, id: domainAnswer.parse(found).domain.id };
      }
      return undefined;
    },
    async visibleZones({ signal }) {
      const { domains } = domainList.parse(await call("Domain.List", { length: "100" }, signal));
      return domains.map(({ name }) => name);
    },
    async list({ zone, relative }, { signal }) {
      const records: z.output<typeof listAnswer>["records"] = [];
      for (let more = true; more; ) {
        const where = { domain_id: zone.id, sub_domain: relative, record_type: "TXT" };
        const part = { offset: String(records.length), length: String(pageLength) };
        const page = await call("Record.List", { ...where, ...part }, signal).catch(absent("10"));
        const { info, records: listed } = listAnswer.parse(page ?? { info: { record_total: 0 } });
        records.push(...listed);
        more = listed.length > 0 && records.length < info.record_total;
      }
      return records
        .filter(({ type }) => type === "TXT")
        .filter(({ line, line_id }) => (recordLine === "" ? isDefaultLine(line, line_id) : line === recordLine))
        .map(({ id, value, enabled }) => ({ id, value: unquoteTxt(value), isOff: enabled === "0" }));
    },
    async create({ zone, relative }, value, { signal, ttlSeconds }) {
      const where = { domain_id: zone.id, sub_domain: relative, record_type: "TXT" };
      await call("Record.Create", { ...where, ...line, value, ttl: String(ttlSeconds) }, signal);
    },
    async delete({ zone }, { id }, { signal }) {
      await call("Record.Remove", { domain_id: zone.id, record_id: id }, signal);
    },
  };
}
