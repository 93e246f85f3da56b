import packet from "dns-packet";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DomainName, nameFromLabels, rootName } from "../../src/core/name.ts";
import {
  CodecError,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  nsidOf,
  questionOctets,
  txtStrings,
  txtValue,
} from "../../src/dns/codec.ts";
import type { Message, ResourceRecord } from "../../src/dns/message.ts";
import { anyMessage, anyName, plainMessage } from "./codec-arbitraries.ts";

const owner = nameFromLabels(["_acme-challenge", "example", "test"]);
const apex = nameFromLabels(["example", "test"]);
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const txt = (value: string): ResourceRecord => ({
  name: owner,
  class: "IN",
  ttl: 60,
  type: "TXT",
  strings: txtStrings(value),
});

/** `undefined` when refused; anything but a CodecError fails the test. */
function tryDecode(octets: Uint8Array): Message | undefined {
  try {
    return decodeMessage(octets);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return undefined;
  }
}

describe("a message", () => {
  test("comes back as it was encoded", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  test("is decoded by an independent codec to the same content", () => {
    fc.assert(
      fc.property(plainMessage, (message) => {
        const theirs = packet.decode(Buffer.from(encodeMessage(message)));
        expect(theirs.id).toBe(message.id);
        expect(theirs.questions?.map((q) => q.name)).toEqual(message.questions.map((q) => textOf(q.name)));
        expect((theirs.answers ?? []).map(flat)).toEqual(message.answers.map(flatOurs));
        expect((theirs.authorities ?? []).map(flat)).toEqual(message.authorities.map(flatOurs));
      }),
      { numRuns: 300 },
    );
  });

  test("of an independent codec is decoded to the same content", () => {
    fc.assert(
      fc.property(plainMessage, (message) => {
        const octets = packet.encode({
          id: message.id,
          type: "response",
          flags: packet.AUTHORITATIVE_ANSWER,
          questions: message.questions.map(
            (q) => ({ name: textOf(q.name), type: q.type, class: "IN" }) as packet.Question,
          ),
          answers: message.answers.map(toTheirs),
          authorities: message.authorities.map(toTheirs),
        });
        const ours = decodeMessage(Uint8Array.from(octets));
        expect(ours.authoritative).toBe(true);
        expect(ours.questions).toEqual(message.questions);
        expect(ours.answers).toEqual(message.answers);
        expect(ours.authorities).toEqual(message.authorities);
      }),
      { numRuns: 300 },
    );
  });

  test("that was cut off is refused at every length", () => {
    fc.assert(
      fc.property(anyMessage, fc.double({ min: 0, max: 0.999, noNaN: true }), (message, part) => {
        const octets = encodeMessage(message);
        expect(() => decodeMessage(octets.subarray(0, Math.floor(octets.length * part)))).toThrow(CodecError);
      }),
      { numRuns: 500 },
    );
  });

  test("with changed octets is decoded or refused, and nothing else happens", () => {
    const change = fc.array(fc.tuple(fc.nat(4095), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyMessage, change, (message, changes) => {
        const octets = encodeMessage(message);
        for (const [at, octet] of changes) octets[at % octets.length] = octet;
        const decoded = tryDecode(octets);
        // What we accept we can also write again, or say why not.
        if (decoded === undefined) return;
        try {
          encodeMessage(decoded);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("of random octets is decoded or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => void tryDecode(octets)),
      { numRuns: 1000 },
    );
  });

  test("with octets behind its end is refused", () => {
    const octets = encodeMessage({ ...emptyMessage, answers: [txt("a")] });
    expect(() => decodeMessage(Uint8Array.from([...octets, 0]))).toThrow(/behind the end/);
  });

  test("that promises more records than it holds is refused without being believed", () => {
    expect(() => decodeMessage(hex("0001 8400 ffff ffff ffff ffff"))).toThrow(CodecError);
  });

  test("longer than 65,535 octets is refused when encoding", () => {
    const many = Array.from({ length: 300 }, () => txt("x".repeat(255)));
    expect(() => encodeMessage({ ...emptyMessage, answers: many })).toThrow(CodecError);
  });

  test("keeps OPT and loses its records when it must be truncated", () => {
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };
    const full = {
      ...emptyMessage,
      response: true,
      questions: [{ name: owner, type: "TXT", class: "IN" }],
      edns,
    } as const;
    const octets = encodeMessage(
      { ...full, answers: Array.from({ length: 21 }, () => txt("x".repeat(43))) },
      { maxOctets: 1232 },
    );
    expect(octets.length).toBeLessThanOrEqual(1232);
    expect(decodeMessage(octets)).toEqual({ ...full, truncated: true, tsig: undefined });
  });

  test("of twenty challenge values fits into 1,232 octets, and of eight into 512", () => {
    const answers = (count: number) => Array.from({ length: count }, () => txt("x".repeat(43)));
    const question = { name: owner, type: "TXT", class: "IN" } as const;
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };
    const size = (count: number) =>
      encodeMessage({ ...emptyMessage, questions: [question], answers: answers(count), edns }).length;
    expect(size(20)).toBeLessThanOrEqual(1232);
    expect(size(21)).toBeGreaterThan(1232);
    expect(size(8)).toBeLessThanOrEqual(512);
  });
});

describe("a name", () => {
  test("of any octets comes back through the wire", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const message = { ...emptyMessage, questions: [{ name, type: "A", class: "IN" }] } as const;
        expect(decodeMessage(encodeMessage(message)).questions[0]?.name).toBe(name);
      }),
    );
  });

  test("is decoded in lower case, its dots and odd octets escaped", () => {
    const octets = hex("0000 0000 0001 0000 0000 0000  04 41 2e 5c 2f 03 4e 45 54 00 0001 0001");
    const name = decodeMessage(octets).questions[0]?.name;
    expect(name).toBe(String.raw`a\046\092\047.net`);
  });

  test("is encoded from both forms of escapes", () => {
    const written = String.raw`a\.\\\047.net` as DomainName;
    const octets = encodeMessage({ ...emptyMessage, questions: [{ name: written, type: "A", class: "IN" }] });
    expect([...octets.subarray(12, 22)]).toEqual([...hex("04 61 2e 5c 2f 03 6e 65 74 00")]);
  });

  test.each([
    ["a label of 64 octets", `${"a".repeat(64)}.test`],
    ["256 octets", Array.from({ length: 4 }, () => "a".repeat(63)).join(".")],
    ["an empty label", "a..test"],
    ["a character outside ASCII", "ä.test"],
    ["an escape above 255", String.raw`\256.test`],
  ])("with %s is refused", (_, name) => {
    const question = { name: name as DomainName, type: "A", class: "IN" } as const;
    expect(() => encodeMessage({ ...emptyMessage, questions: [question] })).toThrow(CodecError);
  });

  test("of exactly 255 octets is accepted", () => {
    const name = [63, 63, 63, 61].map((size) => "a".repeat(size)).join(".") as DomainName;
    const message = { ...emptyMessage, questions: [{ name, type: "A", class: "IN" }] } as const;
    expect(decodeMessage(encodeMessage(message)).questions[0]?.name).toBe(name);
  });

  test.each([
    ["to itself", "c00c"],
    ["forwards", "c010"],
    ["into the header", "c002"],
    ["of a label type that does not exist", "80"],
  ])("with a pointer %s is refused", (_, pointer) => {
    expect(() => decodeMessage(hex(`0000 0000 0001 0000 0000 0000 ${pointer} 0001 0001 0000`))).toThrow(CodecError);
  });

  test("made of two labels pointing at each other is refused", () => {
    // The first question's name would be "a" followed by a pointer to itself.
    expect(() => decodeMessage(hex("0000 0000 0001 0000 0000 0000 0161 c00c 0001 0001"))).toThrow(/backwards/);
  });

  test("may be reached over 64 pointers, not over 65", () => {
    // An opaque record whose RDATA is a chain of pointers, each leading to the one before it.
    const chain = (count: number) => {
      const start = 12 + 1 + 10;
      let rdata = "0000";
      for (let i = 0; i < count; i++) rdata += (0xc000 | (i === 0 ? start : start + 2 * i)).toString(16);
      const last = (0xc000 | (start + 2 * count)).toString(16);
      const size = (rdata.length / 2).toString(16).padStart(4, "0");
      return hex(
        `0000 8000 0000 0002 0000 0000  00 ff00 0001 00000000 ${size} ${rdata}  ${last} ff00 0001 00000000 0000`,
      );
    };
    expect(decodeMessage(chain(63)).answers[1]?.name).toBe(rootName);
    expect(() => decodeMessage(chain(64))).toThrow(/pointers/);
  });
});

describe("a record", () => {
  const one = (head: string, rdata: string) =>
    decodeMessage(hex(`0000 2800 0000 0001 0000 0000 00 ${head} ${rdata}`)).answers[0];

  test.each([
    ["A of three octets", "0001 0001 00000000 0003", "7f0000"],
    ["A of five octets", "0001 0001 00000000 0005", "7f00000101"],
    ["TXT whose string leaves its RDATA", "0010 0001 00000000 0002", "0561 6161 6161 61"],
    ["CNAME with octets behind the name", "0005 0001 00000000 0003", "016100 00"],
    ["CNAME that leaves its RDATA", "0005 0001 00000000 0002", "0161 00"],
    ["SOA that is too short", "0006 0001 00000000 0006", "0000 00000001"],
  ])("%s is refused", (_, head, rdata) => {
    expect(() => one(head, rdata)).toThrow(CodecError);
  });

  test("without RDATA is told apart from one with, as UPDATE needs it", () => {
    expect(one("0010 00ff 00000000 0000", "")).toEqual({ name: ".", class: "ANY", ttl: 0, type: "TXT", empty: true });
    expect(one("0010 00fe 00000000 0002", "0161")).toMatchObject({ class: "NONE", strings: [Uint8Array.of(0x61)] });
  });

  test("of an address type in class CH stays opaque", () => {
    expect(one("0001 0003 00000000 0003", "0000 01")).toMatchObject({ type: "A", rdata: Uint8Array.of(0, 0, 1) });
  });

  test("MX with a compressed name has RDATA that makes sense alone", () => {
    const octets = hex(
      "0000 8400 0001 0001 0000 0000  04 74657374 00 000f 0001  c00c 000f 0001 00000000 0004 000a c00c",
    );
    expect(decodeMessage(octets).answers[0]).toMatchObject({ rdata: hex("000a 04 74657374 00") });
  });

  test("OPT or TSIG in a list of records is refused", () => {
    const record: ResourceRecord = { name: rootName, class: "IN", ttl: 0, type: "OPT", rdata: new Uint8Array() };
    expect(() => encodeMessage({ ...emptyMessage, additionals: [record] })).toThrow(CodecError);
  });

  test.each([
    ["two OPT records", "0002", "00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000"],
    ["OPT below a name", "0001", "01 61 00 0029 04d0 00000000 0000"],
    [
      "TSIG before another record",
      "0002",
      `00 00fa 00ff 00000000 0011 00 000000000000 0000 0000 0000 0000 0000 00 0001 0001 00000000 0000`,
    ],
    ["TSIG of class IN", "0001", "00 00fa 0001 00000000 0011 00 000000000000 0000 0000 0000 0000 0000"],
  ])("%s make the message malformed", (_, count, records) => {
    expect(() => decodeMessage(hex(`0000 8000 0000 0000 0000 ${count} ${records}`))).toThrow(CodecError);
  });

  test("in an UPDATE has no compressed name in its RDATA", () => {
    const cname: ResourceRecord = { name: owner, class: "IN", ttl: 1, type: "CNAME", target: apex };
    const update = encodeMessage({
      ...emptyMessage,
      opcode: "UPDATE",
      questions: [{ name: apex, type: "SOA", class: "IN" }],
      authorities: [cname],
    });
    const query = encodeMessage({
      ...emptyMessage,
      questions: [{ name: apex, type: "SOA", class: "IN" }],
      authorities: [cname],
    });
    expect(Buffer.from(update.subarray(-14)).toString("latin1")).toBe("\x07example\x04test\0");
    expect(query.length).toBe(update.length - 12);
  });
});

describe("EDNS", () => {
  test("carries the high bits of the rcode", () => {
    const edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };
    const octets = encodeMessage({ ...emptyMessage, response: true, rcode: "BADVERS", edns });
    expect((octets[3] ?? 0) & 15).toBe(0);
    expect(decodeMessage(octets)).toMatchObject({ rcode: "BADVERS", edns });
    expect(() => encodeMessage({ ...emptyMessage, rcode: "BADVERS" })).toThrow(CodecError);
  });

  test("gives the server's identity as text or in hexadecimal", () => {
    const of = (data: Uint8Array) =>
      nsidOf({ ...emptyMessage, edns: { udpSize: 512, version: 0, dnssecOk: false, options: [{ code: 3, data }] } });
    expect(of(new TextEncoder().encode("ns1.fra"))).toBe("ns1.fra");
    expect(of(Uint8Array.of(0, 255))).toBe("00ff");
    expect(nsidOf(emptyMessage)).toBeUndefined();
  });
});

describe("a question", () => {
  const asked = hex(
    "05 5f41434d45 07 45784d506c45 54 04 54455374 00 0010 0001".replace("45784d506c45 54", "4578616d506c45"),
  );

  test("is given back in the letter case it was asked in, and answers point at it", () => {
    const name = nameFromLabels(["_acme", "example", "test"]);
    const answer: ResourceRecord = { name, class: "IN", ttl: 1, type: "TXT", strings: txtStrings("v") };
    const octets = encodeMessage({ ...emptyMessage, response: true, answers: [answer] }, { question: asked });
    expect(questionOctets(octets)).toEqual(asked);
    expect(decodeMessage(octets)).toMatchObject({ questions: [{ name, type: "TXT" }], answers: [{ name }] });
    expect(octets.length).toBe(12 + asked.length + 2 + 10 + 2);
  });

  test("is absent from a message without one", () => {
    expect(questionOctets(encodeMessage(emptyMessage))).toBeUndefined();
  });
});

describe("a TXT value", () => {
  test("is cut into strings of at most 255 octets and joined again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 700 }), (value) => {
        const strings = txtStrings(value);
        expect(strings.every((s) => s.length <= 255)).toBe(true);
        expect(txtValue({ name: owner, class: "IN", ttl: 0, type: "TXT", strings })).toBe(value);
      }),
    );
    expect(txtStrings("x".repeat(600)).map((s) => s.length)).toEqual([255, 255, 90]);
    expect(txtStrings("")).toEqual([new Uint8Array()]);
  });

  test("does not exist for other records", () => {
    expect(txtValue({ name: owner, class: "IN", ttl: 0, type: "TXT", empty: true })).toBeUndefined();
  });
});

/** dns-packet writes labels without escapes; the arbitraries for it use only plain ones. */
function textOf(name: DomainName): string {
  return name;
}

function toTheirs(record: ResourceRecord): packet.Answer {
  const { name, ttl, type } = record;
  const common = { name, ttl, class: "IN" as const };
  if ("strings" in record) return { ...common, type: "TXT", data: record.strings.map((s) => Buffer.from(s)) };
  if ("address" in record) return { ...common, type: record.type, data: record.address };
  if ("target" in record) return { ...common, type: record.type, data: record.target };
  if ("mname" in record) {
    const { mname, rname, serial, refresh, retry, expire, minimum } = record;
    return { ...common, type: "SOA", data: { mname, rname, serial, refresh, retry, expire, minimum } };
  }
  if ("tag" in record) {
    const data = { flags: record.flags, tag: record.tag, value: Buffer.from(record.value).toString("latin1") };
    return { ...common, type: "CAA", data } as packet.Answer;
  }
  throw new Error(`no counterpart for ${type}`);
}

function flat(answer: packet.Answer): unknown {
  if (answer.type === "TXT") {
    const strings = (Array.isArray(answer.data) ? answer.data : [answer.data]).map((s) =>
      Buffer.from(s).toString("hex"),
    );
    return [answer.name, answer.type, answer.ttl, strings];
  }
  if (answer.type === "CAA") return [answer.name, answer.type, answer.data.flags, answer.data.tag, answer.data.value];
  return [answer.name, answer.type, "ttl" in answer ? answer.ttl : 0, "data" in answer ? answer.data : undefined];
}

function flatOurs(record: ResourceRecord): unknown {
  const theirs = toTheirs(record);
  return flat(theirs);
}
