import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { decodeMessage, encodeMessage } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Message, ResourceRecord } from "../../src/dns/message.ts";
import { serverClockOf, signTsig, verifyTsig } from "../../src/dns/tsig.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { empty, overTcp, overUdp, query, txt, update } from "./dns-client.ts";

let sandbox: Sandbox;
let key: TsigKey;
let primary: Endpoint;
let secondary: Endpoint;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  key = keyOf(sandbox);
  const [one, two] = sandbox.nameservers;
  if (one === undefined || two === undefined) throw new Error("two nameservers were expected");
  primary = one;
  secondary = two;
});
afterAll(() => sandbox.close());

function keyOf({ tsig }: Sandbox): TsigKey {
  return { name: parseName(tsig.keyName), algorithm: tsig.algorithm, secret: Buffer.from(tsig.secret, "base64") };
}

const seconds = () => Math.floor(Date.now() / 1000);

/** Sends an update; checks the signature of the answer when there has to be one. */
async function send(
  message: Message,
  to = primary,
  signer: TsigKey | "unsigned" = key,
  now = seconds(),
): Promise<Message> {
  const plain = encodeMessage(message);
  const signed = signer === "unsigned" ? undefined : signTsig(plain, signer, { now });
  const [reply] = await overTcp(to, [signed?.octets ?? plain]);
  if (reply === undefined) throw new Error("no answer");
  if (signed !== undefined && signer === key) {
    expect(verifyTsig(reply, [key], { now, requestMac: signed.mac }).status).toBe("ok");
  }
  return decodeMessage(reply);
}

const rcode = async (...args: Parameters<typeof send>) => (await send(...args)).rcode;
const seen = (name: string) => sandbox.zone.txt(name);
const serial = () => sandbox.zone.serial("example.test") ?? 0;

describe("changes", () => {
  test("several values and names go in with one message and one new serial", async () => {
    const before = serial();
    expect(
      await rcode(
        update("example.test", [txt("a.example.test", "1"), txt("a.example.test", "2"), txt("b.example.test", "3")]),
      ),
    ).toBe("NOERROR");
    expect([seen("a.example.test"), seen("b.example.test")]).toEqual([["1", "2"], ["3"]]);
    expect(serial()).toBe(before + 1);
  });

  test("adding what is there and deleting what is not are NOERROR and leave the serial", async () => {
    await send(update("example.test", [txt("c.example.test", "1")]));
    const before = serial();
    expect(await rcode(update("example.test", [txt("c.example.test", "1")]))).toBe("NOERROR");
    expect(
      await rcode(update("example.test", [txt("c.example.test", "other", "NONE"), empty("none.example.test", "TXT")])),
    ).toBe("NOERROR");
    expect([seen("c.example.test"), serial()]).toEqual([["1"], before]);
  });

  test("one value, one set or a whole name can be taken away", async () => {
    const all = ["1", "2", "3"].map((v) => txt("d.example.test", v));
    const address: ResourceRecord = {
      name: parseName("d.example.test"),
      class: "IN",
      ttl: 60,
      type: "A",
      address: "192.0.2.1",
    };
    await send(update("example.test", [...all, address]));
    await send(update("example.test", [txt("d.example.test", "2", "NONE")]));
    expect(seen("d.example.test")).toEqual(["1", "3"]);
    await send(update("example.test", [empty("d.example.test", "TXT")]));
    expect(seen("d.example.test")).toEqual([]);
    const at = async () =>
      decodeMessage((await overUdp(primary, encodeMessage(query("d.example.test", "A")))) ?? new Uint8Array());
    expect((await at()).answers).toHaveLength(1);
    await send(update("example.test", [empty("d.example.test", "ANY")]));
    expect((await at()).rcode).toBe("NXDOMAIN");
  });

  test("a new value brings its TTL to its siblings (RFC 2181 §5.2)", async () => {
    await send(update("example.test", [txt("e.example.test", "1")]));
    await send(update("example.test", [txt("e.example.test", "2", "IN", 120)]));
    const octets = await overUdp(primary, encodeMessage(query("e.example.test", "TXT")));
    expect(decodeMessage(octets ?? new Uint8Array()).answers.map((r) => r.ttl)).toEqual([120, 120]);
  });

  test("TXT at a CNAME is NOERROR and changes nothing; a CNAME beside data as well", async () => {
    sandbox.zone.addCname("f.example.test", "one.delegated.test");
    const before = serial();
    expect(await rcode(update("example.test", [txt("f.example.test", "1")]))).toBe("NOERROR");
    const alias: ResourceRecord = {
      name: parseName("a.example.test"),
      class: "IN",
      ttl: 60,
      type: "CNAME",
      target: parseName("x.test"),
    };
    expect(await rcode(update("example.test", [alias]))).toBe("NOERROR");
    expect([seen("f.example.test"), serial()]).toEqual([[], before]);
  });

  test("SOA and the nameservers of the apex survive every deletion", async () => {
    await send(
      update("example.test", [empty("example.test", "ANY"), empty("example.test", "NS"), empty("example.test", "SOA")]),
    );
    const octets = await overUdp(primary, encodeMessage(query("example.test", "NS")));
    expect(decodeMessage(octets ?? new Uint8Array()).answers).toHaveLength(2);
    expect(serial()).toBeGreaterThan(0);
  });

  test("values of 600 octets go in as strings and come out whole", async () => {
    const long = "x".repeat(600);
    expect(await rcode(update("example.test", [txt("g.example.test", long)]))).toBe("NOERROR");
    expect(seen("g.example.test")).toEqual([long]);
  });

  test("any sequence of additions and removals leaves what a set would hold, and a serial that never falls", async () => {
    const step = fc.tuple(
      fc.constantFrom("add", "remove", "clear"),
      fc.constantFrom("h", "i"),
      fc.constantFrom("1", "2", "3"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const model = new Map<string, Set<string>>([
          ["h", new Set(seen("h.example.test"))],
          ["i", new Set(seen("i.example.test"))],
        ]);
        const before = serial();
        const records = steps.map(([kind, label, value]) => {
          const name = `${label}.example.test`;
          if (kind === "clear") model.get(label)?.clear();
          else if (kind === "add") model.get(label)?.add(value);
          else model.get(label)?.delete(value);
          return kind === "clear" ? empty(name, "TXT") : txt(name, value, kind === "add" ? "IN" : "NONE");
        });
        expect(await rcode(update("example.test", records))).toBe("NOERROR");
        for (const [label, set] of model) expect([...seen(`${label}.example.test`)].sort()).toEqual([...set].sort());
        expect(serial() - before === 0 || serial() - before === 1).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("prerequisites", () => {
  test.each<[string, ResourceRecord, string]>([
    ["name in use", empty("a.example.test", "ANY"), "NOERROR"],
    ["name in use, but it is not", empty("none.example.test", "ANY"), "NXDOMAIN"],
    ["set exists", empty("a.example.test", "TXT"), "NOERROR"],
    ["set exists, but it does not", empty("a.example.test", "A"), "NXRRSET"],
    ["name not in use", empty("none.example.test", "ANY", "NONE"), "NOERROR"],
    ["name not in use, but it is", empty("a.example.test", "ANY", "NONE"), "YXDOMAIN"],
    ["set does not exist", empty("a.example.test", "A", "NONE"), "NOERROR"],
    ["set does not exist, but it does", empty("a.example.test", "TXT", "NONE"), "YXRRSET"],
    ["set has exactly this, but it has more", txt("a.example.test", "1", "IN", 0), "NXRRSET"],
    ["outside the zone", empty("a.delegated.test", "ANY"), "NOTZONE"],
    ["with a TTL", txt("a.example.test", "1", "IN", 5), "FORMERR"],
  ])("%s", async (_, prerequisite, expected) => {
    const value = `for ${expected}`;
    expect(await rcode(update("example.test", [txt("j.example.test", value)], [prerequisite]))).toBe(expected);
    expect(seen("j.example.test").includes(value)).toBe(expected === "NOERROR");
    await send(update("example.test", [empty("j.example.test", "TXT")]));
  });

  test("set has exactly these values, in any order", async () => {
    const both = [txt("a.example.test", "2", "IN", 0), txt("a.example.test", "1", "IN", 0)];
    expect(await rcode(update("example.test", [txt("k.example.test", "1")], both))).toBe("NOERROR");
  });
});

describe("refusals", () => {
  test("one name outside the zone stops the whole message", async () => {
    const before = serial();
    const records = [txt("l.example.test", "1"), txt("l.delegated.test", "1")];
    expect(await rcode(update("example.test", records))).toBe("NOTZONE");
    expect([seen("l.example.test"), serial()]).toEqual([[], before]);
  });

  test("a zone that is not held is NOTAUTH, a zone section of another type FORMERR", async () => {
    expect(await rcode(update("example.com", [txt("a.example.com", "1")]))).toBe("NOTAUTH");
    expect(await rcode(update("a.example.test", [txt("a.example.test", "1")]))).toBe("NOTAUTH");
    const odd = { ...update("example.test", []), questions: query("example.test", "TXT").questions };
    expect(await rcode(odd)).toBe("FORMERR");
  });

  test("without a signature it is REFUSED, at the second nameserver too", async () => {
    expect(await rcode(update("example.test", [txt("m.example.test", "1")]), primary, "unsigned")).toBe("REFUSED");
    expect(await rcode(update("example.test", [txt("m.example.test", "1")]), secondary)).toBe("REFUSED");
    expect(seen("m.example.test")).toEqual([]);
  });

  test("a wrong secret is NOTAUTH with BADSIG, unsigned", async () => {
    const reply = await send(update("example.test", [txt("n.example.test", "1")]), primary, {
      ...key,
      secret: Buffer.from("wrong"),
    });
    expect([reply.rcode, reply.tsig?.error, reply.tsig?.mac.length]).toEqual(["NOTAUTH", 16, 0]);
    expect(seen("n.example.test")).toEqual([]);
  });

  test("an unknown key or another algorithm is NOTAUTH with BADKEY, unsigned", async () => {
    const unknown = { ...key, name: parseName("other-key") };
    const algorithm: TsigKey = { ...key, algorithm: "hmac-sha512" };
    for (const signer of [unknown, algorithm]) {
      const reply = await send(update("example.test", [txt("n.example.test", "1")]), primary, signer);
      expect([reply.rcode, reply.tsig?.error, reply.tsig?.mac.length]).toEqual(["NOTAUTH", 17, 0]);
    }
  });

  test("a clock that is off is NOTAUTH with BADTIME, signed, with the server's clock", async () => {
    const now = seconds() - 3600;
    const signed = signTsig(encodeMessage(update("example.test", [txt("n.example.test", "1")])), key, { now });
    const [octets] = await overTcp(primary, [signed.octets]);
    const reply = decodeMessage(octets ?? new Uint8Array());
    expect([reply.rcode, reply.tsig?.error]).toEqual(["NOTAUTH", 18]);
    expect(verifyTsig(octets ?? new Uint8Array(), [key], { now, requestMac: signed.mac }).status).toBe("ok");
    if (reply.tsig === undefined) throw new Error("no TSIG");
    expect(Math.abs((serverClockOf(reply.tsig) ?? 0) - seconds())).toBeLessThan(5);
  });

  test("signed questions get signed answers", async () => {
    const signed = signTsig(encodeMessage(query("example.test", "SOA")), key, { now: seconds() });
    const reply = await overUdp(primary, signed.octets);
    expect(verifyTsig(reply ?? new Uint8Array(), [key], { now: seconds(), requestMac: signed.mac }).status).toBe("ok");
  });
});

test("the second nameserver serves its older version and serial until the lag is over", async () => {
  const lagging = await startSandbox({ seed: 1, lagMs: Number.POSITIVE_INFINITY });
  try {
    const [one, two] = lagging.nameservers;
    if (one === undefined || two === undefined) throw new Error("two nameservers were expected");
    const message = encodeMessage(update("example.test", [txt("a.example.test", "1")]));
    await overTcp(one, [signTsig(message, keyOf(lagging), { now: seconds() }).octets]);
    const at = async (to: Endpoint) =>
      decodeMessage((await overUdp(to, encodeMessage(query("a.example.test", "TXT")))) ?? new Uint8Array());
    expect([(await at(one)).rcode, (await at(two)).rcode]).toEqual(["NOERROR", "NXDOMAIN"]);
    expect((await at(two)).authorities).toMatchObject([{ type: "SOA", serial: 1 }]);
    expect([lagging.zone.serial("example.test", 0), lagging.zone.serial("example.test", 1)]).toEqual([2, 1]);
    lagging.zone.setLag(0);
    expect((await at(two)).rcode).toBe("NOERROR");
    expect(lagging.zone.serial("example.test", 1)).toBe(2);
  } finally {
    await lagging.close();
  }
});
