import { expect, test, vi } from "vitest";
import alidns from "../../../providers/alidns.ts";
import cloudflare from "../../../providers/cloudflare.ts";
import dnspod from "../../../providers/dnspod.ts";
import hetzner from "../../../providers/hetzner.ts";
import huaweicloud from "../../../providers/huaweicloud.ts";
import { memoryProvider } from "../../../providers/memory.ts";
import powerdns from "../../../providers/powerdns.ts";
import route53 from "../../../providers/route53.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { createRandom } from "../../../src/testing/random.ts";
import { startAlidns } from "../../fakes/alidns.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { createFastClock } from "../../fakes/fast-clock.ts";
import { startHetznerFake } from "../../fakes/hetzner.ts";
import { startHuaweicloud } from "../../fakes/huaweicloud.ts";
import { startPowerdns } from "../../fakes/powerdns.ts";
import { startRoute53 } from "../../fakes/route53.ts";
import type { AdapterTrial } from "../../providers/trial.ts";
import { asIssuer, createCluster, name, ok, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");
const soak = process.env["DNS01_SOAK"] === "1";
const rounds = soak ? 1_000 : 3;
vi.setConfig({ testTimeout: soak ? 1_200_000 : 180_000 });

const randomSeed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const seeds = [20_240_229, randomSeed];

interface Adapter {
  readonly provider: Provider;
  readonly start: AdapterTrial["start"];
  /** Where a write is no compare-and-swap only one replica writes (docs/kubernetes.md). */
  readonly replicas: 1 | 2;
}

const adapters: readonly Adapter[] = [
  { provider: alidns, start: startAlidns, replicas: 2 },
  { provider: cloudflare, start: startCloudflareFake, replicas: 2 },
  { provider: dnspod, start: startDnspod, replicas: 2 },
  { provider: hetzner, start: startHetznerFake, replicas: 2 },
  { provider: huaweicloud, start: startHuaweicloud, replicas: 1 },
  { provider: powerdns, start: startPowerdns, replicas: 2 },
  { provider: route53, start: startRoute53, replicas: 2 },
];

const cases = adapters.flatMap((adapter) => seeds.map((seed) => ({ ...adapter, id: adapter.provider.id, seed })));

test.each(cases)("scenario 5: $id: clean-up of A while Present of B, at random (SEED=$seed)", async (adapter) => {
  const { provider, start, replicas: count, seed } = adapter;
  const random = createRandom(seed);
  const fake = await start([apex]);
  fake.put(apex, owner, ["foreign"], 600);
  const cluster = createCluster();
  const config = asIssuer(provider, fake.config, cluster);
  const { rate: _unlimited, ...traits } = provider.traits;
  const unlimited = { ...provider, traits };
  const clock = createFastClock(100, random);
  const options = { solver: provider.id, cluster, config, clock, callTimeoutMs: 6_000_000 };
  const replicas = await Promise.all(Array.from({ length: count }, () => startReplica([unlimited], options)));
  const any = () => replicas[Math.floor(random() * count)] ?? replicas[0];
  fake.http.setLatency(() => random() * 3);
  for (let round = 0; round < rounds; round++) {
    const [a, b, c] = ["a", "b", "c"].map((letter) => `${letter}-${round}`) as [string, string, string];
    expect(await any()?.present({ key: a })).toEqual(ok);
    const later = <T>(work: () => Promise<T> | undefined) => systemClock.sleep(random() * 4).then(work);
    const answers = await Promise.all([
      later(() => any()?.cleanUp({ key: a })),
      later(() => any()?.present({ key: b })),
      later(() => any()?.present({ key: c })),
      later(() => any()?.cleanUp({ key: `${a}-never` })),
      ...(random() < 0.5 ? [later(() => any()?.cleanUp({ key: a }))] : []),
    ]);
    expect(
      answers.every((answer) => answer?.success === true),
      JSON.stringify(answers),
    ).toBe(true);
    expect([...fake.values(apex, owner)].sort(), `round ${round}`).toEqual([b, c, "foreign"].sort());
    expect(await Promise.all([any()?.cleanUp({ key: b }), any()?.cleanUp({ key: c })])).toEqual([ok, ok]);
    expect([...fake.values(apex, owner)], `round ${round}`).toEqual(["foreign"]);
  }
  for (const replica of replicas) await replica.solving.close();
  expect(fake.http.defects).toEqual([]);
  await (fake.stop?.() ?? fake.http.close());
});

test("Present and clean-up of one value, in whatever order they come, end as the last one says", async () => {
  for (const seed of seeds) {
    const random = createRandom(seed);
    const store = new Map<string, Set<string>>();
    const memory = memoryProvider(store);
    const slow: Provider = {
      ...memory,
      connect: async (given, deps) => {
        const backend = await memory.connect(given as Parameters<typeof memory.connect>[0], deps);
        return {
          findZone: (zone, call) => backend.findZone(zone, call),
          apply: async (zone, edits, call) => {
            await systemClock.sleep(random() * 3);
            return backend.apply(zone, edits, call);
          },
        };
      },
    };
    const replica = await startReplica([slow], { solver: "memory" });
    for (let round = 0; round < 60; round++) {
      const calls = Array.from({ length: 2 + Math.floor(random() * 3) }, () => random() < 0.5);
      const answers = await Promise.all(calls.map((add) => (add ? replica.present({}) : replica.cleanUp({}))));
      expect(answers).toEqual(calls.map(() => ok));
      expect((store.get(`${apex} ${owner}`)?.size ?? 0) === 1, `seed ${seed}, ${calls}`).toBe(calls.at(-1));
      await replica.cleanUp({});
    }
    await replica.solving.close();
  }
});
