import type { SetChange, StoredSet } from "./route53-sets.ts";
import { parseXml, textOf, type XmlElement, xml } from "./xml.ts";

export const namespace = "https://route53.amazonaws.com/doc/2013-04-01/";

/** The body is not what the API's schema allows; status 400, code InvalidInput or MalformedXML. */
export class InvalidRequest extends Error {
  readonly code: string;

  constructor(message: string, code = "InvalidInput") {
    super(message);
    this.code = code;
  }
}

const setMembers = [
  "Name",
  "Type",
  "SetIdentifier",
  "Weight",
  "Region",
  "Failover",
  "MultiValueAnswer",
  "TTL",
  "ResourceRecords",
  "AliasTarget",
  "HealthCheckId",
];

/** The changes of a ChangeResourceRecordSets request; what the schema does not know is refused. */
export function readChanges(body: string): readonly SetChange[] {
  const root = parse(body);
  if (root.name !== "ChangeResourceRecordSetsRequest") throw malformed(`unexpected element ${root.name}`);
  if (root.attributes["xmlns"] !== namespace) throw malformed("the namespace is missing");
  const batch = only(root, "ChangeBatch", ["ChangeBatch"]);
  known(batch, ["Comment", "Changes"]);
  if ((textOf(batch, "Comment")?.length ?? 0) > 256) throw new InvalidRequest("Comment is longer than 256 characters");
  const changes = only(batch, "Changes", ["Comment", "Changes"]).children;
  if (changes.length === 0) throw malformed("Changes is empty");
  return changes.map((change) => {
    if (change.name !== "Change") throw malformed(`unexpected element ${change.name}`);
    known(change, ["Action", "ResourceRecordSet"]);
    const action = textOf(change, "Action") ?? "";
    if (!/^(CREATE|DELETE|UPSERT)$/.test(action)) throw malformed(`Action is ${action}`);
    return { action, set: readSet(only(change, "ResourceRecordSet", ["Action", "ResourceRecordSet"])) };
  });
}

function readSet(element: XmlElement): StoredSet {
  known(element, setMembers);
  // In any order: AWS's SDK for Go sorts members by name, and the service takes that.
  const name = textOf(element, "Name");
  const type = textOf(element, "Type");
  if (name === undefined || name === "" || type === undefined) throw malformed("a set needs Name and Type");
  const ttl = textOf(element, "TTL");
  const alias = element.children.find((child) => child.name === "AliasTarget");
  const values = records(element);
  if (alias === undefined && (ttl === undefined || values.length === 0)) {
    throw new InvalidRequest("Invalid request: Missing field 'TTL' or 'ResourceRecords' in Change");
  }
  if (ttl !== undefined && !(/^\d+$/.test(ttl) && Number(ttl) <= 2_147_483_647)) throw malformed(`TTL is ${ttl}`);
  const identifier = textOf(element, "SetIdentifier");
  const multivalue = textOf(element, "MultiValueAnswer");
  const weight = textOf(element, "Weight");
  if (identifier !== undefined && (identifier.length < 1 || identifier.length > 128)) {
    throw new InvalidRequest("SetIdentifier has to have 1 to 128 characters");
  }
  const routed = [multivalue, weight, textOf(element, "Region"), textOf(element, "Failover")].filter(
    (r) => r !== undefined,
  );
  if ((identifier === undefined) !== (routed.length === 0) || routed.length > 1) {
    throw new InvalidRequest("Invalid request: SetIdentifier and exactly one way of routing belong together");
  }
  return {
    name: storedName(name),
    type,
    ttl: ttl === undefined ? undefined : Number(ttl),
    values,
    identifier,
    multivalue: multivalue === undefined ? undefined : multivalue === "true",
    weight: weight === undefined ? undefined : Number(weight),
    region: textOf(element, "Region"),
    failover: textOf(element, "Failover"),
    healthCheckId: textOf(element, "HealthCheckId"),
    aliasTarget: alias && {
      hostedZoneId: textOf(alias, "HostedZoneId") ?? "",
      dnsName: textOf(alias, "DNSName") ?? "",
    },
  };
}

function records(element: XmlElement): readonly string[] {
  const list = element.children.find((child) => child.name === "ResourceRecords");
  return (list?.children ?? []).map((record) => {
    if (record.name !== "ResourceRecord") throw malformed(`unexpected element ${record.name}`);
    return textOf(record, "Value") ?? "";
  });
}

/** Lower case with a dot at the end, "*" as "\052": the way Route 53 keeps names. */
export function storedName(name: string): string {
  const plain = name.toLowerCase().replace(/\.?$/, ".");
  return plain.replace(/[^a-z0-9_.\\-]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** One set as ListResourceRecordSets shows it. */
export function writeSet(set: StoredSet): string {
  const { ttl, values, aliasTarget } = set;
  const alias =
    aliasTarget === undefined
      ? ""
      : `<AliasTarget>${xml("HostedZoneId", aliasTarget.hostedZoneId)}${xml("DNSName", aliasTarget.dnsName)}` +
        "<EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>";
  const list = values.map((value) => `<ResourceRecord>${xml("Value", value)}</ResourceRecord>`).join("");
  return [
    "<ResourceRecordSet>",
    xml("Name", set.name),
    xml("Type", set.type),
    xml("SetIdentifier", set.identifier),
    xml("Weight", set.weight),
    xml("Region", set.region),
    xml("Failover", set.failover),
    xml("MultiValueAnswer", set.multivalue),
    xml("TTL", ttl),
    aliasTarget === undefined ? `<ResourceRecords>${list}</ResourceRecords>` : alias,
    xml("HealthCheckId", set.healthCheckId),
    "</ResourceRecordSet>",
  ].join("");
}

function parse(body: string): XmlElement {
  try {
    return parseXml(body);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
}

function malformed(why: string): InvalidRequest {
  return new InvalidRequest(`The XML document in your request is invalid: ${why}`, "MalformedInput");
}

function known(element: XmlElement, names: readonly string[]): void {
  const strange = element.children.find(({ name }) => !names.includes(name));
  if (strange !== undefined) throw malformed(`unexpected element ${strange.name}`);
}

function only(element: XmlElement, name: string, names: readonly string[]): XmlElement {
  known(element, names);
  const [child, ...more] = element.children.filter((c) => c.name === name);
  if (child === undefined || more.length > 0) throw malformed(`${element.name} needs one ${name}`);
  return child;
}
