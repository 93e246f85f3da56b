import { randomBytes } from "node:crypto";
import { afterEach, expect, test, vi } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { Dns01Error } from "../../src/core/errors.ts";
import { parseName } from "../../src/core/name.ts";
import type { Call, Edit, Owner, TxtBackend, Zone } from "../../src/core/provider.ts";
import { markUpdates } from "./lab/counts.ts";
import { dig, txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import { algorithms, type LabKey } from "./lab/keys.ts";
import type { Lab } from "./lab/lab.ts";
import { describeInLab } from "./lab/suite.ts";

const call = (): Call => ({ signal: AbortSignal.timeout(15_000), ttlSeconds: 30 });

interface Setting {
  readonly primary?: "knot" | "bind";
  readonly key?: LabKey;
  readonly transport?: "tcp" | "udp";
}

async function connect(
  lab: Lab,
  { primary = "knot", key = lab.keys["hmac-sha256"], transport = "tcp" }: Setting = {},
): Promise<TxtBackend> {
  const at = lab.realAt(primary);
  const config = rfc2136.config.parse({
    nameserver: `${at.address}:${at.port}`,
    tsigKeyName: key.name,
    tsigSecret: key.secret,
    tsigAlgorithm: key.algorithm,
    transport,
  });
  const http = () => {
    throw new Error("rfc2136 speaks no HTTP");
  };
  const deps = { http, signal: AbortSignal.timeout(60_000), allowAmbientCredentials: false, warn: () => {} };
  return rfc2136.connect(config, deps);
}

function zoneOf(apex: string): Zone {
  return { apex: parseName(apex), id: apex };
}

function edit(apex: string, relative: string, change: Partial<Pick<Edit, "add" | "remove">>): Edit {
  const fqdn = parseName(relative === "@" ? apex : `${relative}.${apex}`);
  const owner: Owner = { zone: zoneOf(apex), fqdn, relative };
  return { owner, add: change.add ?? [], remove: change.remove ?? [] };
}

/** The error a refused write raises, after the provider's own translation. */
async function refusal(work: Promise<unknown>): Promise<Dns01Error> {
  const thrown: unknown = await work.then(
    () => new Error("it was accepted"),
    (cause: unknown) => cause,
  );
  const error = Dns01Error.is(thrown) ? thrown : rfc2136.classify?.(thrown);
  if (error === undefined) throw new Error(`not classified: ${String(thrown)}`, { cause: thrown });
  return error;
}

const primaries = [
  { primary: "knot", apex: "example.test" },
  { primary: "bind", apex: "bind.test" },
] as const;

describeInLab("rfc2136 against Knot and BIND", (inLab) => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const matrix = primaries.flatMap((p) =>
    algorithms.flatMap((algorithm) => (["tcp", "udp"] as const).map((transport) => ({ ...p, algorithm, transport }))),
  );
  test.each(matrix)(
    "$primary takes $algorithm over $transport: added, there already, removed, gone already",
    async (row) => {
      const lab = inLab();
      const backend = await connect(lab, { ...row, key: lab.keys[row.algorithm] });
      const zone = await backend.findZone(parseName(row.apex), call());
      expect(zone?.apex).toBe(row.apex);
      const relative = `_acme-challenge.${row.algorithm}-${row.transport}`;
      const owner = `${relative}.${row.apex}`;
      const values = ["one", "two"];
      const add = edit(row.apex, relative, { add: values });
      const remove = edit(row.apex, relative, { remove: values });
      if (zone === undefined) throw new Error("no zone");
      await backend.apply(zone, [add], call());
      expect(await txtValues(lab.realAt(row.primary), owner)).toEqual(["one", "two"]);
      await backend.apply(zone, [add], call());
      expect(await txtValues(lab.realAt(row.primary), owner)).toEqual(["one", "two"]);
      await backend.apply(zone, [remove], call());
      expect(await txtValues(lab.realAt(row.primary), owner)).toEqual([]);
      await backend.apply(zone, [remove], call());
    },
  );

  test.each(primaries)(
    "$primary: all edits of a zone travel in one message, foreign values and types stay",
    async ({ primary, apex }) => {
      const lab = inLab();
      const key = lab.keys["hmac-sha256"];
      const name = `kept2.${apex}`;
      await changeZone(lab.realAt(primary), apex, key, [
        { does: "add", name, type: "TXT", data: "foreign" },
        { does: "add", name, type: "A", data: "192.0.2.7" },
      ]);
      const backend = await connect(lab, { primary });
      const mark = await markUpdates(lab, "example.test");
      const edits = [...Array(20).keys()].map((i) => edit(apex, `batch${i}`, { add: [`a${i}`, `b${i}`] }));
      await backend.apply(zoneOf(apex), [...edits, edit(apex, "kept2", { add: ["ours"] })], call());
      await markUpdates(lab, "example.test");
      if (primary === "knot") expect(lab.updates.slice(mark).map((update) => update.messages)).toEqual([1]);
      expect(await txtValues(lab.realAt(primary), name)).toEqual(["foreign", "ours"]);
      await backend.apply(zoneOf(apex), [edit(apex, "kept2", { remove: ["ours", "not there"] })], call());
      expect(await txtValues(lab.realAt(primary), name)).toEqual(["foreign"]);
      expect((await dig(lab.realAt(primary), name, "A"))?.answers).toHaveLength(1);
    },
  );

  test.each(primaries)(
    "$primary: values of more than 255 octets and with odd characters come back as they were",
    async ({ primary, apex }) => {
      const lab = inLab();
      const backend = await connect(lab, { primary });
      const values = ["x".repeat(600), 'quo"te;back\\slash and space'].sort();
      await backend.apply(zoneOf(apex), [edit(apex, "odd", { add: values })], call());
      expect(await txtValues(lab.realAt(primary), `odd.${apex}`)).toEqual(values);
      await backend.apply(zoneOf(apex), [edit(apex, "odd", { remove: values })], call());
      expect(await txtValues(lab.realAt(primary), `odd.${apex}`)).toEqual([]);
    },
  );

  test.each(primaries)("$primary: a zone it does not hold is no zone", async ({ primary }) => {
    const backend = await connect(inLab(), { primary });
    expect(await backend.findZone(parseName(primary === "knot" ? "bind.test" : "dead.test"), call())).toBeUndefined();
    expect(
      await backend.findZone(parseName(primary === "knot" ? "www.example.test" : "www.bind.test"), call()),
    ).toBeUndefined();
  });

  const refused = primaries.flatMap((p) => (["tcp", "udp"] as const).map((transport) => ({ ...p, transport })));
  test.each(refused)(
    "$primary over $transport: a wrong secret is AUTH and says so",
    async ({ primary, apex, transport }) => {
      const lab = inLab();
      const key = { ...lab.keys["hmac-sha256"], secret: randomBytes(40).toString("base64") };
      const backend = await connect(lab, { primary, key, transport });
      const error = await refusal(backend.apply(zoneOf(apex), [edit(apex, "refused", { add: ["v"] })], call()));
      expect(error.code).toBe("AUTH");
      expect(`${error.message} ${error.hint}`).toMatch(/secret/i);
      expect(`${error.message} ${error.hint}`).not.toContain(key.secret);
      expect(await txtValues(lab.realAt(primary), `refused.${apex}`)).toEqual([]);
    },
  );

  test.each(refused)(
    "$primary over $transport: an unknown key is AUTH and named",
    async ({ primary, apex, transport }) => {
      const lab = inLab();
      const backend = await connect(lab, { primary, key: { ...lab.keys["hmac-sha256"], name: "nobody" }, transport });
      const error = await refusal(backend.apply(zoneOf(apex), [edit(apex, "refused", { add: ["v"] })], call()));
      expect(error.code).toBe("AUTH");
      expect(error.message).toContain("nobody");
    },
  );

  test.each(refused)(
    "$primary over $transport: a clock an hour off is AUTH, with the skew",
    async ({ primary, apex, transport }) => {
      const lab = inLab();
      const backend = await connect(lab, { primary, transport });
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
      const error = await refusal(backend.apply(zoneOf(apex), [edit(apex, "refused", { add: ["v"] })], call()));
      vi.useRealTimers();
      expect(error.code).toBe("AUTH");
      expect(`${error.message} ${error.hint}`).toMatch(/clock/i);
      expect(`${error.message} ${error.hint}`).toMatch(/3[56]\d\d ?s|1 h|60 min|59 min|1 hour/);
    },
  );

  test("an update outside the zone is refused in words", async () => {
    const backend = await connect(inLab());
    const foreign: Edit = {
      owner: { zone: zoneOf("zone0.test"), fqdn: parseName("x.zone1.test"), relative: "x" },
      add: ["v"],
      remove: [],
    };
    const error = await refusal(backend.apply(zoneOf("zone0.test"), [foreign], call()));
    expect(error.message).toMatch(/NOTZONE|outside/i);
  });

  test("a zone that takes no updates from this key is refused in words", async () => {
    const backend = await connect(inLab());
    const error = await refusal(
      backend.apply(zoneOf("readonly.test"), [edit("readonly.test", "x", { add: ["v"] })], call()),
    );
    expect(["AUTH", "REJECTED"]).toContain(error.code);
    expect(error.message).toMatch(/readonly\.test/);
  });

  test.each(primaries)(
    "$primary: a value that is silently not written under a CNAME is noticed",
    async ({ primary, apex }) => {
      const lab = inLab();
      await changeZone(lab.realAt(primary), apex, lab.keys["hmac-sha256"], [
        { does: "add", name: `aliased.${apex}`, type: "CNAME", data: "elsewhere.test" },
      ]);
      const backend = await connect(lab, { primary });
      const error = await refusal(backend.apply(zoneOf(apex), [edit(apex, "aliased", { add: ["v"] })], call()));
      expect(error.code).toBe("REJECTED");
      expect(error.message).toMatch(/CNAME/);
    },
  );

  test("a server that never answers ends by the deadline as TRANSIENT, an abort at once", async () => {
    const lab = inLab();
    const at = lab.publicAt("mute");
    const key = lab.keys["hmac-sha256"];
    for (const transport of ["tcp", "udp"] as const) {
      const config = rfc2136.config.parse({
        nameserver: `${at.address}:${at.port}`,
        tsigKeyName: key.name,
        tsigSecret: key.secret,
        tsigAlgorithm: key.algorithm,
        transport,
      });
      const http = () => {
        throw new Error("unused");
      };
      const backend = await rfc2136.connect(config, {
        http,
        signal: AbortSignal.timeout(60_000),
        allowAmbientCredentials: false,
        warn: () => {},
      });
      const controller = new AbortController();
      const work = backend.apply(zoneOf("mute.test"), [edit("mute.test", "x", { add: ["v"] })], {
        ...call(),
        signal: controller.signal,
      });
      setTimeout(() => controller.abort(new Error("enough")), 200);
      await expect(work, transport).rejects.toThrow();
    }
  });
});
