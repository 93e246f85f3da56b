import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changesOf, plainName, rrsetOf } from "../../providers/route53/sets.ts";
import { parseName } from "../../src/core/name.ts";
import { txtStrings } from "../fakes/route53-sets.ts";
import { beforeNextWrite, beforeWrite, countOf, example, operations, withProgram } from "./route53-program.ts";

const owner = "_acme-challenge.example.com";
const fqdn = parseName(owner);
const txt = { name: fqdn, type: "TXT" } as const;
const multivalue = (value: string, identifier = value) => ({
  ...txt,
  ttl: 300,
  identifier,
  multivalue: true,
  values: [`"${value}"`],
});

describe("one change batch", () => {
  test("adds the values of apex and wildcard, and one takes them away again", async () => {
    await withProgram(async ({ fake, program }) => {
      await program.present({ [owner]: ["apex", "wildcard"] });
      expect(operations(fake)).toEqual(["ListHostedZonesByName", "ListResourceRecordSets", "ChangeResourceRecordSets"]);
      expect(fake.values(example, fqdn)).toEqual(["apex", "wildcard"]);
      fake.http.clearCalls();
      await program.cleanUp({ [owner]: ["apex", "wildcard"] });
      expect(operations(fake)).toEqual(["ListResourceRecordSets", "ChangeResourceRecordSets"]);
      expect(fake.values(example, fqdn)).toEqual([]);
    });
  });

  test("is split by names where the service's limits of records and characters ask for it", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      const names = Array.from({ length: 30 }, (_, i) => `_acme-challenge.h${i}.example.com`);
      const values = Array.from({ length: 40 }, (_, i) => `value-${i}`);
      const wanted = Object.fromEntries(names.map((name) => [name, values]));
      await program.present(wanted);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(2);
      await program.cleanUp(wanted);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(4);
      const long = Object.fromEntries(names.map((name) => [name, ["x".repeat(3000)]]));
      await program.present(long);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(7);
      expect(fake.sets(zoneId).filter(({ type }) => type === "TXT")).toHaveLength(30);
    });
  });
});

describe("a simple set", () => {
  test("of somebody else is kept as it was spelled, with its TTL", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      const foreign = ['"some" "body"', '"else \\"quoted\\" \\303\\274"'];
      fake.putSet(zoneId, { ...txt, ttl: 4321, values: foreign });
      await program.present({ [owner]: ["ours"] });
      const stored = () => fake.sets(zoneId).filter(({ type }) => type === "TXT");
      expect(stored()).toMatchObject([{ ttl: 4321, values: [...foreign, '"ours"'] }]);
      await program.cleanUp({ [owner]: ["ours"] });
      expect(stored()).toMatchObject([{ ttl: 4321, values: foreign }]);
    });
  });

  test("that holds a value in another spelling holds it: nothing is written, and clean-up takes it out", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      fake.putSet(zoneId, { ...txt, ttl: 5, values: ['"ou" "rs"', '"else"'] });
      await program.present({ [owner]: ["ours"] });
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(0);
      await program.cleanUp({ [owner]: ["ours"] });
      expect(fake.values(example, fqdn)).toEqual(["else"]);
    });
  });
});

describe("the swap", () => {
  test.each<[string, readonly string[], (now: readonly string[]) => readonly string[]]>([
    ["a value came", ["a"], (now) => [...now, '"b"']],
    ["a value went", ["a", "b"], (now) => now.slice(0, 1)],
    ["the set went", ["a"], () => []],
    ["a set came", [], () => ['"b"']],
  ])("is refused and made again with what stands there now: %s", async (_what, before, change) => {
    await withProgram(async ({ fake, zoneId, program }) => {
      const sets = () => fake.sets(zoneId).filter(({ type }) => type === "TXT");
      if (before.length > 0) fake.putSet(zoneId, { ...txt, ttl: 60, values: before.map((v) => `"${v}"`) });
      const after = change(before.map((v) => `"${v}"`));
      beforeNextWrite(fake, () => fake.replaceTxt(zoneId, fqdn, after));
      await program.present({ [owner]: ["ours"] });
      expect(sets().flatMap(({ values }) => values)).toEqual([...after, '"ours"']);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(2);
    });
  });

  test("notices that only the TTL changed", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      fake.putSet(zoneId, { ...txt, ttl: 60, values: ['"a"'] });
      beforeNextWrite(fake, () => fake.replaceTxt(zoneId, fqdn, ['"a"'], 61));
      await program.present({ [owner]: ["ours"] });
      expect(fake.sets(zoneId).filter(({ type }) => type === "TXT")).toMatchObject([
        { ttl: 61, values: ['"a"', '"ours"'] },
      ]);
    });
  });

  test("turns to multivalue sets when somebody makes the first of them in between, and back", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      beforeNextWrite(fake, () => fake.putSet(zoneId, multivalue("theirs")));
      await program.present({ [owner]: ["ours"] });
      expect(fake.sets(zoneId).filter(({ type }) => type === "TXT")).toMatchObject([
        { identifier: "theirs" },
        { identifier: "ours", multivalue: true, values: ['"ours"'], ttl: 300 },
      ]);
      beforeNextWrite(fake, () => fake.replaceTxt(zoneId, fqdn, ['"simple"', '"ours"']));
      await program.cleanUp({ [owner]: ["ours"] });
      expect(fake.sets(zoneId).filter(({ type }) => type === "TXT")).toMatchObject([{ values: ['"simple"'] }]);
    });
  });

  test("works as well where errors come as a document of their own", async () => {
    await withProgram(
      async ({ fake, program }) => {
        beforeNextWrite(fake, () => fake.put(example, fqdn, ["theirs"], 60));
        await program.present({ [owner]: ["ours"] });
        expect(fake.values(example, fqdn)).toEqual(["theirs", "ours"]);
      },
      { bareChangeBatchErrors: true },
    );
  });
});

describe("a service that never forgets what was created, as moto", () => {
  test("takes the same set again and again, and foreign TTLs stay", async () => {
    await withProgram(
      async ({ fake, zoneId, program }) => {
        const values = () => fake.values(example, fqdn);
        for (let round = 1; round <= 3; round++) {
          await program.present({ [owner]: ["a"] });
          await program.present({ [owner]: ["b"] });
          await program.cleanUp({ [owner]: ["b"] });
          expect(values()).toEqual(["a"]);
          await program.cleanUp({ [owner]: ["a"] });
          expect(values()).toEqual([]);
        }
        fake.put(example, fqdn, ["theirs"], 4321);
        for (let round = 1; round <= 2; round++) {
          await program.present({ [owner]: ["a"] });
          await program.cleanUp({ [owner]: ["a"] });
          expect(fake.sets(zoneId).filter(({ type }) => type === "TXT")).toMatchObject([
            { ttl: 4321, values: ['"theirs"'] },
          ]);
        }
      },
      { remembersCreates: true },
    );
  });

  test("still does not overwrite what somebody else creates meanwhile", async () => {
    await withProgram(
      async ({ fake, program }) => {
        await program.present({ [owner]: ["a"] });
        await program.cleanUp({ [owner]: ["a"] });
        beforeWrite(fake, 4, () => fake.put(example, fqdn, ["theirs"], 60));
        await program.present({ [owner]: ["a"] });
        expect(fake.values(example, fqdn)).toEqual(["theirs", "a"]);
      },
      { remembersCreates: true },
    );
  });
});

describe("multivalue sets of somebody else", () => {
  test("are joined by one of ours, over several pages, and left alone when it goes", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      const theirs = ["t1", "t2", "t3", "t4", "t5"].map((value) => ({
        ...multivalue(value),
        healthCheckId: `check-${value}`,
      }));
      for (const set of theirs) fake.putSet(zoneId, set);
      const stored = () => fake.sets(zoneId).filter(({ type }) => type === "TXT");
      const before = stored();
      await program.present({ [owner]: ["ours"] });
      expect(stored().slice(5)).toMatchObject([{ identifier: "ours", multivalue: true, ttl: 300, values: ['"ours"'] }]);
      await program.present({ [owner]: ["ours", "t5"] });
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(1);
      await program.cleanUp({ [owner]: ["ours"] });
      expect(stored()).toEqual(before);
    });
  });

  test("that hold several values lose one and keep the rest", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      fake.putSet(zoneId, { ...multivalue("ours"), values: ['"ours"', '"theirs"'], healthCheckId: "check" });
      fake.putSet(zoneId, multivalue("other"));
      await program.cleanUp({ [owner]: ["ours"] });
      const stored = () => fake.sets(zoneId).filter(({ type }) => type === "TXT");
      expect(stored()).toMatchObject([
        { identifier: "other" },
        { identifier: "ours", values: ['"theirs"'], healthCheckId: "check" },
      ]);
      // The identifier is taken by a set that no longer holds the value.
      await program.present({ [owner]: ["ours"] });
      expect(fake.values(example, fqdn).toSorted()).toEqual(["other", "ours", "theirs"]);
    });
  });

  test("take values that are no identifier", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      fake.putSet(zoneId, multivalue("theirs"));
      const values = ["x".repeat(200), "with space", "ü"];
      await program.present({ [owner]: values });
      expect(fake.values(example, fqdn).toSorted()).toEqual([...values, "theirs"].toSorted());
      await program.cleanUp({ [owner]: values });
      expect(fake.values(example, fqdn)).toEqual(["theirs"]);
    });
  });
});

test.each([
  ["is weighted", { identifier: "a", weight: 10 }],
  ["is routed by latency", { identifier: "a", region: "eu-west-1" }],
  ["is one of a failover", { identifier: "a", failover: "PRIMARY" }],
  ["is an alias", { ttl: undefined, values: [], aliasTarget: { hostedZoneId: "Z1", dnsName: "other.example.com." } }],
])("a set that %s is told and left alone, and no hindrance to cleaning up what is not there", async (words, set) => {
  await withProgram(async ({ fake, zoneId, program }) => {
    fake.putSet(zoneId, { ...txt, ttl: 60, values: ['"theirs"'], ...set });
    const before = fake.sets(zoneId);
    await program.cleanUp({ [owner]: ["ours"] });
    await expect(program.present({ [owner]: ["ours"] })).rejects.toMatchObject({
      code: "REJECTED",
      message: expect.stringContaining(`the TXT set that stands at ${owner} ${words}`),
    });
    expect(fake.sets(zoneId)).toEqual(before);
    expect(countOf(fake, "ChangeResourceRecordSets")).toBe(0);
  });
});

describe("values", () => {
  test("of any characters and length are served as they were given", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 700 }), (value) => {
        const zone = { apex: example, id: "Z1" };
        const target = { zone, fqdn, relative: "_acme-challenge" };
        const next = { values: [value], ttlSeconds: 60 };
        const [created] = changesOf({ owner: target, next });
        const set = created?.ResourceRecordSet;
        const text = set?.ResourceRecords?.[0]?.Value ?? "";
        expect(text).toMatch(/^[\x20-\x7e]+$/);
        const strings = txtStrings(text);
        expect(strings.every((octets) => octets.length <= 255)).toBe(true);
        expect(Buffer.concat(strings).toString()).toBe(value);
        expect(rrsetOf(set === undefined ? [] : [set])?.values).toEqual([value]);
      }),
    );
  });

  test.each([
    ['"plain"', "plain"],
    ['"two" "strings"', "twostrings"],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['"\\303\\274"', "ü"],
    ['"ü"', "ü"],
    ['""', ""],
    ["bare", "bare"],
  ])("that read %s are %s", (text, value) => {
    expect(rrsetOf([{ Name: `${owner}.`, Type: "TXT", TTL: 1, ResourceRecords: [{ Value: text }] }])?.values).toEqual([
      value,
    ]);
  });

  test.each([
    ["EXAMPLE.com.", "example.com"],
    ["\\052.example.com.", "*.example.com"],
    ["_acme-challenge.example.com", "_acme-challenge.example.com"],
  ])("the name %s is %s", (name, plain) => {
    expect(plainName(name)).toBe(plain);
  });
});
