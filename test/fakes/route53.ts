import { randomUUID } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type FakeReply, type FakeRequest, startHttpService } from "./http-service.ts";
import { InvalidRequest, namespace, readChanges, storedName, writeSet } from "./route53-requests.ts";
import { BatchRefused, changeSets, type StoredSet, txtStrings, txtText } from "./route53-sets.ts";
import { checkSignature, isRefusal, type SigningKey } from "./sigv4.ts";
import { escapeXml, xml } from "./xml.ts";

export type { StoredSet } from "./route53-sets.ts";

export interface Route53Options {
  /** Which region signatures have to be for. Default us-east-1. */
  readonly region?: string;
  /** Default one, of `config`. */
  readonly keys?: readonly SigningKey[];
  /** Most entries in a page, whatever the client asks for. Default 2. */
  readonly pageSize?: number;
  /** How often a change is PENDING before it is INSYNC. Default 1. */
  readonly pendingPolls?: number;
  /** Of the service, in milliseconds. */
  readonly now?: () => number;
  /** InvalidChangeBatch as a document of its own, as older answers have it, instead of an ErrorResponse. */
  readonly bareChangeBatchErrors?: boolean;
  /** Refuse to create a set that equals one that was ever created, as moto does. */
  readonly remembersCreates?: boolean;
}

export interface Route53Fake extends AdapterFake {
  /** One more zone; returns its id. */
  addZone(apex: DomainName, options?: { readonly isPrivate?: boolean }): string;
  zoneId(apex: DomainName): string;
  /** All sets of the zone as they are stored. */
  sets(zoneId: string): readonly StoredSet[];
  putSet(zoneId: string, set: Omit<StoredSet, "name"> & { readonly name: DomainName }): void;
  /** Another client's write: a simple set with exactly these values instead of all TXT sets of the name; none for []. */
  replaceTxt(zoneId: string, fqdn: DomainName, values: readonly string[], ttl?: number): void;
  /** From now on these actions ("ListHostedZonesByName") are forbidden to the credentials. */
  deny(...actions: readonly string[]): void;
}

interface HostedZone {
  readonly id: string;
  /** With a dot at the end. */
  readonly apex: string;
  readonly isPrivate: boolean;
  sets: StoredSet[];
}

export const route53Key: SigningKey = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/** Route 53, API 2013-04-01, as far as TXT records need it; its rules for change batches are in route53-sets.ts. */
export async function startRoute53(apexes: readonly DomainName[], options: Route53Options = {}): Promise<Route53Fake> {
  const { region = "us-east-1", keys = [route53Key], pageSize = 2, pendingPolls = 1 } = options;
  const zones: HostedZone[] = [];
  const changes = new Map<string, number>();
  const denied = new Set<string>();
  const created = options.remembersCreates ? new Set<string>() : undefined;
  const requestIds: string[] = [];
  let accepted = true;
  let only: DomainName | undefined;

  const addZone: Route53Fake["addZone"] = (name, { isPrivate = false } = {}) => {
    const id = `Z${String(zones.length + 1).padStart(12, "0")}EXAMPLE`;
    const apex = storedName(name);
    const base = { name: apex, ttl: 900 };
    const sets: StoredSet[] = [
      { ...base, type: "A", values: ["192.0.2.1"] },
      { ...base, type: "NS", values: ["ns-1.awsdns-00.example.", "ns-2.awsdns-00.example."] },
      { ...base, type: "SOA", values: ["ns-1.awsdns-00.example. hostmaster.example. 1 7200 900 1209600 86400"] },
    ];
    zones.push({ id, apex, isPrivate, sets });
    sortedZones = undefined;
    return id;
  };
  let sortedZones: readonly HostedZone[] | undefined;
  for (const apex of apexes) addZone(apex);

  const zoneOf = (id: string): HostedZone => {
    const zone = zones.find((z) => z.id === id);
    if (zone === undefined) throw new ServiceError(404, "NoSuchHostedZone", `No hosted zone found with ID: ${id}`);
    return zone;
  };
  const byApex = (apex: DomainName): HostedZone => {
    const zone = zones.find((z) => z.apex === storedName(apex));
    if (zone === undefined) throw new Error(`the fake has no zone ${apex}`);
    return zone;
  };

  const actions: Readonly<Record<string, (request: FakeRequest, id: string) => string>> = {
    ListHostedZonesByName({ query }) {
      const dnsName = query.get("dnsname");
      const from = query.get("hostedzoneid");
      if (from !== null && dnsName === null) throw new InvalidRequest("hostedzoneid needs dnsname");
      sortedZones ??= [...zones].sort((a, b) => compareNames(a.apex, b.apex) || compare(a.id, b.id));
      const start = dnsName === null ? undefined : storedName(dnsName);
      const first = sortedZones.findIndex((zone) => {
        const order = start === undefined ? 1 : compareNames(zone.apex, start);
        return order > 0 || (order === 0 && (from === null || zone.id >= from));
      });
      const rest = first < 0 ? [] : sortedZones.slice(first, first + 101);
      const { page, next, maxItems } = paged(rest, query, pageSize);
      const list = page.map(
        ({ id, apex, isPrivate, sets }) =>
          `<HostedZone>${xml("Id", `/hostedzone/${id}`)}${xml("Name", apex)}${xml("CallerReference", id)}` +
          `<Config>${xml("PrivateZone", isPrivate)}</Config>${xml("ResourceRecordSetCount", sets.length)}</HostedZone>`,
      );
      return document("ListHostedZonesByNameResponse", [
        `<HostedZones>${list.join("")}</HostedZones>`,
        xml("DNSName", start),
        xml("HostedZoneId", from ?? undefined),
        xml("IsTruncated", next !== undefined),
        xml("NextDNSName", next?.apex),
        xml("NextHostedZoneId", next?.id),
        xml("MaxItems", maxItems),
      ]);
    },

    ListResourceRecordSets({ query }, id) {
      const { sets } = zoneOf(id);
      const [name, type, identifier] = ["name", "type", "identifier"].map((key) => query.get(key));
      if (type != null && name == null) throw new InvalidRequest("The type parameter needs the name parameter");
      if (identifier != null && type == null)
        throw new InvalidRequest("The identifier parameter needs the type parameter");
      const start =
        name == null ? undefined : { name: storedName(name), type: type ?? "", identifier: identifier ?? "" };
      const sorted = [...sets].sort(compareSets).filter((set) => start === undefined || compareSets(set, start) >= 0);
      const { page, next, maxItems } = paged(sorted, query, pageSize);
      return document("ListResourceRecordSetsResponse", [
        `<ResourceRecordSets>${page.map(writeSet).join("")}</ResourceRecordSets>`,
        xml("IsTruncated", next !== undefined),
        xml("NextRecordName", next?.name),
        xml("NextRecordType", next?.type),
        xml("NextRecordIdentifier", next?.identifier),
        xml("MaxItems", maxItems),
      ]);
    },

    ChangeResourceRecordSets({ body }, id) {
      const zone = zoneOf(id);
      zone.sets = changeSets(zone.apex, zone.sets, readChanges(body), created);
      const changeId = `C${String(changes.size + 1).padStart(13, "0")}`;
      changes.set(changeId, 0);
      return document("ChangeResourceRecordSetsResponse", [changeInfo(changeId, "PENDING")]);
    },

    GetHostedZone(_request, id) {
      const { apex, isPrivate } = zoneOf(id);
      const zone = `${xml("Id", `/hostedzone/${id}`)}${xml("Name", apex)}${xml("CallerReference", id)}`;
      const config = `<Config>${xml("PrivateZone", isPrivate)}</Config>`;
      return document("GetHostedZoneResponse", [`<HostedZone>${zone}${config}</HostedZone>`]);
    },

    GetChange(_request, id) {
      const polls = changes.get(id);
      if (polls === undefined) throw new ServiceError(404, "NoSuchChange", `A change with id ${id} does not exist`);
      changes.set(id, polls + 1);
      return document("GetChangeResponse", [changeInfo(id, polls < pendingPolls ? "PENDING" : "INSYNC")]);
    },
  };

  const handle = (request: FakeRequest): FakeReply => {
    const requestId = randomUUID();
    requestIds.push(requestId);
    const date = options.now === undefined ? {} : { date: new Date(options.now()).toUTCString() };
    const headers = { "content-type": "text/xml", "x-amzn-requestid": requestId, ...date };
    try {
      const { action, id } = route(request);
      const signed = checkSignature(request, { keys: accepted ? keys : [], region, service: "route53", ...options });
      if (isRefusal(signed)) throw new ServiceError(signed.status, signed.code, signed.message);
      if (denied.has(action)) throw new ServiceError(403, "AccessDenied", forbidden(action));
      const run = actions[action];
      if (only !== undefined && id !== "" && id !== byApex(only).id && action !== "GetChange") {
        throw new ServiceError(403, "AccessDenied", forbidden(action));
      }
      if (run === undefined) throw new ServiceError(404, "UnknownOperation", `no operation at ${request.path}`);
      return { headers, body: run(request, id) };
    } catch (error) {
      if (error instanceof BatchRefused && options.bareChangeBatchErrors) {
        const list = error.messages.map((message) => xml("Message", message)).join("");
        const parts = [`<Messages>${list}</Messages>`, xml("RequestId", requestId)];
        return { status: 400, headers, body: document("InvalidChangeBatch", parts) };
      }
      const known = serviceError(error);
      if (known === undefined) throw error;
      return { status: known.status, headers, body: errorDocument(known.code, known.message, requestId) };
    }
  };

  const http = await startHttpService({
    operationOf: (request) => {
      const { action } = route(request);
      return { operation: action, write: action === "ChangeResourceRecordSets", poll: action === "GetChange" };
    },
    throttleReply: (_request, retryAfterSeconds) => ({
      status: 400,
      headers: {
        "content-type": "text/xml",
        ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
      },
      body: errorDocument("Throttling", "Rate exceeded", randomUUID()),
    }),
    handle,
  });

  const txtAt = (apex: DomainName, fqdn: DomainName) =>
    byApex(apex).sets.filter(({ name, type }) => name === storedName(fqdn) && type === "TXT");
  const putSet: Route53Fake["putSet"] = (zoneId, set) => {
    const zone = zoneOf(zoneId);
    zone.sets = [...zone.sets, { ...set, name: storedName(set.name) }];
  };

  return {
    http,
    config: {
      accessKeyID: route53Key.accessKeyId,
      secretAccessKey: route53Key.secretAccessKey,
      endpoint: http.url,
    },
    values: (apex, fqdn) => txtAt(apex, fqdn).flatMap(({ values }) => values.map(plainValue)),
    /** Joins the set that stands there, as other clients do. */
    put(apex, fqdn, values, ttl) {
      const zone = byApex(apex);
      const stands = txtAt(apex, fqdn)[0];
      const more = values.map(txtText);
      zone.sets = zone.sets.filter((set) => set !== stands);
      putSet(zone.id, { name: fqdn, type: "TXT", ttl, values: [...(stands?.values ?? []), ...more] });
    },
    putOtherType(apex, fqdn) {
      const zone = byApex(apex);
      putSet(zone.id, { name: fqdn, type: "MX", ttl: 60, values: ["10 mail.example."] });
      const placed = zone.sets.at(-1);
      return () => placed !== undefined && byApex(apex).sets.includes(placed);
    },
    ttlSeconds: (apex, fqdn) => txtAt(apex, fqdn)[0]?.ttl,
    refuseCredentials() {
      accepted = false;
    },
    /** As a policy does that names one hosted zone: the list of all of them is shown none the less. */
    limitTo(apex) {
      only = apex;
    },
    requestIds: () => requestIds,
    replaceTxt(zoneId, fqdn, values, ttl = 60) {
      const zone = zoneOf(zoneId);
      zone.sets = zone.sets.filter(({ name, type }) => name !== storedName(fqdn) || type !== "TXT");
      if (values.length > 0) putSet(zoneId, { name: fqdn, type: "TXT", ttl, values });
    },
    addZone,
    zoneId: (apex) => byApex(apex).id,
    sets: (zoneId) => zoneOf(zoneId).sets,
    putSet,
    deny: (...names) => {
      for (const name of names) denied.add(name);
    },
  };
}

class ServiceError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function serviceError(error: unknown): { status: number; code: string; message: string } | undefined {
  if (error instanceof ServiceError) return error;
  if (error instanceof InvalidRequest) return { status: 400, code: error.code, message: error.message };
  if (error instanceof BatchRefused) return { status: 400, code: "InvalidChangeBatch", message: error.message };
  return undefined;
}

function route({ method, path }: FakeRequest): { readonly action: string; readonly id: string } {
  const [, version, resource, id = "", rest] = path.split("/").map(decodeURIComponent);
  const action =
    version !== "2013-04-01"
      ? undefined
      : {
          "GET hostedzonesbyname": "ListHostedZonesByName",
          "GET hostedzone rrset": "ListResourceRecordSets",
          "POST hostedzone rrset": "ChangeResourceRecordSets",
          "GET hostedzone": "GetHostedZone",
          "GET change": "GetChange",
        }[[method, resource, rest].filter(Boolean).join(" ")];
  return { action: action ?? `${method} ${path}`, id };
}

function forbidden(action: string): string {
  const who = "arn:aws:iam::123456789012:user/dns01";
  return `User: ${who} is not authorized to perform: route53:${action} because no identity-based policy allows the route53:${action} action`;
}

function errorDocument(code: string, message: string, requestId: string): string {
  const error = `<Error><Type>Sender</Type>${xml("Code", code)}${xml("Message", message)}</Error>`;
  return document("ErrorResponse", [error, xml("RequestId", requestId)]);
}

function changeInfo(id: string, status: string): string {
  return `<ChangeInfo>${xml("Id", `/change/${id}`)}${xml("Status", status)}<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>`;
}

function document(root: string, parts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${escapeXml(namespace)}">${parts.join("")}</${root}>`;
}

function paged<T>(entries: readonly T[], query: URLSearchParams, most: number) {
  const asked = query.get("maxitems");
  if (asked !== null && !/^[1-9]\d{0,3}$/.test(asked)) throw new InvalidRequest(`maxitems is ${asked}`);
  const maxItems = Number(asked ?? 100);
  const size = Math.min(maxItems, most);
  return { page: entries.slice(0, size), next: entries[size], maxItems };
}

function plainValue(value: string): string {
  return Buffer.concat(txtStrings(value)).toString();
}

/** By reversed labels, as Route 53 lists. */
function compareNames(a: string, b: string): number {
  return compare(reversed(a), reversed(b));
}

function reversed(name: string): string {
  return name.replace(/\.$/, "").split(".").reverse().join(".");
}

function compareSets(a: Pick<StoredSet, "name" | "type" | "identifier">, b: typeof a): number {
  return compareNames(a.name, b.name) || compare(a.type, b.type) || compare(a.identifier ?? "", b.identifier ?? "");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
