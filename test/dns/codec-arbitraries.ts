import fc from "fast-check";
import { type DomainName, nameFromLabels } from "../../src/core/name.ts";
import { decodeMessage } from "../../src/dns/codec.ts";
import type { Edns, Message, Question, ResourceRecord, Tsig } from "../../src/dns/message.ts";

/** A name of arbitrary octets in the one form the decoder gives: read from the wire. */
export const anyName: fc.Arbitrary<DomainName> = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 6 })
  .map((labels) => {
    const name = labels.flatMap((label) => [label.length, ...label]);
    const octets = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 1, 0, 1];
    const [question] = decodeMessage(Uint8Array.from(octets)).questions;
    if (question === undefined) throw new Error("no question");
    return question.name;
  });

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?$/);
/** Few distinct labels, so that compression has something to do. */
const plainName: fc.Arbitrary<DomainName> = fc
  .array(fc.oneof(fc.constantFrom("a", "example", "test", "_acme-challenge"), label), { minLength: 1, maxLength: 6 })
  .map(nameFromLabels);

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const octets = fc.uint8Array({ minLength: 1, maxLength: 80 });

function recordsOf(name: fc.Arbitrary<DomainName>): fc.Arbitrary<ResourceRecord> {
  const head = { name, class: fc.constant("IN" as const), ttl: fc.integer({ min: 0, max: 0x7fff_ffff }) };
  const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((o) => {
    const text = Array.from({ length: 8 }, (_, i) => (((o[2 * i] ?? 0) << 8) | (o[2 * i + 1] ?? 0)).toString(16));
    // Zeros would be shortened; ip.test.ts is about that.
    return text.map((t) => (t === "0" ? "1" : t)).join(":");
  });
  return fc.oneof(
    fc.record({ ...head, type: fc.constant("A" as const), address: fc.ipV4() }),
    fc.record({ ...head, type: fc.constant("AAAA" as const), address: v6 }),
    fc.record({
      ...head,
      type: fc.constantFrom("NS" as const, "CNAME" as const, "DNAME" as const, "PTR" as const),
      target: name,
    }),
    fc.record({
      ...head,
      type: fc.constant("SOA" as const),
      mname: name,
      rname: name,
      serial: u32,
      refresh: u32,
      retry: u32,
      expire: u32,
      minimum: u32,
    }),
    fc.record({
      ...head,
      type: fc.constant("TXT" as const),
      strings: fc.array(fc.uint8Array({ maxLength: 255 }), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      ...head,
      type: fc.constant("CAA" as const),
      flags: fc.constantFrom(0, 128),
      tag: fc.constantFrom("issue", "issuewild", "iodef"),
      value: fc.stringMatching(/^[a-z0-9.;= -]{1,30}$/).map((v) => Uint8Array.from(Buffer.from(v))),
    }),
  );
}

function messagesOf(name: fc.Arbitrary<DomainName>, record: fc.Arbitrary<ResourceRecord>) {
  const question: fc.Arbitrary<Question> = fc.record({
    name,
    type: fc.constantFrom("A" as const, "TXT" as const, "SOA" as const, "CAA" as const),
    class: fc.constant("IN" as const),
  });
  const records = fc.array(record, { maxLength: 5 });
  return { question, records };
}

/** What dns-packet can express too. */
export const plainMessage: fc.Arbitrary<Message> = (() => {
  const { question, records } = messagesOf(plainName, recordsOf(plainName));
  return fc.record({
    id: u16,
    response: fc.constant(true),
    opcode: fc.constant("QUERY" as const),
    authoritative: fc.boolean(),
    truncated: fc.boolean(),
    recursionDesired: fc.boolean(),
    recursionAvailable: fc.boolean(),
    authenticData: fc.boolean(),
    checkingDisabled: fc.boolean(),
    rcode: fc.constantFrom("NOERROR" as const, "NXDOMAIN" as const),
    questions: fc.array(question, { minLength: 1, maxLength: 1 }),
    answers: records,
    authorities: records,
    additionals: records,
  });
})();

const edns: fc.Arbitrary<Edns> = fc.record({
  udpSize: u16,
  version: fc.integer({ min: 0, max: 255 }),
  dnssecOk: fc.boolean(),
  options: fc.array(fc.record({ code: u16, data: fc.uint8Array({ maxLength: 20 }) }), { maxLength: 3 }),
});

const tsig: fc.Arbitrary<Tsig> = fc.record({
  keyName: anyName,
  algorithm: anyName,
  timeSigned: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fudge: u16,
  mac: fc.uint8Array({ maxLength: 64 }),
  originalId: u16,
  error: u16,
  other: fc.uint8Array({ maxLength: 6 }),
});

/** Everything the codec can express: UPDATE forms, opaque types, EDNS, TSIG. */
export const anyMessage: fc.Arbitrary<Message> = (() => {
  const head = { name: anyName, ttl: u32 };
  const opaque = fc.record({
    ...head,
    class: fc.constantFrom("IN" as const, "NONE" as const, "ANY" as const, "CH" as const, "CLASS4711" as const),
    type: fc.constantFrom("DS" as const, "RRSIG" as const, "TYPE65280" as const),
    rdata: octets,
  });
  const empty = fc.record({
    ...head,
    class: fc.constantFrom("NONE" as const, "ANY" as const),
    type: fc.constantFrom("A" as const, "CNAME" as const, "TXT" as const, "ANY" as const),
    empty: fc.constant(true as const),
  });
  const { question, records } = messagesOf(anyName, fc.oneof(recordsOf(anyName), opaque, empty));
  const common = {
    id: u16,
    response: fc.boolean(),
    opcode: fc.constantFrom("QUERY" as const, "NOTIFY" as const, "UPDATE" as const, "OPCODE7" as const),
    authoritative: fc.boolean(),
    truncated: fc.boolean(),
    recursionDesired: fc.boolean(),
    recursionAvailable: fc.boolean(),
    authenticData: fc.boolean(),
    checkingDisabled: fc.boolean(),
    questions: fc.array(question, { maxLength: 2 }),
    answers: records,
    authorities: records,
    additionals: records,
    tsig: fc.option(tsig, { nil: undefined }),
  };
  return fc.oneof(
    fc.record({
      ...common,
      rcode: fc.constantFrom("NOERROR" as const, "NOTZONE" as const, "RCODE12" as const),
      edns: fc.constant(undefined),
    }),
    fc.record({
      ...common,
      rcode: fc.constantFrom("NOERROR" as const, "BADVERS" as const, "RCODE4095" as const),
      edns,
    }),
  );
})();
