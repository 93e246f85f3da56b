import type { CreateFault, DnspodDomain, DnspodRecord, DnspodStore } from "./dnspod-store.ts";

/** A business error; the HTTP status stays 200. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string = code) {
    super(message);
    this.code = code;
  }
}

type Parameters = Readonly<Record<string, string | number | undefined>>;

/** Spelling differs between the actions: "Subdomain" here, "SubDomain" there. "!" marks what must be given. */
const parameters: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  DescribeDomain: { Domain: "string!", DomainId: "number" },
  DescribeDomainList: { Type: "string", Offset: "number", Limit: "number", GroupId: "number", Keyword: "string" },
  DescribeRecordList: {
    Domain: "string!",
    DomainId: "number",
    Subdomain: "string",
    RecordType: "string",
    RecordLine: "string",
    RecordLineId: "string",
    GroupId: "number",
    Keyword: "string",
    SortField: "string",
    SortType: "string",
    Offset: "number",
    Limit: "number",
    ErrorOnEmpty: "string",
  },
  CreateRecord: {
    Domain: "string!",
    RecordType: "string!",
    RecordLine: "string!",
    Value: "string!",
    DomainId: "number",
    SubDomain: "string",
    RecordLineId: "string",
    MX: "number",
    TTL: "number",
    Weight: "number",
    Status: "string",
    Remark: "string",
    DnssecConflictMode: "string",
    GroupId: "number",
  },
  DeleteRecord: { Domain: "string!", RecordId: "number!", DomainId: "number" },
};

/** What the gateway refuses before the product sees it. */
export function checkParameters(action: string, given: unknown): Parameters {
  const known = parameters[action];
  if (known === undefined) throw new ApiError("InvalidAction", `The action \`${action}\` is not found.`);
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw new ApiError("InvalidParameter");
  for (const [name, value] of Object.entries(given)) {
    const type = known[name]?.replace("!", "");
    if (type === undefined) {
      throw new ApiError("UnknownParameter", `The parameter \`${name}\` is not recognized.`);
    }
    const fits = type === "number" ? Number.isInteger(value) : typeof value === "string";
    if (!fits) throw new ApiError("InvalidParameter", `Parameter \`${name}\` should be ${type}.`);
  }
  for (const [name, type] of Object.entries(known)) {
    if (type.endsWith("!") && !(name in given)) {
      throw new ApiError("MissingParameter", `The request is missing a required parameter \`${name}\`.`);
    }
  }
  return given as Parameters;
}

/** The actions of the API that an adapter needs, without transport. */
export function runAction(store: DnspodStore, action: string, given: Parameters): Readonly<Record<string, unknown>> {
  if (action === "DescribeDomainList") return domainList(store, given);
  const domain = domainOf(store, given);
  switch (action) {
    case "DescribeDomain":
      return { DomainInfo: domainInfo(domain, store) };
    case "DescribeRecordList":
      return recordList(store, domain, given);
    case "CreateRecord":
      return { RecordId: create(store, domain, given).id };
    default:
      if (store.remove(domain, Number(given["RecordId"]))) return {};
      throw new ApiError("InvalidParameter.RecordIdInvalid", "记录编号错误。");
  }
}

function domainList(store: DnspodStore, { Offset = 0, Limit = 20 }: Parameters): Readonly<Record<string, unknown>> {
  const own = store.domains.filter(({ foreign }) => !foreign);
  const page = own.slice(Number(Offset), Number(Offset) + Number(Limit));
  const DomainList = page.map(({ id, unicode, apex, status }) => ({
    ...{ DomainId: id, Name: unicode, Punycode: apex, Status: status },
    ...{ Grade: "DP_FREE", TTL: 600 },
  }));
  return { DomainCountInfo: { DomainTotal: own.length, AllTotal: own.length }, DomainList };
}

function domainOf(store: DnspodStore, { Domain, DomainId }: Parameters): DnspodDomain {
  if (DomainId !== undefined) {
    const byId = store.domains.find(({ id }) => id === DomainId);
    if (byId === undefined) throw new ApiError("InvalidParameter.DomainIdInvalid", "域名编号不正确。");
    return byId;
  }
  const name = String(Domain);
  const domain = store.byName(name);
  if (domain?.foreign) throw new ApiError("OperationDenied.NoPermissionToOperateDomain", "当前域名无权限。");
  if (domain !== undefined) return domain;
  const plain = /^[^_\s]+\.[^_\s]+$/.test(name);
  throw plain
    ? new ApiError("InvalidParameterValue.DomainNotExists", "当前域名有误，请返回重新操作。")
    : new ApiError("InvalidParameter.DomainInvalid", "域名不正确，请输入主域名，如 dnspod.cn。");
}

function domainInfo(domain: DnspodDomain, store: DnspodStore): Readonly<Record<string, unknown>> {
  return {
    DomainId: domain.id,
    Domain: domain.unicode,
    Punycode: domain.apex,
    Status: domain.status,
    Grade: "DP_FREE",
    GradeLevel: 2,
    GradeTitle: "免费版",
    IsVip: "NO",
    TTL: 600,
    DnsStatus: "",
    DnspodNsList: ["f1g1ns1.dnspod.net", "f1g1ns2.dnspod.net"],
    ActualNsList: ["f1g1ns1.dnspod.net", "f1g1ns2.dnspod.net"],
    RecordCount: store.standing(domain).length,
    Owner: "qcloud_uin_100000000001@qcloud.com",
    Remark: "",
    VipStartAt: null,
    IsSubDomain: domain.unicode.split(".").length > 2,
    TagList: [],
  };
}

function recordList(store: DnspodStore, domain: DnspodDomain, given: Parameters): Readonly<Record<string, unknown>> {
  const { Subdomain, RecordType, RecordLine, RecordLineId, Offset = 0, Limit = 100, ErrorOnEmpty = "yes" } = given;
  if (Number(Offset) < 0) throw new ApiError("InvalidParameter.OffsetInvalid");
  if (Number(Limit) < 1 || Number(Limit) > 3000) throw new ApiError("InvalidParameterValue.LimitInvalid");
  const line = RecordLine === undefined && RecordLineId === undefined ? undefined : lineOf(store, given);
  const found = store
    .listed(domain)
    .filter(({ name }) => Subdomain === undefined || name === Subdomain)
    .filter(({ type }) => RecordType === undefined || type === RecordType)
    .filter(({ line: { id } }) => line === undefined || id === line.id);
  const start = Number(Offset);
  const page = found.slice(start, start + Math.min(Number(Limit), store.options.pageCap));
  if (page.length === 0 && ErrorOnEmpty !== "no") {
    throw new ApiError("ResourceNotFound.NoDataOfRecord", "记录列表为空。");
  }
  return {
    RecordCountInfo: {
      SubdomainCount: new Set(found.map(({ name }) => name)).size,
      ListCount: page.length,
      TotalCount: found.length,
    },
    RecordList: page.map(recordItem),
  };
}

function recordItem(record: DnspodRecord): Readonly<Record<string, unknown>> {
  return {
    RecordId: record.id,
    Value: record.value,
    Status: record.isOff === true ? "DISABLE" : "ENABLE",
    UpdatedOn: new Date(record.createdAt).toISOString().slice(0, 19).replace("T", " "),
    Name: record.name,
    Line: record.line.name,
    LineId: record.line.id,
    Type: record.type,
    Weight: null,
    MonitorStatus: "",
    Remark: "",
    TTL: record.ttl,
    MX: 0,
    DefaultNS: record.type === "NS",
  };
}

function lineOf(store: DnspodStore, { RecordLine, RecordLineId }: Parameters) {
  const line = store.lines.find(({ id, name }) =>
    RecordLineId === undefined ? name === RecordLine : id === RecordLineId,
  );
  if (line === undefined) throw new ApiError("InvalidParameter.RecordLineInvalid", "记录线路不正确。");
  return line;
}

const createFaults: Readonly<Record<CreateFault, readonly [code: string, message: string]>> = {
  duplicate: ["InvalidParameter.DomainRecordExist", "记录已经存在，无需再次添加。"],
  ttl: ["LimitExceeded.RecordTtlLimit", "记录的 TTL 值超出了限制。"],
  roll: ["LimitExceeded.SubdomainRollLimit", "子域名负载均衡数量超出限制。"],
  name: ["InvalidParameter.SubdomainInvalid", "子域名不正确。"],
  value: ["InvalidParameter.RecordValueLengthInvalid", "解析记录值过长。"],
  spam: ["FailedOperation.DomainIsSpam", "封禁域名不能进行此操作。"],
};

function create(store: DnspodStore, domain: DnspodDomain, given: Parameters): DnspodRecord {
  const { SubDomain = "@", RecordType, Value, TTL = 600 } = given;
  if (RecordType !== "TXT") throw new ApiError("InvalidParameter.RecordTypeInvalid", "记录类型不正确。");
  const made = store.create(domain, {
    name: String(SubDomain),
    type: RecordType,
    line: lineOf(store, given),
    value: String(Value),
    ttl: Number(TTL),
  });
  if (typeof made === "string") throw new ApiError(...createFaults[made]);
  return made;
}
