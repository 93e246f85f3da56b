/** A resource record set as the service keeps it. Names are lower case and end with a dot. */
export interface StoredSet {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number | undefined;
  readonly values: readonly string[];
  readonly identifier?: string | undefined;
  readonly multivalue?: boolean | undefined;
  readonly weight?: number | undefined;
  readonly region?: string | undefined;
  readonly failover?: string | undefined;
  readonly healthCheckId?: string | undefined;
  readonly aliasTarget?: { readonly hostedZoneId: string; readonly dnsName: string } | undefined;
}

export interface SetChange {
  readonly action: string;
  readonly set: StoredSet;
}

/** What the whole batch is refused with; each entry is one of the messages of InvalidChangeBatch. */
export class BatchRefused extends Error {
  readonly messages: readonly string[];

  constructor(messages: readonly string[]) {
    super(`[${messages.join(", ")}]`);
    this.messages = messages;
  }
}

/**
 * The sets of a zone after a change batch, by AWS's rules: in order, all or nothing, and everything that is wrong is told
 * at once. Throws BatchRefused. With `created`, which remembers every set that was created, as moto does: no set is created
 * that was created before, and one batch may touch a set twice in any way.
 */
export function changeSets(
  apex: string,
  before: readonly StoredSet[],
  changes: readonly SetChange[],
  created?: Set<string>,
): StoredSet[] {
  refuse(limits(changes));
  if (created === undefined) refuse(contradictions(changes));
  else refuse(memories(created, changes));
  const faults: string[] = [];
  let sets = [...before];
  for (const { action, set } of changes) {
    const mine = faultsOf(apex, sets, action, set);
    faults.push(...mine);
    if (mine.length > 0) continue;
    if (action !== "CREATE") sets = sets.filter((other) => !same(other, set));
    if (action !== "DELETE") sets.push(set);
  }
  refuse(faults);
  for (const change of changes) if (change.action === "CREATE") created?.add(JSON.stringify(change.set));
  return sets;
}

function memories(created: ReadonlySet<string>, changes: readonly SetChange[]): readonly string[] {
  return changes
    .filter(({ action, set }) => action === "CREATE" && created.has(JSON.stringify(set)))
    .map(
      ({ set }) => `Tried to create resource record set [name='${set.name}', type='${set.type}'] but it already exists`,
    );
}

function refuse(messages: readonly string[]): void {
  if (messages.length > 0) throw new BatchRefused(messages);
}

function limits(changes: readonly SetChange[]): readonly string[] {
  const weighed = changes.flatMap(({ action, set }) => (action === "UPSERT" ? [set, set] : [set]));
  const records = weighed.reduce((sum, { values }) => sum + values.length, 0);
  const characters = weighed.flatMap(({ values }) => values).reduce((sum, value) => sum + value.length, 0);
  return [
    ...(records > 1000 ? ["Number of records limit of 1000 exceeded."] : []),
    ...(characters > 32_000 ? ["Number of characters limit of 32000 exceeded."] : []),
  ];
}

/** One set may be deleted and then created; anything else that touches it twice is refused as a whole. */
function contradictions(changes: readonly SetChange[]): readonly string[] {
  const actions = new Map<string, { readonly set: StoredSet; readonly done: string[] }>();
  for (const { action, set } of changes) {
    const key = `${set.name} ${set.type} ${set.identifier ?? ""}`;
    const entry = actions.get(key) ?? { set, done: [] };
    actions.set(key, entry);
    entry.done.push(action);
  }
  return [...actions.values()]
    .filter(({ done }) => done.length > 1 && done.join() !== "DELETE,CREATE")
    .map(
      ({ set }) => `The request contains an invalid set of changes for a resource record set '${set.type} ${set.name}'`,
    );
}

function faultsOf(apex: string, sets: readonly StoredSet[], action: string, set: StoredSet): readonly string[] {
  const { name, type, identifier } = set;
  if (name !== apex && !name.endsWith(`.${apex}`)) {
    return [`RRSet with DNS name ${name} is not permitted in zone ${apex}`];
  }
  const stands = sets.find((other) => same(other, set));
  const called = `[name='${name}', type='${type}'${identifier === undefined ? "" : `, set-identifier='${identifier}'`}]`;
  if (action === "DELETE") {
    if (stands === undefined) return [`Tried to delete resource record set ${called} but it was not found`];
    return equal(stands, set)
      ? []
      : [`Tried to delete resource record set ${called} but the values provided do not match the current values`];
  }
  const values = valueFaults(set);
  if (values.length > 0) return values;
  if (action === "CREATE" && stands !== undefined) {
    return [`Tried to create resource record set ${called} but it already exists`];
  }
  const atName = sets.filter((other) => other.name === name && other !== stands);
  if (
    type === "CNAME" ? atName.some((other) => other.type !== "CNAME") : atName.some((other) => other.type === "CNAME")
  ) {
    return [
      type === "CNAME"
        ? `RRSet of type CNAME with DNS name ${name} is not permitted as it conflicts with other records with the same DNS name in zone ${apex}`
        : `RRSet of type ${type} with DNS name ${name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${apex}`,
    ];
  }
  const others = atName.filter((other) => other.type === type);
  if (others.every((other) => routing(other) === routing(set)) && (others.length === 0 || identifier !== undefined))
    return [];
  const which = `RRSet with DNS name ${name}, type ${type}, SetIdentifier ${identifier ?? "null"}`;
  return [
    routing(set) === "multivalue"
      ? `${which} cannot be created because a non multivalue answer rrset exists with the same name and type.`
      : `${which} cannot be created as other RRSets exist with the same name and type.`,
  ];
}

function valueFaults({ type, values }: StoredSet): readonly string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) faults.push(`Duplicate Resource Record: '${value}'`);
    seen.add(value);
    if (type !== "TXT") continue;
    const problem = (what: string) => `Invalid Resource Record: 'FATAL problem: ${what} encountered with '${value}''`;
    if (value.length > 4000) faults.push(problem("TXTRDATATooLong"));
    else if (!/^"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*$/s.test(value)) {
      faults.push(problem("InvalidCharacterString (Value should be enclosed in quotation marks)"));
    } else if (/[^\x20-\x7e\t]/.test(value)) {
      faults.push(problem("InvalidCharacterString (Value contains characters that have to be escaped)"));
    } else if (txtStrings(value).some((octets) => octets.length > 255)) {
      faults.push(problem("CharacterStringTooLong (Value is longer than 255 characters)"));
    }
  }
  if (values.length > 400) faults.push(`Too many values for the resource record set, at most 400 are allowed`);
  return faults;
}

/** The strings of a TXT value as the nameservers serve them. */
export function txtStrings(value: string): readonly Buffer[] {
  return [...value.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, inside = ""]) => {
    const octets: number[] = [];
    for (let at = 0; at < inside.length; at++) {
      const octal = /^\\([0-3][0-7]{2})/.exec(inside.slice(at));
      if (octal !== null) {
        octets.push(Number.parseInt(octal[1] ?? "", 8));
        at += 3;
        continue;
      }
      if (inside[at] === "\\") at++;
      octets.push(inside.charCodeAt(at));
    }
    return Buffer.from(octets);
  });
}

/** As other clients write a value: strings of at most 200 octets, octal escapes. */
export function txtText(value: string): string {
  const strings: string[] = [];
  const octets = [...Buffer.from(value)];
  for (let at = 0; at === 0 || at < octets.length; at += 200) {
    const inside = octets.slice(at, at + 200).map((octet) => {
      if (octet < 0x20 || octet > 0x7e) return `\\${octet.toString(8).padStart(3, "0")}`;
      return String.fromCharCode(octet).replace(/["\\]/, "\\$&");
    });
    strings.push(`"${inside.join("")}"`);
  }
  return strings.join(" ");
}

function routing({ identifier, multivalue, weight, region, failover }: StoredSet): string {
  if (identifier === undefined) return "simple";
  if (multivalue === true) return "multivalue";
  if (weight !== undefined) return "weighted";
  if (region !== undefined) return "latency";
  return failover === undefined ? "unknown" : "failover";
}

function same(a: StoredSet, b: StoredSet): boolean {
  return a.name === b.name && a.type === b.type && a.identifier === b.identifier;
}

function equal(a: StoredSet, b: StoredSet): boolean {
  const plain = ({ values, ...rest }: StoredSet) =>
    JSON.stringify([
      Object.entries(rest)
        .filter(([, value]) => value !== undefined)
        .sort(),
      [...values].sort(),
    ]);
  return plain(a) === plain(b);
}
