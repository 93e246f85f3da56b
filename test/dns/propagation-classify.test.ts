import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { classify } from "../../src/dns/classify.ts";
import type { Answer } from "../../src/dns/exchange.ts";
import type { Message } from "../../src/dns/message.ts";
import { flagged, type Reaction, says, txtRecord } from "../fakes/virtual-servers.ts";

const zone = "example.test";
const owner = `_acme-challenge.${zone}`;
const expected = { owner: parseName(owner), zone: parseName(zone), values: ["one", "two"] };

function heard(reaction: Reaction, values: readonly string[] = expected.values) {
  if (reaction.kind !== "answer") throw new Error("not an answer");
  return classify(asAnswer(reaction.message), { ...expected, values });
}

function asAnswer(message: Message): Answer {
  return { message, transport: "udp", rttMs: 1, queries: { udp: 1, tcp: 0, doh: 0 }, warnings: [] };
}

describe("an answer with TXT records", () => {
  test("with every value is a match, whatever else is there", () => {
    expect(heard(says.txt(owner, ["two", "other", "one"]))).toMatchObject({
      class: "match",
      missing: [],
      foreign: ["other"],
    });
  });
  test("with some of the values is partial and names what is missing", () => {
    expect(heard(says.txt(owner, ["two"]))).toMatchObject({ class: "partial", missing: ["one"] });
  });
  test("with none of them is stale", () => {
    expect(heard(says.txt(owner, ["old", "older"]))).toMatchObject({ class: "stale", foreign: ["old", "older"] });
  });
  test("joins the strings of a record", () => {
    const record = { ...txtRecord(owner, ""), strings: [Buffer.from("on"), Buffer.from("e")] };
    expect(heard(flagged(says.empty(), { answers: [record] }), ["one"]).class).toBe("match");
  });
  test("compares 600 octets in three strings", () => {
    const long = "x".repeat(600);
    expect(heard(says.txt(owner, [long]), [long]).class).toBe("match");
    expect(heard(says.txt(owner, [`${long}y`]), [long]).class).toBe("stale");
  });
  test("compares names without regard to case", () => {
    const record = { ...txtRecord(owner, "one"), name: owner.toUpperCase() as typeof expected.owner };
    expect(heard(flagged(says.empty(), { answers: [record] }), ["one"]).class).toBe("match");
  });
  test("compares values with regard to case", () => {
    expect(heard(says.txt(owner, ["ONE"]), ["one"]).class).toBe("stale");
  });
  test("at another name is no answer to the question", () => {
    expect(heard(says.txt(`www.${zone}`, ["one", "two"])).class).toBe("absent-nosoa");
  });
  test("that says NXDOMAIN is absent even if the values are there", () => {
    expect(heard(flagged(says.txt(owner, ["one", "two"]), { rcode: "NXDOMAIN" }))).toMatchObject({
      class: "absent-nosoa",
      missing: ["one", "two"],
    });
  });
  test("without AA is lame even if the values are there", () => {
    expect(heard(flagged(says.txt(owner, ["one", "two"]), { authoritative: false })).class).toBe("lame");
  });
  test.each([1, 8, 9, 20, 21, 40, 200])("finds the value among %i", (n) => {
    const values = Array.from({ length: n }, (_, i) => `value-${i}`);
    expect(heard(says.txt(owner, values), [`value-${n - 1}`]).class).toBe("match");
  });
});

describe("an empty answer", () => {
  test("with SOA is absent and carries serial and negative TTL", () => {
    const soa = { serial: 2026112401, ttl: 120, minimum: 3600 };
    expect(heard(says.nxdomain(zone, soa))).toMatchObject({
      class: "absent",
      negativeTtlSeconds: 120,
      soa: { serial: 2026112401 },
    });
    expect(heard(says.nodata(zone, { ttl: 900, minimum: 60 }))).toMatchObject({
      class: "absent",
      negativeTtlSeconds: 60,
    });
  });
  test("without SOA says so", () => {
    expect(heard(says.empty()).class).toBe("absent-nosoa");
    expect(heard(flagged(says.empty(), { rcode: "NXDOMAIN" })).class).toBe("absent-nosoa");
  });
  test("from the zone above is told apart in words", () => {
    expect(heard(says.nxdomain("test"))).toMatchObject({ class: "absent", note: "answers from the zone test" });
  });
  test("that is truncated says nothing about the name", () => {
    expect(heard(flagged(says.empty(), { truncated: true })).class).toBe("broken");
    expect(heard(flagged(says.txt(owner, ["one"]), { truncated: true })).class).toBe("broken");
  });
});

describe("an alias", () => {
  test("at the owner hides everything else", () => {
    const both = flagged(says.cname(owner, "a.example.org"), {});
    expect(heard(both)).toMatchObject({ class: "alias", alias: { kind: "CNAME", target: "a.example.org" } });
  });
  test("is seen even when the server also has the records at its target", () => {
    const cname = says.cname(owner, "a.example.org");
    if (cname.kind !== "answer") throw new Error("not an answer");
    const answers = [...cname.message.answers, txtRecord("a.example.org", "one"), txtRecord("a.example.org", "two")];
    expect(heard(flagged(cname, { answers })).class).toBe("alias");
  });
  test("by DNAME above the owner is computed", () => {
    const dname = heard(says.dname(zone, "moved.example.org"));
    expect(dname).toMatchObject({
      class: "alias",
      alias: { kind: "DNAME", target: "_acme-challenge.moved.example.org" },
    });
  });
});

describe("an answer without AA", () => {
  test("that points below the zone is a referral", () => {
    expect(heard(says.referral(owner, ["ns.example.org"]))).toMatchObject({ class: "referral", cut: owner });
  });
  test.each([
    ["to the zone itself", zone],
    ["upwards", "test"],
    ["to the root", "."],
    ["beside the owner", `www.${zone}`],
  ])("that points %s is lame", (_, cut) => {
    expect(heard(says.referral(cut, ["ns.example.org"])).class).toBe("lame");
  });
  test("but with RA looks like an intercepted port", () => {
    const resolver = flagged(says.nxdomain(zone), { authoritative: false, recursionAvailable: true });
    expect(heard(resolver)).toMatchObject({ class: "lame", recursive: true });
  });
});

describe("a response code", () => {
  test.each(["REFUSED", "NOTAUTH", "NOTZONE"] as const)("%s means lame", (rcode) => {
    expect(heard(says.rcode(rcode)).class).toBe("lame");
  });
  test.each(["SERVFAIL", "FORMERR", "NOTIMP", "BADVERS", "YXDOMAIN", "RCODE3841"] as const)(
    "%s means broken",
    (rcode) => {
      expect(heard(says.rcode(rcode)).class).toBe("broken");
    },
  );
  test("comes with the extended errors in the server's words", () => {
    const data = Uint8Array.from([0, 22, ...Buffer.from("no server for the zone")]);
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [{ code: 15, data }] };
    const [error] = heard(flagged(says.rcode("SERVFAIL"), { edns })).extended;
    expect(error).toEqual({ code: 22, text: "EDE 22 No Reachable Authority: no server for the zone" });
  });

  test("in which there is nothing that a terminal obeys, and no line that looks like ours", () => {
    const words = "blocked\u001b]0;title\u0007 \u202eby\r\n\nerror CONFIG: forged\0";
    const data = Uint8Array.from([0, 15, ...Buffer.from(words)]);
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [{ code: 15, data }] };
    const [error] = heard(flagged(says.rcode("REFUSED"), { edns })).extended;
    expect(error?.text).toBe("EDE 15 Blocked: blocked ]0;title by error CONFIG: forged");
  });
});
