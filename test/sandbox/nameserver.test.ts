import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { decodeMessage, encodeMessage, nsidOf, questionOctets, txtStrings, txtValue } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Edns, Message, RecordType, ResourceRecord } from "../../src/dns/message.ts";
import { listenTogether } from "../../src/sandbox/dns-listener.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { ask, overTcp, overUdp, query } from "./dns-client.ts";

let sandbox: Sandbox;
let first: Endpoint;
let resolver: Endpoint;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1, zones: ["example.org"] });
  const [ns1] = sandbox.nameservers;
  if (ns1 === undefined) throw new Error("no nameserver");
  first = ns1;
  resolver = { address: "127.0.0.1", port: Number(sandbox.resolver.split(":")[1]) };
  const { zone } = sandbox;
  zone.addTxt("one.example.test", "1");
  zone.addTxt("deep.ent.example.test", "below an empty non-terminal");
  zone.addTxt("*.wild.example.test", "synthesised");
  zone.addTxt("real.wild.example.test", "real");
  zone.addTxt("x.sub.real2.wild.example.test", "below");
  zone.addCname("*.wildalias.example.test", "one.example.test");
  zone.addCname("c1.example.test", "c2.example.test");
  zone.addCname("c2.example.test", "one.example.test");
  zone.addCname("c3.example.test", "missing.example.test");
  zone.addCname("out.example.test", "alias.delegated.test");
  zone.addCname("loop1.example.test", "loop2.example.test");
  zone.addCname("loop2.example.test", "loop1.example.test");
  zone.addTxt("alias.delegated.test", "over there");
  zone.add([
    { name: parseName("moved.example.test"), class: "IN", ttl: 60, type: "DNAME", target: parseName("delegated.test") },
  ]);
  zone.add([
    {
      name: parseName("cut.example.test"),
      class: "IN",
      ttl: 60,
      type: "NS",
      target: parseName("ns1.cut.example.test"),
    },
  ]);
  zone.add([{ name: parseName("ns1.cut.example.test"), class: "IN", ttl: 60, type: "A", address: "127.0.0.1" }]);
  for (let i = 0; i < 40; i++) zone.addTxt("many.example.test", `${"v".repeat(40)}${i}`);
});
afterAll(() => sandbox.close());

const types = (records: readonly ResourceRecord[]) => records.map((r) => `${r.name} ${r.type}`);
const values = (message: Message) => message.answers.flatMap((r) => txtValue(r) ?? []);
const edns = (udpSize: number, options: Edns["options"] = []): { readonly edns: Edns } => ({
  edns: { udpSize, version: 0, dnssecOk: false, options },
});

describe("an authoritative answer", () => {
  test.each<[string, RecordType, string, readonly string[], readonly string[]]>([
    ["one.example.test", "TXT", "NOERROR", ["one.example.test TXT"], []],
    ["one.example.test", "CAA", "NOERROR", [], ["example.test SOA"]],
    ["one.example.test", "TYPE65280", "NOERROR", [], ["example.test SOA"]],
    ["none.example.test", "TXT", "NXDOMAIN", [], ["example.test SOA"]],
    ["ent.example.test", "TXT", "NOERROR", [], ["example.test SOA"]],
    ["below.one.example.test", "TXT", "NXDOMAIN", [], ["example.test SOA"]],
    ["any.wild.example.test", "TXT", "NOERROR", ["any.wild.example.test TXT"], []],
    ["a.b.wild.example.test", "TXT", "NOERROR", ["a.b.wild.example.test TXT"], []],
    ["any.wild.example.test", "A", "NOERROR", [], ["example.test SOA"]],
    // RFC 4592 §2.2.1: a name that exists, if only because of names below it, hides the wildcard.
    ["real2.wild.example.test", "TXT", "NOERROR", [], ["example.test SOA"]],
    ["other.real2.wild.example.test", "TXT", "NXDOMAIN", [], ["example.test SOA"]],
    ["below.real.wild.example.test", "TXT", "NXDOMAIN", [], ["example.test SOA"]],
    ["*.wild.example.test", "TXT", "NOERROR", ["*.wild.example.test TXT"], []],
    ["z.wildalias.example.test", "TXT", "NOERROR", ["z.wildalias.example.test CNAME", "one.example.test TXT"], []],
    [
      "c1.example.test",
      "TXT",
      "NOERROR",
      ["c1.example.test CNAME", "c2.example.test CNAME", "one.example.test TXT"],
      [],
    ],
    ["c1.example.test", "CNAME", "NOERROR", ["c1.example.test CNAME"], []],
    ["c1.example.test", "A", "NOERROR", ["c1.example.test CNAME", "c2.example.test CNAME"], ["example.test SOA"]],
    // RFC 2308 §2.1: the rcode is that of the last name.
    ["c3.example.test", "TXT", "NXDOMAIN", ["c3.example.test CNAME"], ["example.test SOA"]],
    ["out.example.test", "TXT", "NOERROR", ["out.example.test CNAME"], []],
    ["loop1.example.test", "TXT", "NOERROR", ["loop1.example.test CNAME", "loop2.example.test CNAME"], []],
    ["alias.moved.example.test", "TXT", "NOERROR", ["moved.example.test DNAME", "alias.moved.example.test CNAME"], []],
    ["example.test", "SOA", "NOERROR", ["example.test SOA"], []],
    ["child.example.test", "SOA", "NOERROR", ["child.example.test SOA"], []],
    ["child.example.test", "DS", "NOERROR", [], ["example.test SOA"]],
  ])("to %s %s is %s", async (name, type, rcode, answers, authorities) => {
    const reply = await ask(first, query(name, type));
    expect([reply.rcode, reply.authoritative]).toEqual([rcode, true]);
    expect([types(reply.answers), types(reply.authorities)]).toEqual([answers, authorities]);
    expect(reply.recursionAvailable).toBe(false);
  });

  test("for a name below a cut is a referral with glue and without AA", async () => {
    const reply = await ask(first, query("a.cut.example.test", "TXT"));
    expect([reply.rcode, reply.authoritative, reply.answers.length]).toEqual(["NOERROR", false, 0]);
    expect(types(reply.authorities)).toEqual(["cut.example.test NS"]);
    expect(types(reply.additionals)).toEqual(["ns1.cut.example.test A"]);
  });

  test("outside its zones is REFUSED, and transfers are", async () => {
    expect((await ask(first, query("example.com", "A"))).rcode).toBe("REFUSED");
    expect((await ask(first, query("example.test", "AXFR"))).rcode).toBe("REFUSED");
  });

  test("names both nameservers, with their addresses", async () => {
    const reply = await ask(first, query("example.test", "NS"));
    expect(types(reply.answers)).toEqual(["example.test NS", "example.test NS"]);
    const addresses = reply.additionals.flatMap((r) => ("address" in r ? [r.address] : []));
    expect(addresses).toEqual(sandbox.nameservers.map((s) => s.address));
  });

  test("has the shorter of SOA TTL and minimum on negative answers (RFC 2308 §5)", async () => {
    const [soa] = (await ask(first, query("none.example.test", "TXT"))).authorities;
    expect(soa).toMatchObject({ type: "SOA", ttl: 60, minimum: 60 });
  });

  test("gives the question back in its own letter case", async () => {
    const octets = encodeMessage(query("one.example.test", "TXT"));
    const mixed = Buffer.from(octets.map((o, i) => (i >= 12 && i % 2 === 0 && o >= 97 && o <= 122 ? o - 32 : o)));
    const reply = await overUdp(first, mixed);
    expect(Buffer.from(questionOctets(reply ?? new Uint8Array(12)) ?? [])).toEqual(
      Buffer.from(questionOctets(mixed) ?? []),
    );
    expect(values(decodeMessage(reply ?? new Uint8Array()))).toEqual(["1"]);
  });

  test("below a DNAME that leads to a name that is too long is YXDOMAIN (RFC 6672 §3.2)", async () => {
    const label = "a".repeat(60);
    const target = parseName(`${label}.${label}.example.test`);
    sandbox.zone.add([{ name: parseName("far.example.test"), class: "IN", ttl: 60, type: "DNAME", target }]);
    const reply = await ask(first, query(`${label}.${label}.far.example.test`, "TXT"));
    expect([reply.rcode, types(reply.answers)]).toEqual(["YXDOMAIN", ["far.example.test DNAME"]]);
  });

  test("that no message can hold is SERVFAIL", async () => {
    const strings = txtStrings("v".repeat(60_000));
    const name = parseName("too-much.example.test");
    for (const end of ["a", "b"]) {
      const more = [...strings, ...txtStrings(end)];
      sandbox.zone.add([{ name, class: "IN", ttl: 60, type: "TXT", strings: more }]);
    }
    expect((await ask(first, query("too-much.example.test", "TXT"))).rcode).toBe("SERVFAIL");
    expect((await ask(first, query("one.example.test", "TXT"))).rcode).toBe("NOERROR");
  });

  test("repeats id, RD and CD", async () => {
    const reply = await ask(
      first,
      query("one.example.test", "TXT", { id: 65_000, recursionDesired: true, checkingDisabled: true }),
    );
    expect(reply).toMatchObject({ id: 65_000, response: true, recursionDesired: true, checkingDisabled: true });
  });
});

describe("size and EDNS", () => {
  test("beyond 512 octets without EDNS, or beyond what EDNS allows, TC is set and TCP has the rest", async () => {
    for (const more of [{}, edns(512), edns(1232), edns(4096)]) {
      const octets = await overUdp(first, encodeMessage(query("many.example.test", "TXT", more)));
      const reply = decodeMessage(octets ?? new Uint8Array());
      expect([reply.truncated, reply.answers.length]).toEqual([true, 0]);
      expect(octets?.length).toBeLessThanOrEqual(512);
    }
    const [whole] = await overTcp(first, [encodeMessage(query("many.example.test", "TXT"))]);
    expect(values(decodeMessage(whole ?? new Uint8Array()))).toHaveLength(40);
  });

  test("OPT is answered with OPT, and only then", async () => {
    expect((await ask(first, query("one.example.test", "TXT", edns(1232)))).edns).toMatchObject({
      udpSize: 1232,
      version: 0,
    });
    expect((await ask(first, query("one.example.test", "TXT"))).edns).toBeUndefined();
  });

  test("an unknown EDNS version is BADVERS", async () => {
    const future = { edns: { udpSize: 1232, version: 1, dnssecOk: false, options: [] } };
    expect((await ask(first, query("one.example.test", "TXT", future))).rcode).toBe("BADVERS");
  });

  test("NSID tells the two servers apart when it is asked for", async () => {
    const wanted = edns(1232, [{ code: 3, data: new Uint8Array() }]);
    const ids = await Promise.all(
      sandbox.nameservers.map(async (s) => nsidOf(await ask(s, query("one.example.test", "TXT", wanted)))),
    );
    expect(ids).toEqual(["ns1.example.test@127.0.0.1", "ns2.example.test@127.0.0.2"]);
    expect(nsidOf(await ask(first, query("one.example.test", "TXT", edns(1232))))).toBeUndefined();
  });
});

describe("the wire", () => {
  test("several questions on one TCP connection, in pieces of one octet, get an answer each", async () => {
    const questions = [1, 2, 3].map((id) => encodeMessage(query("one.example.test", "TXT", { id })));
    const replies = await overTcp(first, questions, 1);
    expect(replies.map((r) => decodeMessage(r).id)).toEqual([1, 2, 3]);
  });

  test("what is no message gets FORMERR with its id, a response or a fragment gets nothing", async () => {
    const whole = encodeMessage(query("one.example.test", "TXT"));
    const broken = await overUdp(first, whole.subarray(0, whole.length - 3));
    expect(decodeMessage(broken ?? new Uint8Array())).toMatchObject({ id: 4711, response: true, rcode: "FORMERR" });
    expect(
      await overUdp(first, encodeMessage(query("one.example.test", "TXT", { response: true })), 50),
    ).toBeUndefined();
    expect(await overUdp(first, whole.subarray(0, 5), 50)).toBeUndefined();
  });

  test("other opcodes are NOTIMP, two questions or none FORMERR", async () => {
    expect((await ask(first, query("example.test", "SOA", { opcode: "NOTIFY" }))).rcode).toBe("NOTIMP");
    const [question] = query("example.test", "SOA").questions;
    if (question === undefined) throw new Error("no question");
    expect((await ask(first, query("example.test", "SOA", { questions: [question, question] }))).rcode).toBe("FORMERR");
    expect((await ask(first, query("example.test", "SOA", { questions: [] }))).rcode).toBe("FORMERR");
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((i) => i.address === "::1"));

test.skipIf(!hasIpv6)("where 127.0.0.2 does not exist, ::1 shares the port with 127.0.0.1", async () => {
  const handler = (octets: Uint8Array) => octets;
  const listeners = await listenTogether([
    { address: "127.0.0.1", handler },
    { address: "::1", handler },
  ]);
  try {
    expect(new Set(listeners.map((l) => l.port)).size).toBe(1);
    for (const listener of listeners) {
      expect(await overUdp(listener, Uint8Array.of(1, 2))).toEqual(Buffer.from([1, 2]));
      expect(await overTcp(listener, [Uint8Array.of(3)])).toEqual([Buffer.from([3])]);
    }
  } finally {
    await Promise.all(listeners.map((l) => l.close()));
  }
});

describe("the parent and the resolver", () => {
  test("the root refers to test, test to each zone below it", async () => {
    const { root } = sandbox;
    if (root === undefined) return;
    const down = await Promise.all(
      ["example.test", "delegated.test", "example.org"].map(async (name) =>
        types((await ask(root, query(`x.${name}`, "A"))).authorities),
      ),
    );
    expect(down).toEqual([
      ["example.test NS", "example.test NS"],
      ["delegated.test NS", "delegated.test NS"],
      ["example.org NS", "example.org NS"],
    ]);
    expect((await ask(root, query("nonesuch.test", "A"))).rcode).toBe("NXDOMAIN");
  });

  test.each<[string, RecordType, string, readonly string[]]>([
    ["out.example.test", "TXT", "NOERROR", ["out.example.test CNAME", "alias.delegated.test TXT"]],
    [
      "alias.moved.example.test",
      "TXT",
      "NOERROR",
      ["moved.example.test DNAME", "alias.moved.example.test CNAME", "alias.delegated.test TXT"],
    ],
    ["c3.example.test", "TXT", "NXDOMAIN", ["c3.example.test CNAME"]],
    ["child.example.test", "NS", "NOERROR", ["child.example.test NS", "child.example.test NS"]],
    ["ns1.delegated.test", "A", "NOERROR", ["ns1.delegated.test A"]],
    ["example.org", "SOA", "NOERROR", ["example.org SOA"]],
    ["test", "SOA", "NOERROR", ["test SOA"]],
    ["nonesuch.invalid", "A", "NXDOMAIN", []],
    ["loop1.example.test", "TXT", "SERVFAIL", []],
  ])("the resolver gives %s %s as %s", async (name, type, rcode, answers) => {
    const reply = await ask(resolver, query(name, type, { recursionDesired: true }));
    expect([reply.rcode, reply.recursionAvailable, reply.authoritative]).toEqual([rcode, true, false]);
    expect(types(reply.answers)).toEqual(answers);
  });

  test("the SOA walk of other clients ends at the zone", async () => {
    const reply = await ask(resolver, query("_acme-challenge.a.b.example.test", "SOA", { recursionDesired: true }));
    expect([reply.rcode, types(reply.authorities)]).toEqual(["NXDOMAIN", ["example.test SOA"]]);
  });
});
