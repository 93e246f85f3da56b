import { afterEach, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { updateTxt } from "../../src/dns/update.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { ask, query } from "../sandbox/dns-client.ts";

let sandbox: Sandbox | undefined;
afterEach(() => sandbox?.close());

test("a value gets the TTL of the set that it joins, and its own where a wildcard made the set", async () => {
  const box = await startSandbox({ seed: 1 });
  sandbox = box;
  const [server] = box.nameservers;
  if (server === undefined) throw new Error("a nameserver");
  box.zone.addTxt("*.wild.example.test", "v=spf1 -all", 86_400);
  box.zone.addTxt("_acme-challenge.real.example.test", "another's", 120);
  const names = ["_acme-challenge.a.wild.example.test", "_acme-challenge.real.example.test"];
  const tsig = {
    name: parseName(box.tsig.keyName),
    algorithm: box.tsig.algorithm,
    secret: Buffer.from(box.tsig.secret, "base64"),
  };
  const changed = await updateTxt({
    primary: { server, transport: "tcp", tsig },
    zone: parseName("example.test"),
    edits: names.map((name) => ({ owner: parseName(name), add: ["value"], remove: [] })),
    ttlSeconds: 60,
    signal: AbortSignal.timeout(10_000),
  });
  expect(changed).toEqual([true, true]);
  const ttls = await Promise.all(
    names.map(async (n) => (await ask(server, query(n, "TXT"))).answers.map((r) => r.ttl)),
  );
  expect(ttls).toEqual([[60], [120, 120]]);
});
