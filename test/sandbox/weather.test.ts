import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { decodeMessage, encodeMessage } from "../../src/dns/codec.ts";
import { signTsig } from "../../src/dns/tsig.ts";
import { type FaultName, type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { seededRandom } from "../../src/sandbox/random.ts";
import { overTcp, overUdp, query, txt, update } from "./dns-client.ts";
import { type RawAcme, rawAcme } from "./raw-acme.ts";

async function inSandbox(
  options: SandboxOptions,
  work: (box: Sandbox, client: RawAcme) => Promise<void>,
): Promise<void> {
  const box = await startSandbox({ seed: 1, ...options });
  const client = await rawAcme(box);
  try {
    await work(box, client);
  } finally {
    client.close();
    await box.close();
  }
}

function primaryOf(box: Sandbox) {
  const [primary] = box.nameservers;
  if (primary === undefined) throw new Error("no nameserver");
  return primary;
}

const soa = encodeMessage(query("example.test", "SOA"));

describe("over the nameservers", () => {
  test("drop sends nothing, over UDP and TCP, and does nothing", () =>
    inSandbox({ faults: { drop: 1 } }, async (box) => {
      expect(await overUdp(primaryOf(box), soa, 50)).toBeUndefined();
      expect(box.log.entries.at(-1)).toMatchObject({ kind: "query", fault: "drop", rcode: undefined });
      box.weather.set({ drop: 0 });
      expect(await overUdp(primaryOf(box), soa)).toBeDefined();
    }));

  test.each([
    ["servfail", "SERVFAIL"],
    ["refused", "REFUSED"],
  ])("%s answers %s", (fault, rcode) =>
    inSandbox({ faults: { [fault]: 1 } }, async (box) => {
      const reply = decodeMessage((await overUdp(primaryOf(box), soa)) ?? new Uint8Array());
      expect([reply.rcode, reply.answers.length]).toEqual([rcode, 0]);
    }),
  );

  test("truncate makes UDP empty with TC and leaves TCP alone", () =>
    inSandbox({ faults: { truncate: 1 } }, async (box) => {
      const reply = decodeMessage((await overUdp(primaryOf(box), soa)) ?? new Uint8Array());
      expect([reply.truncated, reply.answers.length]).toEqual([true, 0]);
      const [whole] = await overTcp(primaryOf(box), [soa]);
      expect(decodeMessage(whole ?? new Uint8Array())).toMatchObject({ truncated: false, answers: [{ type: "SOA" }] });
    }));

  test("lostReply carries an update out and is silent about it", () =>
    inSandbox({ faults: { lostReply: 1 } }, async (box) => {
      const { keyName, algorithm, secret } = box.tsig;
      const key = { name: parseName(keyName), algorithm, secret: Buffer.from(secret, "base64") };
      const message = encodeMessage(update("example.test", [txt("a.example.test", "1")]));
      const signed = signTsig(message, key, { now: Math.floor(Date.now() / 1000) });
      expect(await overUdp(primaryOf(box), signed.octets, 50)).toBeUndefined();
      expect(box.zone.txt("a.example.test")).toEqual(["1"]);
      expect(box.log.entries.at(-1)).toMatchObject({ kind: "update", fault: "lostReply", rcode: "NOERROR" });
    }));
});

describe("over the CA", () => {
  test("badNonce refuses a good nonce and gives another", () =>
    inSandbox({ faults: { badNonce: 1 } }, async (box, client) => {
      const reply = await client.register();
      expect([reply.status, reply.problem, typeof reply.headers["replay-nonce"]]).toEqual([400, "badNonce", "string"]);
      expect(box.log.entries.at(-1)).toMatchObject({ kind: "acme", problem: "badNonce", fault: "badNonce" });
      box.weather.set({ badNonce: 0 });
      expect((await client.register()).status).toBe(201);
    }));

  test("serverError, rateLimited and html answer without doing anything", () =>
    inSandbox({}, async (box, client) => {
      const url = `${new URL(box.directoryUrl).origin}/new-nonce`;
      const under = async (fault: FaultName) => {
        box.weather.set({ serverError: 0, rateLimited: 0, html: 0, [fault]: 1 });
        return client.fetch("GET", url);
      };
      const busy = await under("serverError");
      expect([busy.status, busy.headers["retry-after"], busy.problem]).toEqual([503, "1", "serverInternal"]);
      const limited = await under("rateLimited");
      expect([limited.status, limited.headers["retry-after"], limited.problem]).toEqual([429, "1", "rateLimited"]);
      expect([limited.headers["link"]].flat().join()).toContain('rel="help"');
      const html = await under("html");
      expect([html.status, html.headers["content-type"], html.text.startsWith("<html>")]).toEqual([
        502,
        "text/html",
        true,
      ]);
      expect(box.ca.state.accounts.size).toBe(0);
    }));

  test.each<[FaultName, number]>([
    ["reset", 0],
    ["lostResponse", 1],
    ["cutBody", 1],
  ])("%s breaks the connection; accounts made: %i", (fault, made) =>
    inSandbox({ script: ({ path }) => (path === "/new-account" ? fault : undefined) }, async (box, client) => {
      await expect(client.register()).rejects.toThrow(/socket hang up|aborted|ECONNRESET/);
      expect(box.ca.state.accounts.size).toBe(made);
    }),
  );

  test("a script strikes exactly the request it means", () =>
    inSandbox(
      { script: ({ method, number }) => (method === "HEAD" && number === 2 ? "serverError" : undefined) },
      async (box, client) => {
        const url = `${new URL(box.directoryUrl).origin}/new-nonce`;
        const statuses = [];
        for (let i = 0; i < 3; i++) statuses.push((await client.fetch("HEAD", url)).status);
        expect(statuses).toEqual([200, 503, 200]);
      },
    ));
});

describe("chance", () => {
  test("the same seed strikes the same requests", async () => {
    const struck = async (seed: number) => {
      const statuses: number[] = [];
      await inSandbox({ seed, faults: { serverError: 0.5 } }, async (box, client) => {
        const url = `${new URL(box.directoryUrl).origin}/new-nonce`;
        for (let i = 0; i < 20; i++) statuses.push((await client.fetch("HEAD", url)).status);
      });
      return statuses.join();
    };
    const [a, b, c] = [await struck(7), await struck(7), await struck(8)];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
    expect(a).toContain("503");
  });

  test("rates come out about right", () => {
    const random = seededRandom(3);
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.3)).filter(Boolean).length;
    expect(hits).toBeGreaterThan(2800);
    expect(hits).toBeLessThan(3200);
  });

  test("a rate beyond 1 or an unknown fault is refused before anything starts", async () => {
    await expect(startSandbox({ faults: { drop: 2 } })).rejects.toThrow(/drop is 2/);
    await expect(startSandbox({ faults: { nothing: 1 } as never })).rejects.toThrow(/no fault "nothing"/);
  });
});

describe("the end", () => {
  test("close and the signal both end every server and remove the file", async () => {
    const controller = new AbortController();
    const boxes = [await startSandbox(), await startSandbox({}, controller.signal)];
    controller.abort();
    for (const box of boxes) {
      await box.close();
      expect(existsSync(box.caRootFile)).toBe(false);
      expect(await overUdp(primaryOf(box), soa, 50).catch(() => undefined)).toBeUndefined();
      await expect(fetch(box.directoryUrl)).rejects.toThrow();
    }
    await expect(startSandbox({}, controller.signal)).rejects.toThrow();
  });

  test("a validation that is under way does not hold it up", async () => {
    const box = await startSandbox({ seed: 1, faults: { drop: 1 } });
    const client = await rawAcme(box);
    await client.register();
    const { newOrder = "" } = await client.directory();
    const order = await client.post(newOrder, { identifiers: [{ type: "dns", value: "example.test" }] });
    const [url = ""] = order.json["authorizations"] as string[];
    const [challenge] = (await client.post(url)).json["challenges"] as { url: string }[];
    await client.post(challenge?.url ?? "", {});
    client.close();
    await box.close();
    expect(box.ca.state.challenges.values().next().value?.status).toBe("processing");
  });
});
