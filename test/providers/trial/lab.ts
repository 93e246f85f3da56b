import assert from "node:assert/strict";
import { AbortedError } from "../../../src/core/errors.ts";
import type { Dns01Event } from "../../../src/core/events.ts";
import { resolveConfig } from "../../../src/core/fields.ts";
import { type DomainName, parseName } from "../../../src/core/name.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { createRedactor } from "../../../src/core/redact.ts";
import { defaultRetryPolicy } from "../../../src/core/retry.ts";
import { connectSolver } from "../../../src/providers.ts";
import { createRandom } from "../../../src/testing/random.ts";
import { createFastClock } from "../../fakes/fast-clock.ts";
import type { AdapterFake, AdapterTrial, Check, Instance, InstanceOptions, Lab } from "./subject.ts";

export interface CheckOptions {
  readonly seed: number;
  readonly rounds: number;
}

/** Runs one check and ends whatever it began. A fake that tripped over itself fails the check. */
export async function runCheck(check: Check, trial: AdapterTrial, options: CheckOptions): Promise<void> {
  const fakes: AdapterFake[] = [];
  const end = new AbortController();
  const lab: Lab = {
    trial,
    ...options,
    foreign: trial.foreign ?? ["google-site-verification=abc", "somebody-else"],
    async start(...zones) {
      const fake = await trial.start((zones.length === 0 ? ["example.com"] : zones).map((zone) => parseName(zone)));
      fakes.push(fake);
      const lacking = check.needs?.filter((need) => fake[need] === undefined) ?? [];
      // A rule that cannot be tried must not look like one that holds.
      assert.deepEqual(lacking, [], `the fake does not offer it; offer it, or give a reason in skip["${check.id}"]`);
      return fake;
    },
    connect: (fake, instanceOptions = {}) =>
      connectInstance(trial.provider, fake, instanceOptions, end.signal, options.seed),
  };
  try {
    await check.run(lab);
    assert.deepEqual(
      fakes.flatMap(({ http }) => http.defects),
      [],
      "the fake itself failed",
    );
  } finally {
    end.abort(new AbortedError("the check is over"));
    await Promise.all(fakes.map((fake) => fake.stop?.() ?? fake.http.close()));
  }
}

async function connectInstance(
  provider: Provider,
  fake: AdapterFake,
  options: InstanceOptions,
  signal: AbortSignal,
  seed: number,
): Promise<Instance> {
  const { speed = 100, timeoutMs = 600_000, requestTimeoutMs = 300_000, once = false } = options;
  const redactor = createRedactor();
  const events: Dns01Event[] = [];
  const resolved = await resolveConfig(provider, { config: options.config ?? fake.config, redactor });
  const solver = await connectSolver(withoutRate(provider), resolved, {
    signal,
    observer: (event) => void events.push(event),
    clock: createFastClock(speed, createRandom(seed)),
    redactor,
    // Of the fast clock: loading an SDK takes a busy machine a second or two.
    connectTimeoutMs: 60_000_000,
    timeoutMs,
    requestTimeoutMs,
    retry: once ? { ...defaultRetryPolicy, attempts: 1 } : defaultRetryPolicy,
  });
  const items = (owners: readonly string[], values: readonly string[], apex?: string) =>
    owners.map((owner) => ({ owner: parseName(owner), values, zoneCut: apex === undefined ? apex : parseName(apex) }));
  return {
    present: async (owner, ...values) => void (await solver.present(items([owner], values), signal)),
    cleanUp: async (owner, ...values) => void (await solver.cleanUp(items([owner], values), signal)),
    presentAll: async (apex, owners, value) => void (await solver.present(items(owners, [value], apex), signal)),
    cleanUpAll: async (apex, owners, value) => void (await solver.cleanUp(items(owners, [value], apex), signal)),
    told: () => events.map((event) => JSON.stringify(event)).join("\n"),
  };
}

/** The published limit of the real service would only slow down its fake. */
function withoutRate(provider: Provider): Provider {
  const { rate: _rate, ...traits } = provider.traits;
  return { ...provider, traits };
}

/** Exactly these values in no order; a value that is stored twice is a fault. */
export function expectServed(
  fake: AdapterFake,
  apex: string,
  owner: string,
  expected: readonly string[],
  what: string,
): void {
  assert.deepEqual([...fake.values(domain(apex), domain(owner))].sort(), [...expected].sort(), what);
}

export function domain(text: string): DomainName {
  return parseName(text);
}
