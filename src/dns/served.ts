import { randomBytes } from "node:crypto";
import { abortReason } from "../core/clock.ts";
import { childOf, type DomainName, parentOf } from "../core/name.ts";
import { emptyMessage, txtValue } from "./codec.ts";
import type { Message, RecordType } from "./message.ts";
import { askSigned, type Primary, type SignedReply } from "./signed.ts";
import { RoundTripError } from "./sockets.ts";

/** A look at the server is a courtesy: it must not hold up the write for long. */
const readTimeoutMs = 2000;
const readsAtOnce = 8;

interface Reading {
  readonly primary: Primary;
  readonly signal: AbortSignal;
}

/** What the primary serves at one owner. */
export interface Served {
  readonly values: ReadonlySet<string>;
  readonly ttlSeconds: number | undefined;
  readonly alias: DomainName | undefined;
}

/** What the server serves at each owner; nothing about those it does not answer for. Once it is silent, no more is asked. */
export async function readOwners(
  { primary, signal }: Reading,
  owners: readonly DomainName[],
): Promise<ReadonlyMap<DomainName, Served>> {
  const served = new Map<DomainName, Served>();
  const waiting = [...owners];
  const reader = async () => {
    for (let owner = waiting.shift(); owner !== undefined; owner = waiting.shift()) {
      try {
        const reply = await askSigned(query(owner, "TXT"), primary, readTimeoutMs, signal);
        if (isAuthoritative(reply)) served.set(owner, servedBy(reply.message, owner));
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        if (!(error instanceof RoundTripError)) throw error;
        waiting.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, reader));
  return served;
}

/**
 * The TTLs of the sets that stand at these owners. One made from a wildcard is not the set that is added to, so its TTL does
 * not count (RFC 4592 §2.2.1); what stands at a name beside it, which nobody has, tells. `usual` needs no look.
 */
export async function standingTtls(
  reading: Reading,
  before: ReadonlyMap<DomainName, Served>,
  usual: number,
): Promise<ReadonlyMap<DomainName, number | undefined>> {
  const beside = new Map<DomainName, DomainName>();
  for (const [owner, { ttlSeconds }] of before) {
    const parent = parentOf(owner);
    if (ttlSeconds === undefined || ttlSeconds === usual || parent === undefined) continue;
    beside.set(owner, childOf(randomBytes(8).toString("hex"), parent));
  }
  const siblings = await readOwners(reading, [...beside.values()]);
  const isMade = (owner: DomainName, values: ReadonlySet<string>): boolean => {
    const sibling = beside.get(owner);
    const made = sibling === undefined ? undefined : siblings.get(sibling)?.values;
    return made !== undefined && made.size === values.size && [...made].every((value) => values.has(value));
  };
  return new Map(
    [...before].map(([owner, { values, ttlSeconds }]) => [owner, isMade(owner, values) ? undefined : ttlSeconds]),
  );
}

/** Knot signs no answers to queries; what is read only words a result, so an unsigned answer will do. */
export function isAuthoritative({ message, signature }: SignedReply): boolean {
  return (
    signature !== "forged" && message.authoritative && (message.rcode === "NOERROR" || message.rcode === "NXDOMAIN")
  );
}

function servedBy(message: Message, owner: DomainName): Served {
  const here = message.answers.filter((r) => r.name === owner);
  const alias = here.find((r) => "target" in r && r.type === "CNAME");
  const values = here.map(txtValue).filter((v) => v !== undefined);
  return {
    values: new Set(values),
    ttlSeconds: here.find((r) => r.type === "TXT")?.ttl,
    alias: alias !== undefined && "target" in alias ? alias.target : undefined,
  };
}

export function query(name: DomainName, type: RecordType): Message {
  return {
    ...emptyMessage,
    id: randomBytes(2).readUInt16BE(),
    questions: [{ name, type, class: "IN" }],
    edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
  };
}
