import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import powerdns from "../../providers/powerdns.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Edit, TxtBackend } from "../../src/core/provider.ts";
import { connectProvider } from "../../src/providers.ts";
import { connectBackend, type Service, testProvider } from "../../src/testing/index.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { type FakeRequest, type HttpService, startHttpService } from "../fakes/http-service.ts";
import { cli } from "./lab/cli.ts";
import { dig, txtValues } from "./lab/dig.ts";
import { pause } from "./lab/patience.ts";
import { type Powerdns, startPowerdns } from "./lab/powerdns.ts";
import { whyNot } from "./lab/services.ts";
import { repeats } from "./lab/suite.ts";

const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const rounds = repeats(60, 1000);
const reason = whyNot(["pdns_server", "sqlite3"]);
const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");

describe.skipIf(reason !== undefined)(`PowerDNS itself${reason === undefined ? "" : ` (${reason})`}`, () => {
  let server: Powerdns | undefined;
  const real = (): Powerdns => {
    if (server === undefined) throw new Error("PowerDNS is not running");
    return server;
  };
  beforeAll(async () => {
    server = await startPowerdns();
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(server?.transcript());
  });
  afterAll(() => server?.stop());

  const valuesAt = async (zone: string, fqdn: string): Promise<readonly string[]> => {
    const sets = await real().setsAt(zone, fqdn);
    const records = sets.find(({ type }) => type === "TXT")?.records ?? [];
    return records.map(({ content }) => JSON.parse(content.replace(/\\(\d{3})/g, octet)) as string);
  };

  /** The server behind a door of ours that has bad days, and that may hide what newer servers can. */
  const start = async (apexes: readonly DomainName[], isOld: boolean): Promise<Service> => {
    await real().reset(apexes);
    let isRefusing = false;
    const door = await startHttpService({
      handle: async (request) => {
        if (isOld && /"changetype":"(EXTEND|PRUNE)"/.test(request.body)) {
          return { status: 422, body: { error: "Changetype not understood" } };
        }
        return passOn(request, real().url, isRefusing ? { "x-api-key": "another" } : {});
      },
      operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: method !== "GET" }),
    });
    return {
      connect: (signal) => connectBackend(powerdns, { endpoint: door.url, apiKey: real().apiKey }, signal),
      values: valuesAt,
      async put(zone, fqdn, values, ttl) {
        const all = [...(await valuesAt(zone, fqdn)), ...values];
        const records = all.map((value) => ({ content: JSON.stringify(value), disabled: false }));
        await real().putSet(zone, { name: `${fqdn}.`, type: "TXT", ttl, records });
      },
      async putOtherType(zone, fqdn) {
        const records = [{ content: "192.0.2.1", disabled: false }];
        await real().putSet(zone, { name: `${fqdn}.`, type: "A", ttl: 60, records });
        return async () => (await real().setsAt(zone, fqdn)).some(({ type }) => type === "A");
      },
      ttlSeconds: async (zone, fqdn) => (await real().setsAt(zone, fqdn)).find(({ type }) => type === "TXT")?.ttl,
      ...badDays(door),
      refuseCredentials: () => {
        isRefusing = true;
      },
      secrets: [real().apiKey],
      stop: () => door.close(),
    };
  };
  const patient = { clock: createFastClock(50), timeoutMs: 600_000, requestTimeoutMs: 150_000 };
  testProvider(
    test,
    { ...patient, provider: powerdns, start: (zones) => start(zones, false) },
    { seed, operations: 60 },
  );
  const before = { ...powerdns, id: "powerdns before 4.9.12" };
  testProvider(
    test,
    { ...patient, provider: before, start: (zones) => start(zones, true), writers: 1 },
    { seed, operations: 20 },
  );

  const connect = (): Promise<TxtBackend> =>
    connectProvider(
      powerdns,
      { endpoint: real().url, apiKey: real().apiKey, serverName: "localhost", apiKeyHeaderName: "X-API-Key" },
      { signal: AbortSignal.timeout(900_000) },
    );
  const call = () => ({ signal: AbortSignal.timeout(60_000), ttlSeconds: 60 });
  const change = async (backend: TxtBackend, part: Partial<Pick<Edit, "add" | "remove">>) => {
    const zone = await backend.findZone(apex, call());
    if (zone === undefined) throw new Error("the zone was not found");
    const edit = { owner: { zone, fqdn: owner, relative: "_acme-challenge" }, add: [], remove: [], ...part };
    return backend.apply(zone, [edit], call());
  };

  test(`${rounds} random interleavings of three programs leave everything else alone (DNS01_SEED=${seed})`, {
    timeout: 900_000,
  }, async () => {
    const random = createRandom(seed);
    await real().reset([apex]);
    const foreign = { content: '"foreign"', disabled: false };
    await real().putSet(apex, { name: `${owner}.`, type: "TXT", ttl: 300, records: [foreign] });
    const address = { content: "192.0.2.1", disabled: false };
    await real().putSet(apex, { name: `${owner}.`, type: "A", ttl: 300, records: [address] });
    // Each is what a process of its own would have: nothing is shared between them but the server.
    const programs = await Promise.all([connect(), connect(), connect()]);
    const values = ["a", "b", "c", "d", "e"];
    const standing = new Set<string>();
    for (let round = 1; round <= rounds; round++) {
      const acts = values.map((value) => ({
        value,
        add: random() < 0.5,
        program: programs[Math.floor(random() * programs.length)],
        after: random() * 5,
      }));
      await Promise.all(
        acts.map(async ({ value, add, program, after }) => {
          await pause(after);
          if (program !== undefined) await change(program, add ? { add: [value] } : { remove: [value] });
        }),
      );
      for (const { value, add } of acts) add ? standing.add(value) : standing.delete(value);
      const served = await txtValues(real().at, owner);
      expect([...served].sort(), `round ${round}`).toEqual([...standing, "foreign"].sort());
    }
    expect((await dig(real().at, owner, "A", { tries: 3 }))?.answers).toHaveLength(1);
  });

  test("a value is served as soon as it is written, and a primary's secondaries are told", async () => {
    await real().reset([apex], "Primary");
    const backend = await connect();
    const value = 'say "hi" \\ ü';
    expect(await change(backend, { add: [value] })).toEqual(["changed"]);
    expect(await txtValues(real().at, owner)).toEqual([value]);
    expect(real().transcript()).toMatch(/notif/i);
    expect(await change(backend, { remove: [value] })).toEqual(["changed"]);
    expect(await txtValues(real().at, owner)).toEqual([]);
  });

  test("a record that is switched off is lost to any change of its name, as the page of the provider says", async () => {
    await real().reset([apex]);
    const off = { content: '"off"', disabled: true };
    const foreign = { content: '"foreign"', disabled: false };
    await real().putSet(apex, { name: `${owner}.`, type: "TXT", ttl: 300, records: [off, foreign] });
    await change(await connect(), { add: ["ours"] });
    const stored = (await real().setsAt(apex, owner))[0]?.records.map(({ content }) => content);
    expect(stored?.toSorted()).toEqual(['"foreign"', '"ours"']);
  });

  test("a CNAME at the name is told", async () => {
    await real().reset([apex]);
    const records = [{ content: "elsewhere.test.", disabled: false }];
    await real().putSet(apex, { name: `${owner}.`, type: "CNAME", ttl: 60, records });
    const code = await change(await connect(), { add: ["value"] }).then(
      String,
      (error: { code: string }) => error.code,
    );
    expect(code).toBe("REJECTED");
  });

  test("present and cleanup from the command line, by lego's environment names", async () => {
    await real().reset([apex]);
    const state = mkdtempSync(join(tmpdir(), "dns01-state-"));
    const env = { PDNS_API_URL: `${real().url}/`, PDNS_API_KEY: real().apiKey, PDNS_TTL: "77", DNS01_STATE: state };
    const run = async (command: string) => {
      const args = [
        command,
        owner,
        "the-value",
        "--provider",
        "pdns",
        "--nameserver",
        `127.0.0.1:${real().at.port}`,
        "--json",
      ];
      const { status, stdout, stderr } = await cli(args, env);
      expect(status, `${stdout}${stderr}`).toBe(0);
    };
    await run("present");
    expect(await txtValues(real().at, owner)).toEqual(["the-value"]);
    expect((await real().setsAt(apex, owner))[0]?.ttl).toBe(77);
    await run("cleanup");
    expect(await txtValues(real().at, owner)).toEqual([]);
    rmSync(state, { recursive: true, force: true });
  });
});

async function passOn(request: FakeRequest, url: string, more: Readonly<Record<string, string>>) {
  const { method, path, rawQuery, body, headers } = request;
  const sent = body === "" ? {} : { body, headers: { "content-type": String(headers["content-type"]) } };
  const answer = await fetch(`${url}${path}${rawQuery === "" ? "" : `?${rawQuery}`}`, {
    method,
    ...sent,
    headers: { ...sent.headers, "x-api-key": String(headers["x-api-key"]), ...more },
  });
  const type = answer.headers.get("content-type");
  const text = await answer.text();
  return {
    status: answer.status,
    ...(type === null ? {} : { headers: { "content-type": type } }),
    ...(text === "" ? {} : { body: text }),
  };
}

function badDays(door: HttpService): Pick<Service, "loseNextAnswer" | "inject" | "disappear" | "hang"> {
  const kinds = {
    throttle: "throttle",
    unavailable: "error500",
    reset: "reset",
    page: "html200",
    lost: "lostResponse",
  } as const;
  return {
    loseNextAnswer: () => void door.inject({ kind: "lostResponse", when: ({ write }) => write }),
    inject: (fault, nth) => door.inject({ kind: kinds[fault], nth }),
    disappear: () => door.close(),
    hang: () => void door.inject({ kind: "hang", times: Number.POSITIVE_INFINITY }),
  };
}

/** An octet as it is written in a zone file, as JSON writes it; these tests have no octets outside of ASCII but "ü". */
function octet(_text: string, decimal: string): string {
  return `\\u${Number(decimal).toString(16).padStart(4, "0")}`;
}
