import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dig, serial, txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import { algorithms } from "./lab/keys.ts";
import { type Lab, startLab } from "./lab/lab.ts";
import { until } from "./lab/patience.ts";
import { labServices, whyNot } from "./lab/services.ts";
import { labZones } from "./lab/zones.ts";

const reason = whyNot(labServices);

/** The lab itself: if these fail, nothing that the other suites say can be trusted. */
describe.skipIf(reason !== undefined)(`the lab${reason === undefined ? "" : ` (${reason})`}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab?.stop());

  const plant = (name: string, text: string) =>
    changeZone(lab.realAt("knot"), "example.test", lab.keys["hmac-sha256"], [
      { does: "add", name, type: "TXT", data: text },
    ]);
  const has = async (role: "knot" | "nsd" | "bind", name: string, text: string) =>
    (await txtValues(lab.realAt(role), name)).includes(text);

  test("a change at the primary reaches both secondaries", async () => {
    expect(await plant("now.example.test", "v")).toBe(0);
    for (const role of ["knot", "nsd", "bind"] as const) await until(() => has(role, "now.example.test", "v"));
  });

  test("a secondary that lags does not have the value before its time, the other one does", async () => {
    lab.lag.nsd = 1500;
    const begun = Date.now();
    await plant("late.example.test", "v");
    await until(() => has("bind", "late.example.test", "v"));
    lab.lag.nsd = 0;
    expect(await has("nsd", "late.example.test", "v")).toBe(false);
    await until(() => has("nsd", "late.example.test", "v"));
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1490);
  });

  test.each(algorithms)("both primaries take updates signed with %s", async (algorithm) => {
    const key = lab.keys[algorithm];
    const change = (zone: string) =>
      [{ does: "add", name: `${algorithm}.${zone}`, type: "A", data: "192.0.2.9" }] as const;
    expect(await changeZone(lab.realAt("knot"), "example.test", key, change("example.test"))).toBe(0);
    expect(await changeZone(lab.realAt("bind"), "bind.test", key, change("bind.test"))).toBe(0);
  });

  test("every zone is delegated from the root on, with glue, through one port", async () => {
    const root = await dig(lab.root, "example.test", "SOA");
    expect(root?.authorities?.map((record) => record.name)).toEqual(["test"]);
    for (const zone of labZones.filter((z) => z.apex.split(".").length === 2)) {
      const answer = await dig(lab.tld, zone.apex, "SOA");
      expect(answer?.flag_aa, zone.apex).toBe(false);
      const glue = answer?.additionals?.filter((record) => record.type === "A");
      expect(glue, zone.apex).toHaveLength((zone.parentLists ?? zone.servers).length);
    }
  });

  test("the frozen server keeps its first serial, the lame one refuses", async () => {
    const key = lab.keys["hmac-sha256"];
    for (const apex of ["stale.test", "lame.test"]) {
      await changeZone(lab.realAt("knot"), apex, key, [
        { does: "add", name: `x.${apex}`, type: "A", data: "192.0.2.9" },
      ]);
    }
    await until(async () => (await serial(lab.realAt("nsd"), "lame.test")) === 2);
    expect(await serial(lab.realAt("knot"), "stale.test")).toBe(2);
    expect(await serial(lab.realAt("nsd"), "stale.test")).toBe(1);
    expect(await serial(lab.realAt("bind"), "lame.test")).toBeUndefined();
  });

  test("the CA's resolver remembers nothing, the user's resolver does", async () => {
    const ask = async (at: { address: string; port: number }) =>
      (await dig(at, "seen.example.test", "TXT", { recursion: true, tries: 3 }))?.answers?.length ?? 0;
    expect([await ask(lab.caResolver), await ask(lab.resolver)]).toEqual([0, 0]);
    await plant("seen.example.test", "v");
    for (const role of ["nsd", "bind"] as const) await until(() => has(role, "seen.example.test", "v"));
    expect([await ask(lab.caResolver), await ask(lab.resolver)]).toEqual([1, 0]);
  });

  test("Unbound remembers that a name has no TXT, but not from a question for another type (propagation.md §3)", async () => {
    const count = async (name: string, type: "TXT" | "CNAME" | "SOA") =>
      (await dig(lab.resolver, name, type, { recursion: true, tries: 3 }))?.answers?.length;
    for (const type of ["TXT", "CNAME", "SOA"] as const) expect(await count(`by-${type}.example.test`, type)).toBe(0);
    for (const type of ["TXT", "CNAME", "SOA"]) await plant(`by-${type}.example.test`, "v");
    await until(() => has("nsd", "by-SOA.example.test", "v"));
    await until(() => has("bind", "by-SOA.example.test", "v"));
    const found = await Promise.all(["TXT", "CNAME", "SOA"].map((type) => count(`by-${type}.example.test`, "TXT")));
    expect(found).toEqual([0, 1, 1]);
  });
});
