import { randomBytes } from "node:crypto";
import type { DomainName } from "../core/name.ts";
import { emptyMessage, txtStrings } from "./codec.ts";
import type { Message, ResourceRecord } from "./message.ts";
import { isAuthoritative, query, readOwners, standingTtls } from "./served.ts";
import { askSigned, type Primary, type SignedReply } from "./signed.ts";
import { failureOf, UpdateError } from "./update-error.ts";
import { nameOctets } from "./wire-name.ts";

/** What changes at one owner name. Other values, types and names stay. */
export interface TxtEdit {
  readonly owner: DomainName;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Of the values added here, instead of the request's. */
  readonly ttlSeconds?: number | undefined;
}

export interface UpdateRequest {
  readonly primary: Primary;
  readonly zone: DomainName;
  readonly edits: readonly TxtEdit[];
  /** Of the values that are added. */
  readonly ttlSeconds: number;
  /** Longest wait for one reply. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

const defaultTimeoutMs = 10_000;
/** Leaves room for TSIG in a message of 65,535 octets. */
const maxUpdateOctets = 60_000;

/**
 * The update message of RFC 2136: all edits of a zone, carried out together or not at all. Adds carry the prerequisite
 * that no CNAME is at the owner, for a TXT below an alias would be dropped without an error (§3.4.2.2).
 */
export function buildUpdate(zone: DomainName, edits: readonly TxtEdit[], ttlSeconds: number, guarded = true): Message {
  const owners = edits.filter(({ add }) => add.length > 0).map(({ owner }) => owner);
  const noAlias = (name: DomainName): ResourceRecord => ({ name, class: "NONE", ttl: 0, type: "CNAME", empty: true });
  const removals = edits.flatMap(({ owner, remove }) => remove.map((value) => txt(owner, "NONE", 0, value)));
  const additions = edits.flatMap(({ owner, add, ttlSeconds: own }) =>
    add.map((value) => txt(owner, "IN", own ?? ttlSeconds, value)),
  );
  return {
    ...emptyMessage,
    id: randomBytes(2).readUInt16BE(),
    opcode: "UPDATE",
    questions: [{ name: zone, type: "SOA", class: "IN" }],
    answers: guarded ? [...new Set(owners)].map(noAlias) : [],
    authorities: [...removals, ...additions],
  };
}

function txt(name: DomainName, recordClass: "IN" | "NONE", ttl: number, value: string): ResourceRecord {
  return { name, class: recordClass, ttl, type: "TXT", strings: txtStrings(value) };
}

/**
 * Sends the edits as one update; as several, each of whole owners, only where one message cannot hold them. Repeating it
 * after an unclear end does no harm. Throws UpdateError, RoundTripError or the signal's reason.
 */
export async function sendUpdate(request: UpdateRequest): Promise<void> {
  for (const [sent, edits] of parts(request.edits).entries()) {
    try {
      await sendPart({ ...request, edits });
    } catch (error) {
      throw sent > 0 && error instanceof UpdateError ? error.afterOthers() : error;
    }
  }
}

async function sendPart(request: UpdateRequest): Promise<void> {
  const { primary, zone, edits, ttlSeconds, signal, timeoutMs = defaultTimeoutMs } = request;
  if (edits.every(({ add, remove }) => add.length === 0 && remove.length === 0)) return;
  const send = async (guarded: boolean) =>
    failureOf(
      await askSigned(buildUpdate(zone, edits, ttlSeconds, guarded), primary, timeoutMs, signal),
      primary,
      zone,
    );
  let failure = await send(true);
  // A server that knows no prerequisites. What they guard against is looked up by updateTxt.
  const knowsNone = failure?.failure === "format" || failure?.failure === "not-implemented";
  if (knowsNone && edits.some(({ add }) => add.length > 0)) failure = await send(false);
  if (failure?.failure === "alias") throw (await findAlias(request, failure.nothingDone)) ?? failure;
  if (failure !== undefined) throw failure;
}

/**
 * Like sendUpdate, but looks first at what the server serves: tells for each edit whether it changed anything (`true` where
 * the server would not say), and adds with the TTL of the values that stand there, as DNS has one for all of them.
 */
export async function updateTxt(request: UpdateRequest): Promise<readonly boolean[]> {
  const before = await readOwners(request, ownersOf(request.edits));
  const adding = new Set(ownersOf(request.edits.filter(({ add }) => add.length > 0)));
  const standing = new Map([...before].filter(([owner]) => adding.has(owner)));
  const ttls = await standingTtls(request, standing, request.ttlSeconds);
  const edits = request.edits.map((edit) => ({ ...edit, ttlSeconds: ttls.get(edit.owner) }));
  await sendUpdate({ ...request, edits });
  // Either made from a wildcard, then the new TXT hides it, or the server let the update run into the alias.
  const suspects = request.edits.filter((e) => e.add.length > 0 && before.get(e.owner)?.alias !== undefined);
  const alias = suspects.length > 0 ? await findAlias({ ...request, edits: suspects }) : undefined;
  if (alias !== undefined) throw alias;
  return request.edits.map(({ owner, add, remove }) => {
    const values = before.get(owner)?.values;
    if (values === undefined) return true;
    return add.some((value) => !values.has(value)) || remove.some((value) => values.has(value));
  });
}

/**
 * Whether the server holds exactly this zone. Asks for its SOA, signed (a view may depend on the key), then unsigned; a
 * server that keeps it to itself is sent an update that changes nothing. Throws UpdateError when it refuses the key or us,
 * RoundTripError, or the signal's reason.
 */
export async function holdsZone(
  primary: Primary,
  apex: DomainName,
  signal: AbortSignal,
  timeoutMs = defaultTimeoutMs,
): Promise<boolean> {
  const soa = await askSigned(query(apex, "SOA"), primary, timeoutMs, signal);
  const failure = failureOf(soa, primary, apex);
  if (failure !== undefined && (soa.tsigError !== 0 || failure.failure === "forged")) throw failure;
  if (isAuthoritative(soa)) return hasSoa(soa, apex);
  if (primary.tsig !== undefined) {
    const open = await askSigned(query(apex, "SOA"), { ...primary, tsig: undefined }, timeoutMs, signal);
    if (isAuthoritative(open)) {
      // Knot says it of keys it does not know or that may do nothing in this zone.
      if (hasSoa(open, apex) && failure?.failure === "not-auth") throw failure;
      return hasSoa(open, apex);
    }
  }
  const probe = failureOf(await askSigned(buildUpdate(apex, [], 0), primary, timeoutMs, signal), primary, apex);
  if (probe === undefined) return true;
  if (["not-auth", "not-zone", "not-implemented", "format"].includes(probe.failure)) return false;
  throw probe;
}

function hasSoa({ message }: SignedReply, apex: DomainName): boolean {
  return message.answers.some((r) => r.type === "SOA" && r.name === apex);
}

/** The error that names the first owner at which the server has an alias, and where that leads. */
async function findAlias(
  { primary, zone, edits, signal }: UpdateRequest,
  nothingDone = false,
): Promise<UpdateError | undefined> {
  const owners = ownersOf(edits.filter(({ add }) => add.length > 0));
  const found = await readOwners({ primary, signal }, owners);
  for (const owner of owners) {
    const target = found.get(owner)?.alias;
    if (target === undefined) continue;
    const text = `${owner} is an alias (CNAME) of ${target} in the zone ${zone}: a TXT cannot be added beside it`;
    return new UpdateError("alias", text, { rcode: "YXRRSET", zone, nothingDone });
  }
  return undefined;
}

function ownersOf(edits: readonly TxtEdit[]): readonly DomainName[] {
  return [...new Set(edits.map(({ owner }) => owner))];
}

/** As few groups of edits as fit into one message each. */
function parts(edits: readonly TxtEdit[]): readonly (readonly TxtEdit[])[] {
  const groups: TxtEdit[][] = [[]];
  let size = 0;
  for (const edit of edits) {
    const octets = octetsOf(edit);
    if (size > 0 && size + octets > maxUpdateOctets) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(edit);
    size += octets;
  }
  return groups;
}

/** At most: as if no name were compressed. */
function octetsOf({ owner, add, remove }: TxtEdit): number {
  const head = nameOctets(owner).length + 10;
  const values = [...add, ...remove].flatMap(txtStrings).reduce((sum, s) => sum + s.length + 1, 0);
  return head * (1 + add.length + remove.length) + values;
}
