import type { DnspodDomain, DnspodRecord, DnspodStore } from "./dnspod-store.ts";
import type { FakeReply, FakeRequest } from "./http-service.ts";

const words: Readonly<Record<string, string>> = {
  "1": "Action completed successful",
  "-2": "API usage is limited",
  "2": "Use POST method only",
  "6": "Domain id invalid",
  "8": "Record id invalid",
  "10": "No records",
  "13": "No domain found",
  "22": "Subdomain invalid",
  "25": "Record count limit exceeded",
  "500025": "子域名负载均衡数量超出限制",
  "26": "Record line invalid",
  "27": "Record type invalid",
  "32": "Record TTL is out of limit",
  "34": "Record value invalid",
  "83": "This account is locked",
  "104": "Record already exists",
  "10002": "Login token id error",
  "10003": "Login token not exists",
};

const common = ["login_token", "format", "lang", "error_on_empty", "user_id"];
const own: Readonly<Record<string, readonly string[]>> = {
  "Domain.List": ["type", "offset", "length", "group_id", "keyword"],
  "Domain.Info": ["domain", "domain_id"],
  "Record.List": [
    "domain",
    "domain_id",
    "sub_domain",
    "record_type",
    "record_line",
    "record_line_id",
    "offset",
    "length",
    "keyword",
  ],
  "Record.Create": [
    "domain",
    "domain_id",
    "sub_domain",
    "record_type",
    "record_line",
    "record_line_id",
    "value",
    "mx",
    "ttl",
    "status",
    "weight",
  ],
  "Record.Remove": ["domain", "domain_id", "record_id"],
};

/**
 * The API of dnsapi.cn: a form is posted to /Action, the answer is HTTP 200 with a status code that is a string.
 * @see https://docs.dnspod.cn/api/
 */
export function legacyReply(store: DnspodStore, loginToken: string, request: FakeRequest): FakeReply {
  const say = (code: string, more: Readonly<Record<string, unknown>> = {}): FakeReply => {
    const created_at = new Date().toISOString().slice(0, 19).replace("T", " ");
    return { body: { status: { code, message: words[code] ?? `error ${code}`, created_at }, ...more } };
  };
  const action = request.path.slice(1);
  const known = own[action];
  if (request.method !== "POST" || request.rawQuery !== "") return say("2");
  // "Program/version (contact)"; whoever sends something else is shut out.
  if (!/^[\w .-]+\/\d[\d.]* ?\(\S+@\S+\)$/.test(request.headers["user-agent"] ?? "")) return say("83");
  if (!request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) return say("6");
  const form = new URLSearchParams(request.body);
  if (form.get("format") !== "json") return { headers: { "content-type": "text/xml" }, body: "<dnspod/>" };
  const [givenId = "", givenToken = ""] = (form.get("login_token") ?? "").split(",");
  const [id, token] = loginToken.split(",");
  if (givenId !== id) return say("10002");
  if (givenToken !== token) return say("10003");
  if (known === undefined || [...form.keys()].some((key) => !known.includes(key) && !common.includes(key)))
    return say("6");

  if (action === "Domain.List") {
    const start = Number(form.get("offset") ?? 0);
    const own = store.domains.filter(({ foreign }) => !foreign);
    const page = own.slice(start, start + Number(form.get("length") ?? 3000));
    const domains = page.map(({ id, unicode, apex }) => ({ id, name: unicode, punycode: apex, grade: "DP_Free" }));
    return say("1", { info: { domain_total: own.length }, domains });
  }
  const domain = domainOf(store, form);
  if (typeof domain === "string") return say(domain);
  switch (action) {
    case "Domain.Info":
      return say("1", { domain: domainInfo(domain) });
    case "Record.List": {
      const start = Number(form.get("offset") ?? 0);
      const length = Math.min(Number(form.get("length") ?? 3000), store.options.pageCap, 3000);
      const found = store
        .listed(domain)
        .filter(({ name }) => name === (form.get("sub_domain") ?? name))
        .filter(({ type }) => type === (form.get("record_type") ?? type));
      const records = found.slice(start, start + length).map((record) => recordItem(record, store.options.lineIds));
      if (records.length === 0 && form.get("error_on_empty") !== "no") return say("10");
      const { id: domainId, unicode, apex } = domain;
      return say("1", {
        domain: { id: domainId, name: unicode, punycode: apex, grade: "DP_Free", owner: "ops@example.com", ttl: 600 },
        info: { sub_domains: "1", record_total: String(found.length), records_num: String(records.length) },
        records,
      });
    }
    case "Record.Create": {
      const made = create(store, domain, form);
      return typeof made === "string"
        ? say(made)
        : say("1", { record: { id: String(made.id), name: made.name, status: "enable" } });
    }
    default:
      return say(store.remove(domain, Number(form.get("record_id"))) ? "1" : "8");
  }
}

function domainOf(store: DnspodStore, form: URLSearchParams): DnspodDomain | string {
  const id = form.get("domain_id");
  if (id !== null) return store.domains.find((domain) => String(domain.id) === id) ?? "6";
  const name = form.get("domain") ?? "";
  return store.byName(name) ?? (name.includes("_") ? "6" : "13");
}

function domainInfo({ id, unicode, apex, minTtl }: DnspodDomain): Readonly<Record<string, unknown>> {
  return {
    id: String(id),
    name: unicode,
    punycode: apex,
    grade: "DP_Free",
    status: "enable",
    ext_status: "",
    records: "4",
    remark: false,
    is_vip: "no",
    ttl: String(minTtl),
    owner: "ops@example.com",
  };
}

function recordItem(record: DnspodRecord, lineIds: boolean): Readonly<Record<string, unknown>> {
  return {
    id: String(record.id),
    name: record.name,
    line: record.line.name,
    ...(lineIds ? { line_id: record.line.id } : {}),
    type: record.type,
    ttl: String(record.ttl),
    value: record.value,
    weight: null,
    mx: "0",
    enabled: record.isOff === true ? "0" : "1",
    status: record.isOff === true ? "disabled" : "enabled",
    monitor_status: "",
    remark: "",
    updated_on: new Date(record.createdAt).toISOString().slice(0, 19).replace("T", " "),
  };
}

const createFaults = { duplicate: "104", ttl: "32", roll: "500025", name: "22", value: "34", spam: "-15" } as const;

function create(store: DnspodStore, domain: DnspodDomain, form: URLSearchParams): DnspodRecord | string {
  const lineId = form.get("record_line_id");
  const line = store.lines.find(({ id, name }) => (lineId === null ? name === form.get("record_line") : id === lineId));
  if (line === undefined) return "26";
  if (form.get("record_type") !== "TXT") return "27";
  const made = store.create(domain, {
    name: form.get("sub_domain") ?? "@",
    type: "TXT",
    line,
    value: form.get("value") ?? "",
    ttl: Number(form.get("ttl") ?? 600),
  });
  return typeof made === "string" ? createFaults[made] : made;
}
