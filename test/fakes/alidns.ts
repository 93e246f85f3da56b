import { randomUUID } from "node:crypto";
import { domainToUnicode } from "node:url";
import { type DomainName, parseName, relativeTo } from "../../src/core/name.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type Acs3Key, verifyAcs3 } from "./acs3-signature.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";

interface StoredRecord {
  readonly RecordId: string;
  readonly RR: string;
  readonly Type: string;
  readonly Value: string;
  readonly TTL: number;
  readonly Line: string;
  /** Switched off: in lists and in the way of its like, but not served. */
  off?: boolean;
}

interface StoredZone {
  readonly apex: DomainName;
  records: readonly StoredRecord[];
}

export interface AlidnsOptions {
  /** Of all domains: 600 in the free edition. Default 600. */
  readonly minTtl?: number;
  /** Domain names in requests: only the U-label spelling is known. Default false. */
  readonly onlyUnicode?: boolean;
  readonly key?: Acs3Key;
  /** Temporary keys that are good too; may grow. */
  readonly keys?: readonly Acs3Key[];
}

export interface AlidnsFake extends AdapterFake {
  recordsAt(apex: DomainName, fqdn: DomainName): readonly StoredRecord[];
  add(apex: DomainName, fqdn: DomainName, record: Partial<StoredRecord>): void;
  /** From now on this action is answered with this code. */
  refuse(action: string, status: number, code: string, message: string): void;
}

const defaultKey: Acs3Key = {
  accessKeyId: "LTAI5tFakeAccessKeyId0001",
  accessKeySecret: "8nPx2Q0wFakeAccessKeySecret7Zk",
};

/** Required and optional parameters of each action. */
const actions: Readonly<Record<string, readonly [required: readonly string[], optional: readonly string[]]>> = {
  DescribeDomainInfo: [["DomainName"], ["Lang", "UserClientIp", "NeedDetailAttributes"]],
  DescribeDomains: [[], ["KeyWord", "GroupId", "PageNumber", "PageSize", "SearchMode", "Lang", "UserClientIp"]],
  DescribeSubDomainRecords: [
    ["SubDomain"],
    ["DomainName", "Type", "Line", "PageNumber", "PageSize", "Lang", "UserClientIp"],
  ],
  AddDomainRecord: [
    ["DomainName", "RR", "Type", "Value"],
    ["TTL", "Line", "Priority", "Remark", "Lang", "UserClientIp"],
  ],
  DeleteDomainRecord: [["RecordId"], ["Lang", "UserClientIp"]],
};

class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The RPC API of 2015-01-09 behind the gateway that verifies signatures. */
export async function startAlidns(
  apexes: readonly DomainName[],
  { minTtl = 600, onlyUnicode = false, key = defaultKey, keys: temporary = [] }: AlidnsOptions = {},
): Promise<AlidnsFake> {
  const zones = new Map(apexes.map((apex): [string, StoredZone] => [apex, { apex, records: [] }]));
  const keys = [key];
  const nonces = new Set<string>();
  const requestIds: string[] = [];
  const refusals = new Map<string, Refused>();
  let only: DomainName | undefined;
  let ids = 9_000_000_000;

  const handle = (request: FakeRequest): FakeReply => {
    const RequestId = randomUUID().toUpperCase();
    requestIds.push(RequestId);
    const headers = { "x-acs-request-id": RequestId };
    try {
      const refusal = verifyAcs3(request, [...keys, ...temporary], nonces);
      if (refusal !== undefined) throw new Refused(refusal.status, refusal.code, refusal.message);
      return { headers, body: { RequestId, ...checked(request) } };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { status, code: Code, message: Message } = error;
      const Recommend = `https://api.alibabacloud.com/troubleshoot?q=${Code}&product=Alidns&requestId=${RequestId}`;
      return { status, headers, body: { RequestId, HostId: request.headers.host, Code, Message, Recommend } };
    }
  };

  const checked = ({ method, path, headers, query, body }: FakeRequest): Readonly<Record<string, unknown>> => {
    const action = String(headers["x-acs-action"]);
    const [required, optional] = actions[action] ?? [];
    if (required === undefined || optional === undefined || headers["x-acs-version"] !== "2015-01-09") {
      throw new Refused(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.");
    }
    if (!["GET", "POST"].includes(method) || path !== "/" || body !== "") {
      throw new Refused(400, "UnsupportedHTTPMethod", "This http method is not supported.");
    }
    const refusal = refusals.get(action);
    if (refusal !== undefined) throw refusal;
    const missing = required.find((name) => (query.get(name) ?? "") === "");
    if (missing !== undefined) throw new Refused(400, `Missing${missing}`, `${missing} is mandatory for this action.`);
    const unknown = [...query.keys()].find((name) => !required.includes(name) && !optional.includes(name));
    if (unknown !== undefined) throw new Refused(400, "InvalidParameter", `The parameter ${unknown} is not known.`);
    return run[action]?.(query) ?? {};
  };

  const zoneOf = (name: string): StoredZone => {
    if (/(^|\.)_/.test(name) && !zones.has(name)) {
      throw new Refused(400, "InvalidDomainName.Format", "The format of the specified domain name is invalid.");
    }
    const zone = onlyUnicode && /(^|\.)xn--/.test(name) ? undefined : zones.get(parseName(name));
    if (zone === undefined) {
      throw new Refused(400, "InvalidDomainName.NoExist", "The specified domain name does not exist.");
    }
    if (only !== undefined && zone.apex !== only) {
      throw new Refused(403, "Forbidden.RAM", "User not authorized to operate on the specified resource.");
    }
    return zone;
  };

  const nameOf = ({ apex }: StoredZone) => domainToUnicode(apex) || apex;

  const run: Readonly<Record<string, (query: URLSearchParams) => Readonly<Record<string, unknown>>>> = {
    DescribeDomainInfo(query) {
      const zone = zoneOf(query.get("DomainName") ?? "");
      return { DomainId: "00efd71a-770e-4255-b54e-6fe5659baffe", DomainName: nameOf(zone), PunyCode: zone.apex };
    },
    DescribeDomains(query) {
      const [size, number] = [Number(query.get("PageSize") ?? 20), Number(query.get("PageNumber") ?? 1)];
      if (!(size >= 1 && size <= 100 && number >= 1))
        throw new Refused(400, "InvalidParameter", "PageSize is invalid.");
      const seen = [...zones.values()].filter(({ apex }) => only === undefined || apex === only);
      const Domain = seen
        .slice((number - 1) * size, number * size)
        .map((zone) => ({ DomainName: nameOf(zone), PunyCode: zone.apex }));
      return { TotalCount: seen.length, PageNumber: number, PageSize: size, Domains: { Domain } };
    },
    DescribeSubDomainRecords(query) {
      const zone = zoneOf(query.get("DomainName") ?? "");
      const [size, number] = [Number(query.get("PageSize") ?? 20), Number(query.get("PageNumber") ?? 1)];
      if (!(size >= 1 && size <= 100 && number >= 1))
        throw new Refused(400, "InvalidParameter", "PageSize is invalid.");
      const RR = relativeTo(parseName(query.get("SubDomain") ?? ""), zone.apex);
      const found = zone.records.filter(
        (r) => r.RR === RR && (query.get("Type") === null || r.Type === query.get("Type")?.toUpperCase()),
      );
      const page = found.slice((number - 1) * size, number * size);
      const Record = page.map((r) => ({
        ...r,
        DomainName: nameOf(zone),
        Status: r.off === true ? "DISABLE" : "ENABLE",
        Locked: false,
      }));
      return { TotalCount: found.length, PageNumber: number, PageSize: size, DomainRecords: { Record } };
    },
    AddDomainRecord(query) {
      const zone = zoneOf(query.get("DomainName") ?? "");
      const [RR = "", Type = "", Value = "", Line = "default"] = ["RR", "Type", "Value", "Line"].map(
        (name) => query.get(name) ?? undefined,
      );
      const TTL = Number(query.get("TTL") ?? 600);
      if (!(TTL >= minTtl && TTL <= 86_400)) {
        throw new Refused(
          400,
          "QuotaExceeded.TTL",
          `The TTL value ${TTL} is out of the range of the domain's edition.`,
        );
      }
      const at = zone.records.filter((r) => r.RR === RR && r.Line === Line);
      if (at.some((r) => r.Type === Type && r.Value === Value)) {
        throw new Refused(400, "DomainRecordDuplicate", "The DNS record already exists.");
      }
      if (at.some((r) => (r.Type === "CNAME") !== (Type === "CNAME"))) {
        throw new Refused(400, "DomainRecordConflict", "The DNS record conflicts with other DNS records.");
      }
      const RecordId = String(++ids);
      zone.records = [...zone.records, { RecordId, RR, Type, Value, TTL, Line }];
      return { RecordId };
    },
    DeleteDomainRecord(query) {
      const id = query.get("RecordId") ?? "";
      const zone = [...zones.values()].find(({ records }) => records.some(({ RecordId }) => RecordId === id));
      if (zone === undefined) {
        throw new Refused(400, "DomainRecordNotBelongToUser", "The DNS record does not exist in your account.");
      }
      zone.records = zone.records.filter(({ RecordId }) => RecordId !== id);
      return { RecordId: id };
    },
  };

  const http = await startHttpService({
    handle,
    operationOf: ({ headers }) => {
      const operation = String(headers["x-acs-action"]);
      return { operation, write: /^(Add|Delete)/.test(operation) };
    },
    throttleReply: (_request, retryAfterSeconds) => ({
      status: 400,
      headers: retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) },
      body: {
        RequestId: randomUUID(),
        Code: "Throttling.User",
        Message: "Request was denied due to user flow control.",
      },
    }),
  });

  const stored = (apex: DomainName): StoredZone => {
    const zone = zones.get(apex);
    if (zone === undefined) throw new Error(`no zone ${apex}`);
    return zone;
  };
  const recordsAt = (apex: DomainName, fqdn: DomainName) =>
    stored(apex).records.filter(({ RR }) => RR === relativeTo(fqdn, apex));
  const txtAt = (apex: DomainName, fqdn: DomainName) => recordsAt(apex, fqdn).filter(({ Type }) => Type === "TXT");
  const add = (apex: DomainName, fqdn: DomainName, record: Partial<StoredRecord>) => {
    const usual = { Type: "TXT", Value: "", TTL: 600, Line: "default" };
    const whole = { RecordId: String(++ids), RR: relativeTo(fqdn, apex), ...usual, ...record };
    stored(apex).records = [...stored(apex).records, whole];
  };
  return {
    http,
    config: {
      accessKey: key.accessKeyId,
      secretKey: key.accessKeySecret,
      ...(key.securityToken === undefined ? {} : { securityToken: key.securityToken }),
      endpoint: http.url,
    },
    recordsAt,
    add,
    refuse: (action, status, code, message) => void refusals.set(action, new Refused(status, code, message)),
    values: (apex, fqdn) => txtAt(apex, fqdn).map(({ Value }) => Value),
    put: (apex, fqdn, values, TTL) => {
      for (const Value of values) add(apex, fqdn, { Value, TTL });
    },
    putOtherType: (apex, fqdn) => {
      add(apex, fqdn, { Type: "A", Value: "192.0.2.1" });
      return () => recordsAt(apex, fqdn).some(({ Type }) => Type === "A");
    },
    ttlSeconds: (apex, fqdn) => txtAt(apex, fqdn)[0]?.TTL,
    refuseCredentials: () => void keys.splice(0, 1, { ...key, accessKeySecret: "another" }),
    limitTo: (apex) => {
      only = apex;
    },
    requestIds: () => requestIds,
  };
}
