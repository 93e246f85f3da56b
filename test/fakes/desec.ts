import type { DomainName } from "../../src/core/name.ts";
import { decodeTxt, encodeTxt } from "../../src/testing/index.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";

export interface DesecRRset {
  readonly subname: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly string[];
}

export interface DesecDomain {
  readonly name: string;
  minimumTtl: number;
  readonly rrsets: DesecRRset[];
}

export interface DesecFake extends AdapterFake {
  domain(apex: string): DesecDomain;
  /** Tokens; a restricted one may write below these domains only, and read all. */
  readonly tokens: Map<string, ReadonlySet<string> | undefined>;
}

export const token = "i-T3b1h_OI-H9ab8tRS98stGtURe";

/** deSEC's API v1: domains, and RRsets in bulk. */
export async function startDesecFake(apexes: readonly DomainName[]): Promise<DesecFake> {
  const domains = apexes.map((name): DesecDomain => ({ name, minimumTtl: 3600, rrsets: [] }));
  const tokens = new Map<string, ReadonlySet<string> | undefined>([[token, undefined]]);
  let visible: string | undefined;

  const domainOf = (apex: string): DesecDomain => {
    const domain = domains.find(({ name }) => name === apex);
    if (domain === undefined) throw new Error(`no domain ${apex}`);
    return domain;
  };
  const at = (apex: string, fqdn: string, type = "TXT") =>
    domainOf(apex).rrsets.find((rrset) => fqdnOf(domainOf(apex), rrset) === fqdn && rrset.type === type);
  const set = ({ rrsets }: DesecDomain, rrset: DesecRRset) => {
    const index = rrsets.findIndex(({ subname, type }) => subname === rrset.subname && type === rrset.type);
    const next = rrset.records.length === 0 ? [] : [rrset];
    if (index >= 0) rrsets.splice(index, 1, ...next);
    else rrsets.push(...next);
  };

  const handle = (request: FakeRequest): FakeReply => {
    const { method, path, headers, query } = request;
    const given = /^Token (\S+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
    if (!tokens.has(given)) return { status: 401, body: { detail: "Invalid token." } };
    if (!path.endsWith("/")) {
      return method === "GET"
        ? { status: 301, headers: { location: `${path}/` } }
        : { status: 500, body: "APPEND_SLASH" };
    }
    const [, api, version, root, name = "", kind = "", subname = "", type = "", ...rest] = path
      .split("/")
      .map(decodeURIComponent);
    if (api !== "api" || version !== "v1" || root !== "domains" || rest.length > 1) return notFound;
    const seen = domains.filter((one) => visible === undefined || one.name === visible);
    if (name === "" && method === "GET") return listDomains(seen, query);
    const domain = seen.find((one) => one.name === name);
    if (domain === undefined) return notFound;
    if (kind === "") return method === "GET" ? { body: domainBody(domain) } : notAllowed(method);
    if (kind !== "rrsets") return notFound;
    if (subname !== "") {
      const wanted = subname === "@" ? "" : subname.replace(/\.\.\.$/, "");
      const rrset = domain.rrsets.find((one) => one.subname === wanted && one.type === type);
      if (method !== "GET") return notAllowed(method);
      return rrset === undefined ? notFound : { body: rrsetBody(domain, rrset) };
    }
    if (method !== "PATCH") return notAllowed(method);
    const allowed = tokens.get(given);
    if (allowed !== undefined && !allowed.has(domain.name)) {
      return { status: 403, body: { detail: "Insufficient token permissions." } };
    }
    return patch(request, domain);
  };

  const patch = ({ body, headers }: FakeRequest, domain: DesecDomain): FakeReply => {
    if (!headers["content-type"]?.startsWith("application/json")) {
      return { status: 415, body: { detail: `Unsupported media type "${headers["content-type"]}" in request.` } };
    }
    const items: unknown = JSON.parse(body);
    if (!Array.isArray(items)) {
      return { status: 400, body: { non_field_errors: ["Expected a list of items but got dict."] } };
    }
    const wanted = items as readonly Partial<DesecRRset>[];
    const faults = wanted.map((item) => faultsOf(item, wanted, domain));
    if (faults.some((fault) => Object.keys(fault).length > 0)) return { status: 400, body: faults };
    const changed = wanted.map(({ subname = "", type = "", ttl, records = [] }): DesecRRset => {
      const before = domain.rrsets.find((one) => one.subname === subname && one.type === type);
      return { subname, type, ttl: ttl ?? before?.ttl ?? domain.minimumTtl, records: records.map(canonical) };
    });
    for (const rrset of changed) set(domain, rrset);
    return { body: changed.filter(({ records }) => records.length > 0).map((rrset) => rrsetBody(domain, rrset)) };
  };

  const http = await startHttpService({
    operationOf: ({ method, path }) => ({
      operation: `${method} ${path.replace("/api/v1", "")}`,
      write: method !== "GET",
    }),
    handle,
    throttleReply: (_request, seconds) => ({
      status: 429,
      headers: seconds === undefined ? {} : { "retry-after": String(seconds) },
      // The seconds differ from one moment to the next.
      body: { detail: `Request was throttled. Expected available in ${1 + Math.floor(Math.random() * 99)} seconds.` },
    }),
  });

  return {
    http,
    domain: domainOf,
    tokens,
    config: { token, endpoint: http.url },
    values: (apex, fqdn) => (at(apex, fqdn)?.records ?? []).map((record) => decodeTxt(record) ?? record),
    put: (apex, fqdn, values, ttl) => {
      const domain = domainOf(apex);
      const there = at(apex, fqdn);
      const records = [...(there?.records ?? []), ...values.map(encodeTxt)];
      set(domain, { subname: subnameOf(domain, fqdn), type: "TXT", ttl: there?.ttl ?? ttl, records });
      // Foreign sets may be older than the limit.
      domain.minimumTtl = Math.min(domain.minimumTtl, ttl);
    },
    putOtherType: (apex, fqdn) => {
      const domain = domainOf(apex);
      set(domain, { subname: subnameOf(domain, fqdn), type: "A", ttl: 3600, records: ["192.0.2.1"] });
      return () => at(apex, fqdn, "A") !== undefined;
    },
    ttlSeconds: (apex, fqdn) => at(apex, fqdn)?.ttl,
    refuseCredentials: () => tokens.clear(),
    limitTo: (apex) => {
      visible = apex;
    },
  };
}

const notFound: FakeReply = { status: 404, body: { detail: "Not found." } };

function notAllowed(method: string): FakeReply {
  return { status: 405, body: { detail: `Method "${method}" not allowed.` } };
}

function listDomains(domains: readonly DesecDomain[], query: URLSearchParams): FakeReply {
  const qname = query.get("owns_qname");
  if (qname === null) return { body: domains.map(domainBody) };
  const owning = domains.filter(({ name }) => qname === name || qname.endsWith(`.${name}`));
  return {
    body: owning
      .sort((a, b) => b.name.length - a.name.length)
      .slice(0, 1)
      .map(domainBody),
  };
}

/** As the serializers say it: by field, `{}` when all is well. */
function faultsOf(
  item: Partial<DesecRRset>,
  all: readonly Partial<DesecRRset>[],
  { name, minimumTtl, rrsets }: DesecDomain,
): Readonly<Record<string, readonly string[]>> {
  const { subname = "", type, ttl, records } = item;
  if (typeof subname !== "string" || !/^[a-z0-9_.*-]*$/.test(subname)) {
    return {
      subname: ["Subname can only use (lowercase) a-z, 0-9, ., -, and _, may start with a '*.', or just be '*'."],
    };
  }
  if (subname.length > 178 || subname.length + name.length > 254) return { subname: ["Ensure this field is shorter."] };
  if (type !== "TXT") return { type: [`The ${type} RR set type is currently unsupported.`] };
  if (all.filter((other) => (other.subname ?? "") === subname && other.type === type).length > 1) {
    return { non_field_errors: ["Same subname and type as in position(s) 0, but must be unique."] };
  }
  const known = rrsets.some((one) => one.subname === subname && one.type === type);
  const creates = !known && records?.length !== 0;
  if (creates && (ttl === undefined || records === undefined)) return { ttl: ["This field is required."] };
  if (ttl !== undefined && (!Number.isInteger(ttl) || ttl < minimumTtl)) {
    return { ttl: [`Ensure this value is greater than or equal to ${minimumTtl}.`] };
  }
  if (records?.length !== 0 && rrsets.some((one) => one.subname === subname && one.type === "CNAME")) {
    const rest = "(No other RRsets are allowed alongside CNAME.)";
    return { non_field_errors: [`RRset with conflicting type present: database (CNAME). ${rest}`] };
  }
  if (records?.some((record) => !/^("([^"\\]|\\.)*"( |$))+$/.test(record))) {
    return { non_field_errors: ["Cannot parse record contents: unknown escape or unbalanced quotes."] };
  }
  if (new Set(records?.map(canonical)).size !== (records?.length ?? 0)) {
    return { non_field_errors: ["Duplicate: records must be semantically unique"] };
  }
  return {};
}

/** Strings as they were cut, those that are too long for one cut further, octets outside of ASCII as decimals. */
function canonical(record: string): string {
  const strings = [...record.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].flatMap(([, inside = ""]) => {
    const octets = inside.match(/\\\d{3}|\\.|[^\\]/gs) ?? [];
    const parts: string[] = [];
    for (let at = 0; at === 0 || at < octets.length; at += 255) parts.push(octets.slice(at, at + 255).join(""));
    return parts;
  });
  return strings.map((text) => `"${text}"`).join(" ");
}

function subnameOf({ name }: DesecDomain, fqdn: string): string {
  return fqdn === name ? "" : fqdn.slice(0, -name.length - 1);
}

function fqdnOf({ name }: DesecDomain, { subname }: DesecRRset): string {
  return subname === "" ? name : `${subname}.${name}`;
}

function domainBody({ name, minimumTtl }: DesecDomain) {
  const at = "2018-09-18T16:36:16.510368Z";
  return { created: at, published: at, touched: at, name, minimum_ttl: minimumTtl };
}

function rrsetBody(domain: DesecDomain, rrset: DesecRRset) {
  const at = "2019-09-18T16:32:16.510368Z";
  return { created: at, touched: at, domain: domain.name, name: `${fqdnOf(domain, rrset)}.`, ...rrset };
}
