import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { escapeXml } from "../fakes/xml.ts";
import { countOf, example, operations, withProgram } from "./route53-program.ts";

const owner = "_acme-challenge.example.com";
const fqdn = parseName(owner);

const refusal = (code: string, message: string, status = 400) => ({
  status,
  headers: { "content-type": "text/xml" },
  body:
    '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">' +
    `<Error><Type>Sender</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` +
    "<RequestId>7a1b</RequestId></ErrorResponse>",
});

describe("the choice of the zone", () => {
  test("passes over a private twin", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      const twin = fake.addZone(example, { isPrivate: true });
      await program.present({ [owner]: ["v"] });
      expect(fake.sets(zoneId).some(({ type }) => type === "TXT")).toBe(true);
      expect(fake.sets(twin).some(({ type }) => type === "TXT")).toBe(false);
      expect(program.warnings()).toEqual([]);
    });
  });

  test("takes the private twin where that is asked for, or pinned", async () => {
    await withProgram(async ({ fake }, connect) => {
      const twin = fake.addZone(example, { isPrivate: true });
      for (const config of [{ privateZone: true }, { hostedZoneID: `/hostedzone/${twin}` }]) {
        const program = await connect(config);
        await program.present({ [owner]: ["v"] });
        expect(fake.sets(twin).some(({ type }) => type === "TXT")).toBe(true);
        await program.cleanUp({ [owner]: ["v"] });
        expect(fake.sets(twin).some(({ type }) => type === "TXT")).toBe(false);
      }
    });
  });

  test("does not claim that there are no zones when those of the other kind fill the first page", async () => {
    await withProgram(async ({ fake, program }) => {
      for (const name of ["aa.com", "ab.com"]) fake.addZone(parseName(name), { isPrivate: true });
      const error = await program.present({ "_acme-challenge.nowhere.test": ["v"] }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ZONE_NOT_FOUND" });
      expect(String(error)).not.toContain("these credentials see");
    });
  });

  test("says why a zone that is only private was left out", async () => {
    await withProgram(async ({ fake, program }) => {
      fake.addZone(parseName("inner.test"), { isPrivate: true });
      await expect(program.present({ "_acme-challenge.inner.test": ["v"] })).rejects.toMatchObject({
        code: "ZONE_NOT_FOUND",
      });
      expect(program.warnings().join()).toMatch(/inner\.test is private and left out; hostedZoneID would take it/);
    });
  });

  test("refuses two public zones of one name and names both, over several pages", async () => {
    await withProgram(
      async ({ fake, zoneId, program }, connect) => {
        const second = fake.addZone(example);
        fake.addZone(example, { isPrivate: true });
        await expect(program.present({ [owner]: ["v"] })).rejects.toMatchObject({
          code: "REJECTED",
          message: expect.stringContaining(`2 hosted zones named example.com: ${zoneId}, ${second}`),
          hint: expect.stringContaining("hostedZoneID"),
        });
        await (await connect({ hostedZoneID: second })).present({ [owner]: ["v"] });
        expect(fake.sets(second).filter(({ type }) => type === "TXT")).toHaveLength(1);
      },
      { pageSize: 1 },
    );
  });

  test("lists no zones where one is pinned, and asks for no right but those on it", async () => {
    await withProgram(async ({ fake, zoneId }, connect) => {
      fake.deny("ListHostedZonesByName", "GetChange");
      const program = await connect({ hostedZoneID: zoneId });
      await program.present({ "_acme-challenge.a.b.example.com": ["v"] });
      await expect(program.present({ "_acme-challenge.example.org": ["v"] })).rejects.toMatchObject({
        code: "ZONE_NOT_FOUND",
      });
      expect(countOf(fake, "ListHostedZonesByName")).toBe(0);
    });
  });

  test("takes a pinned zone that shows no records of its apex, as stand-ins of the service have them", async () => {
    await withProgram(async ({ fake, zoneId }, connect) => {
      const sets =
        '<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets>' +
        "</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>10</MaxItems></ListResourceRecordSetsResponse>";
      fake.http.inject({
        kind: "reply",
        times: 10,
        when: (_operation, { query }) => query.get("maxitems") === "10",
        reply: () => ({ headers: { "content-type": "text/xml" }, body: sets }),
      });
      const program = await connect({ hostedZoneID: zoneId });
      await program.present({ [owner]: ["v"] });
      expect(fake.sets(zoneId).some(({ type }) => type === "TXT")).toBe(true);
      expect(countOf(fake, "GetHostedZone")).toBeGreaterThan(0);
    });
  });

  test("explains a missing right and a pinned zone that does not exist", async () => {
    await withProgram(async ({ fake, program }, connect) => {
      const gone = await connect({ hostedZoneID: "ZNOWHERE" });
      await expect(gone.present({ [owner]: ["v"] })).rejects.toMatchObject({
        code: "ZONE_NOT_FOUND",
        message: expect.stringContaining("No hosted zone found with ID: ZNOWHERE (NoSuchHostedZone)"),
      });
      fake.deny("ListHostedZonesByName");
      await expect(program.present({ [owner]: ["v"] })).rejects.toMatchObject({
        code: "AUTH",
        message: expect.stringMatching(/not authorized to perform: route53:ListHostedZonesByName.*\(AccessDenied\)$/),
      });
    });
  });
});

describe("what the service refuses for good", () => {
  test("a CNAME at the name", async () => {
    await withProgram(async ({ fake, zoneId, program }) => {
      fake.putSet(zoneId, { name: fqdn, type: "CNAME", ttl: 60, values: ["elsewhere.example."] });
      await expect(program.present({ [owner]: ["v"] })).rejects.toMatchObject({
        code: "REJECTED",
        serviceCode: "InvalidChangeBatch",
        message: expect.stringContaining("a conflicting RRSet of type CNAME with the same DNS name already exists"),
        hint: expect.stringContaining("CNAME"),
      });
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(1);
    });
  });

  test.each([
    ["[RRSet with DNS name x. is not permitted in zone y.]", /hostedZoneID/],
    ["[Invalid Resource Record: 'FATAL problem: TXTRDATATooLong encountered with '\"x\"'']", undefined],
    ["[The request contains an invalid set of changes for a resource record set 'TXT x.']", undefined],
  ])("%s", async (message, hint) => {
    await withProgram(async ({ fake, program }) => {
      fake.http.inject({
        kind: "reply",
        when: ({ write }) => write,
        reply: () => refusal("InvalidChangeBatch", message),
      });
      await expect(program.present({ [owner]: ["v"] })).rejects.toMatchObject({
        code: "REJECTED",
        hint: hint === undefined ? undefined : expect.stringMatching(hint),
      });
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(1);
    });
  });
});

describe("weather", () => {
  test.each([
    ["Throttling", "Rate exceeded"],
    ["PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request."],
  ])("%s is waited out", async (code, message) => {
    await withProgram(async ({ fake, program }) => {
      fake.http.inject({ kind: "reply", when: ({ write }) => write, times: 3, reply: () => refusal(code, message) });
      await program.present({ [owner]: ["v"] });
      expect(fake.values(example, fqdn)).toEqual(["v"]);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(4);
      const retries = program.events.filter((event) => event.type === "retry");
      expect(retries.map(({ code: told }) => told)).toEqual(["RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"]);
    });
  });

  test("a Retry-After is kept", async () => {
    await withProgram(async ({ fake, program }) => {
      fake.http.inject({ kind: "throttleRetryAfter", retryAfterSeconds: 7, when: ({ write }) => write });
      await program.present({ [owner]: ["v"] });
      const [retry] = program.events.filter((event) => event.type === "retry");
      expect(retry?.waitMs).toBeGreaterThanOrEqual(7000);
    });
  });

  test("a change whose answer was lost is found by reading, not made again", async () => {
    await withProgram(async ({ fake, program }) => {
      fake.http.inject({ kind: "lostResponse", when: ({ write }) => write });
      await program.present({ [owner]: ["v"] });
      expect(fake.values(example, fqdn)).toEqual(["v"]);
      expect(countOf(fake, "ChangeResourceRecordSets")).toBe(1);
      expect(program.events.some((event) => event.type === "txt.added")).toBe(true);
    });
  });

  test.each(["error500", "reset", "throttle", "html502"] as const)(
    "the SDK repeats nothing by itself: %s",
    async (kind) => {
      await withProgram(async ({ fake }, connect) => {
        const program = await connect({}, { once: true });
        fake.http.inject({ kind, times: Number.POSITIVE_INFINITY });
        await expect(program.present({ [owner]: ["v"] })).rejects.toMatchObject({ retryable: true });
        expect(operations(fake)).toHaveLength(1);
      });
    },
  );

  test("a clock that is off is set by the service's, once", async () => {
    const offMs = 3 * 3_600_000;
    await withProgram(
      async ({ fake, program }) => {
        await program.present({ [owner]: ["v"] });
        expect(fake.values(example, fqdn)).toEqual(["v"]);
        expect(program.events.filter((event) => event.type === "retry")).toHaveLength(1);
      },
      { now: () => Date.now() + offMs },
    );
  });
});

describe("waiting for INSYNC", () => {
  const config = { waitForInsync: true };

  test("asks until the change is everywhere, after adding only", async () => {
    await withProgram(
      async ({ fake, program }) => {
        await program.present({ [owner]: ["v"] });
        expect(operations(fake).slice(-4)).toEqual(["ChangeResourceRecordSets", "GetChange", "GetChange", "GetChange"]);
        fake.http.clearCalls();
        await program.present({ [owner]: ["v"] });
        await program.cleanUp({ [owner]: ["v"] });
        expect(countOf(fake, "GetChange")).toBe(0);
        expect(program.warnings()).toEqual([]);
      },
      { config, pendingPolls: 2 },
    );
  });

  test("never files the change again, whatever the polls meet", async () => {
    await withProgram(
      async ({ fake, program }) => {
        const poll = { when: ({ operation }: { operation: string }) => operation === "GetChange" };
        const kinds = ["throttle", "error500", "reset", "html200"] as const;
        for (const [i, kind] of kinds.entries()) fake.http.inject({ kind, nth: i + 1, ...poll });
        await program.present({ [owner]: ["v"] });
        expect(countOf(fake, "ChangeResourceRecordSets")).toBe(1);
        expect(countOf(fake, "GetChange")).toBe(6);
      },
      // The shortest pauses, and a minute that is six seconds: six polls fit into it on a busy machine too.
      { config, clock: createFastClock(10, () => 0) },
    );
  });

  test("leaves it to the propagation check where the right is missing or a minute is over", async () => {
    await withProgram(
      async ({ fake, program }) => {
        fake.deny("GetChange");
        await program.present({ [owner]: ["v"] });
        expect(program.warnings().join()).toMatch(/not waited for INSYNC: .*route53:GetChange/);
        expect(countOf(fake, "GetChange")).toBe(1);
      },
      { config },
    );
    await withProgram(
      async ({ fake, program }) => {
        await program.present({ [owner]: ["v"] });
        expect(program.warnings().join()).toMatch(/not INSYNC after 60 s/);
        expect(countOf(fake, "GetChange")).toBeLessThan(15);
      },
      { config, pendingPolls: 1000 },
    );
  });
});
