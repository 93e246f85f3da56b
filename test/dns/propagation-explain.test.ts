import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { explain } from "../../src/dns/explain.ts";
import type { AnswerClass, ServerVerdict, Verdict } from "../../src/dns/types.ts";
import { zone } from "./propagation-lab.ts";

const owner = parseName(`_acme-challenge.${zone}`);

function server(n: number, kind: AnswerClass, facts: Partial<ServerVerdict> = {}): ServerVerdict {
  return {
    name: parseName(`ns${n}.${zone}`),
    address: `192.0.2.${n}`,
    zone: parseName(zone),
    owner,
    class: kind,
    excused: false,
    missing: kind === "match" ? [] : ["v1"],
    seen: [],
    ...facts,
  };
}

function explained(servers: readonly ServerVerdict[], status: Verdict["status"] = "timeout") {
  const owners = [{ owner, zone: parseName(zone), discoveryError: undefined, unresolved: [] }];
  return explain({ status, elapsedMs: 300_000, owners, servers, cachedForMs: () => undefined });
}

const serial = (soaSerial: number, firstSoaSerial = soaSerial, mname = `ns1.${zone}`) => ({
  soaSerial,
  firstSoaSerial,
  soaMname: parseName(mname),
});

describe("the explanation of a time-out", () => {
  test("names the server whose transfer lags, and by how much", () => {
    const text = explained([
      server(1, "match", serial(2026112403)),
      server(2, "match", serial(2026112403)),
      server(3, "match", serial(2026112403)),
      server(4, "absent", serial(2026112401)),
    ]);
    expect(text).toContain("3 of 4 nameserver addresses have the value");
    expect(text).toContain("ns4.example.test (192.0.2.4) still has serial 2026112401, 2 serials behind 2026112403");
    expect(text).toContain("NOTIFY");
  });

  test("counts serials across the wrap (RFC 1982)", () => {
    const text = explained([server(1, "match", serial(1)), server(2, "absent", serial(4294967295))]);
    expect(text).toContain("2 serials behind 1");
  });

  test("says that the provider has published nothing when no serial moved", () => {
    const text = explained([server(1, "absent", serial(7)), server(2, "absent", serial(7))]);
    expect(text).toContain("None of the 2 nameserver addresses has published anything");
    expect(text).toContain("serial 7");
  });

  test("says that something else was published when serials moved", () => {
    const text = explained([server(1, "absent", serial(9, 7)), server(2, "absent", serial(9, 7))]);
    expect(text).toContain("serial 7 became 9");
  });

  test("tells two providers sharing a zone by their serials or primaries", () => {
    const far = explained([server(1, "match", serial(1763000000)), server(2, "absent", serial(2026112401))]);
    expect(far).toContain("two DNS services share the zone");
    const primaries = explained([server(1, "match", serial(5)), server(2, "stale", serial(4, 4, "dns.other.example"))]);
    expect(primaries).toContain("dns.other.example");
    expect(primaries).toContain("two DNS services share the zone");
  });

  test("tells a value that was overwritten from one that was never there", () => {
    expect(explained([server(1, "stale", { seen: ["old"] }), server(2, "stale")])).toContain("overwritten");
    expect(explained([server(1, "partial"), server(2, "partial")])).toContain("only some of the values");
  });

  test("blames the delegation when nobody serves the zone", () => {
    const text = explained([server(1, "lame", { rcode: "REFUSED" }), server(2, "broken", { rcode: "SERVFAIL" })]);
    expect(text).toContain("REFUSED and SERVFAIL");
    expect(text).toContain("correct the delegation");
  });

  test("names machines behind one address that do not agree", () => {
    const text = explained([server(1, "match"), server(2, "absent", { nsids: ["fra1", "sin2"] })]);
    expect(text).toContain("fra1 and sin2");
  });

  test("falls back to who is waited for", () => {
    const text = explained([server(1, "match"), server(2, "absent"), server(3, "stale")]);
    expect(text).toContain("1 of 3 nameserver addresses has the value");
    expect(text).toContain("ns2.example.test (192.0.2.2) (absent) and ns3.example.test (192.0.2.3) (stale)");
  });

  test("says how many other names are not ready", () => {
    const others = [1, 2].map((n) => server(1, "absent", { owner: parseName(`_acme-challenge.h${n}.${zone}`) }));
    const owners = [owner, ...others.map((s) => s.owner)].map((o) => ({
      owner: o,
      zone: undefined,
      discoveryError: undefined,
      unresolved: [],
    }));
    const text = explain({
      status: "timeout",
      elapsedMs: 1,
      owners,
      servers: [server(1, "absent"), ...others],
      cachedForMs: () => undefined,
    });
    expect(text).toContain("2 more names are not ready either");
  });
});

test("a success says who did not count", () => {
  expect(explained([server(1, "match"), server(2, "silent", { excused: true })], "propagated")).toBe(
    `1 of 2 nameserver addresses serve ${owner} after 300 s. ns2.example.test (192.0.2.2) (silent) did not count.`,
  );
});

test("one nameserver address is spoken of as one", () => {
  const cache = server(9, "absent", { resolver: true, rcode: "NXDOMAIN" });
  const texts = [
    explained([server(1, "match")], "propagated"),
    explained([server(1, "absent")], "aborted"),
    explained([server(1, "silent")], "blind"),
    explained([server(1, "absent", serial(7))]),
    explained([server(1, "absent")]),
    explained([server(1, "match"), cache]),
  ];
  expect(texts[0]).toBe(`1 nameserver address serves ${owner} after 300 s.`);
  expect(texts[2]).toContain(`The nameserver address of ${owner} does not answer over UDP or TCP`);
  for (const text of texts) expect(text).not.toMatch(/\b(All|the) 1\b|1 nameserver addresses/);
});

test("every status has words, even without a server", () => {
  const statuses = [
    "propagated",
    "timeout",
    "misplaced",
    "blind",
    "no-delegation",
    "dnssec-bogus",
    "aborted",
    "skipped",
  ] as const;
  for (const status of statuses) {
    for (const servers of [
      [],
      [server(1, "match")],
      [server(1, "absent")],
      [server(1, "silent"), server(2, "unroutable")],
    ]) {
      const text = explained(servers, status);
      expect(text.length).toBeGreaterThan(20);
      expect(text).not.toContain("undefined");
    }
  }
});
