import { afterEach, expect, test } from "vitest";
import desec from "../../../providers/desec.ts";
import rfc2136 from "../../../providers/rfc2136.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { startSandbox } from "../../../src/sandbox/index.ts";
import { startDesecFake } from "../../fakes/desec.ts";
import { asIssuer, createCluster, name, namespace, ok, type Replica, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");
const asked = { key: "value" };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const warnings = (replica: Replica) =>
  replica.eventsOf("engine").flatMap(({ event }) => (event.type === "warning" ? [event.code] : []));

async function startDesec() {
  const fake = await startDesecFake([apex]);
  ends.push(() => fake.http.close());
  const cluster = createCluster();
  const config = asIssuer(desec, fake.config, cluster);
  const replica = await startReplica([desec], { solver: "desec", cluster, config });
  ends.push(() => replica.solving.close());
  /** After the nth write from now on somebody writes what they had read before. */
  const overwrite = (records: readonly string[]) => {
    fake.http.inject({
      kind: "throttle",
      when: ({ operation }) => {
        const before = fake.http.calls.filter(({ write }) => write).length;
        if (operation.startsWith("GET") && before === 1) {
          const theirs = { subname: "_acme-challenge", type: "TXT", ttl: 3600, records };
          fake.domain(apex).rrsets.splice(0, 1, ...(records.length > 0 ? [theirs] : []));
        }
        return false;
      },
    });
  };
  const methods = () => fake.http.calls.map(({ operation }) => operation.replace(/ .*/, "")).join(" ");
  return { fake, replica, overwrite, methods };
}

test("where a write may be overwritten Present answers when a second look has found the value", async () => {
  const { fake, replica, methods } = await startDesec();
  expect(await replica.present(asked)).toEqual(ok);
  expect(methods()).toBe("GET GET PATCH GET");
  fake.http.clearCalls();
  // It is the only value: no sign of anybody else.
  expect(await replica.cleanUp(asked)).toEqual(ok);
  expect(methods()).toBe("GET PATCH");
  expect(warnings(replica)).toEqual([]);
});

test("what is told of a second look names its call, also where two are under way", async () => {
  const { replica, methods } = await startDesec();
  const both = ["one", "two"].map((key) =>
    replica.present({ key, resolvedFQDN: `_acme-challenge.${key}.example.com.` }),
  );
  expect(await Promise.all(both)).toEqual([ok, ok]);
  expect(methods().match(/GET/g)?.length).toBeGreaterThan(4);
  const ids = replica.eventsOf("engine").flatMap((e) => (e.event.type === "call" ? [e.correlationId] : []));
  expect(ids.length).toBeGreaterThan(6);
  expect(ids).not.toContain("");
});

test("a value that somebody overwrites is written again before Present answers, and that is told", async () => {
  const { fake, replica, overwrite } = await startDesec();
  overwrite(['"theirs"']);
  expect(await replica.present(asked)).toEqual(ok);
  expect([...fake.values(apex, owner)].sort()).toEqual(["theirs", "value"]);
  expect(warnings(replica)).toEqual(["W_OVERWRITTEN"]);
});

test("a value that somebody brings back beside their own is taken out again before CleanUp answers", async () => {
  const { fake, replica, overwrite } = await startDesec();
  fake.put(apex, owner, ["value", "theirs"], 3600);
  overwrite(['"value"', '"theirs"']);
  expect(await replica.cleanUp(asked)).toEqual(ok);
  expect(fake.values(apex, owner)).toEqual(["theirs"]);
});

test("with the gate the look is made beside the wait: what was undone meanwhile is made again and then seen", async () => {
  const sandbox = await startSandbox({ seed: 1 });
  ends.push(() => sandbox.close());
  const [address = "", port = ""] = sandbox.resolver.split(":");
  const cluster = createCluster();
  cluster.put(namespace, "tsig", { secret: sandbox.tsig.secret });
  const fqdn = "_acme-challenge.www.example.test";
  let writes = 0;
  const usual: Provider = rfc2136;
  const overwritable: Provider = {
    ...usual,
    connect: async (...given) => {
      const right = await usual.connect(...given);
      return {
        ...right,
        async apply(...edits) {
          const changes = await right.apply(...edits);
          // The first is undone by somebody who had read before it.
          if (++writes === 1) sandbox.zone.remove(fqdn);
          return changes.map((change) => (change === "changed" ? "unsettled" : change));
        },
      };
    },
  };
  const replica = await startReplica([overwritable], {
    solver: "rfc2136",
    cluster,
    config: {
      nameserver: `${sandbox.nameservers[0]?.address}:${sandbox.dnsPort}`,
      tsigKeyName: sandbox.tsig.keyName,
      tsigAlgorithm: sandbox.tsig.algorithm,
      tsigSecretSecretRef: { name: "tsig", key: "secret" },
      propagation: "gate",
    },
    clock: systemClock,
    callTimeoutMs: 60_000,
    dns: {
      resolvers: [{ address, port: Number(port) }],
      servers: [],
      mode: "resolver",
      port: sandbox.dnsPort,
      propagation: { mode: "authoritative", timeoutMs: 120_000 },
    },
  });
  ends.push(() => replica.solving.close());
  const there = { dnsName: "www.example.test", resolvedZone: "example.test.", key: "value" };
  expect(await replica.present(there)).toEqual(ok);
  expect(sandbox.zone.txt(fqdn, 1)).toEqual(["value"]);
  expect(warnings(replica)).toContain("W_OVERWRITTEN");
});
