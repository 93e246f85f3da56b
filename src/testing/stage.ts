import assert from "node:assert/strict";
import { systemClock } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { guard } from "../core/guard.ts";
import { type DomainName, parseName, relativeTo } from "../core/name.ts";
import type { Change, Edit, TxtBackend, Zone } from "../core/provider.ts";
import { type Case, type Connection, type Service, type Stage, type Subject, Untried } from "./subject.ts";

export interface CaseOptions {
  readonly seed: number;
  readonly operations: number;
  /** Receives the reason when the service cannot be tried for the rule. Default: it is printed. */
  readonly onUntried?: (reason: string) => void;
}

const defaultZones = ["example.com"];

/**
 * Runs one case on a fresh service and stops that service, however the case ends. A service that lacks what the rule
 * needs is not tried: a fake may have been written before the rule.
 */
export async function runCase(testCase: Case, subject: Subject, options: CaseOptions): Promise<void> {
  const { onUntried = (reason) => console.log(`${subject.provider.id}: ${testCase.id} (skipped: ${reason})`) } =
    options;
  const { buildsOn = "" } = testCase;
  const left = subject.skip?.[buildsOn];
  if (left !== undefined) return onUntried(`builds on ${buildsOn}: ${left}`);
  const zones = (testCase.zones ?? defaultZones).map((zone) => parseName(zone));
  const service = await subject.start(zones);
  const end = new AbortController();
  try {
    const lacking = testCase.needs?.filter((need) => service[need] === undefined) ?? [];
    if (lacking.length > 0) throw new Untried(`the fake does not offer ${lacking.join(", ")}`);
    const told: string[] = [];
    const observer: Observer = (event) => void told.push(JSON.stringify(event));
    const stage: Stage = {
      service,
      subject,
      ...options,
      signal: end.signal,
      told: () => told,
      connect: async ({ once = false } = {}) =>
        connectionOf(guarded(await service.connect(end.signal), subject, observer, once), subject, end.signal),
    };
    await testCase.run(stage);
  } catch (error) {
    if (!(error instanceof Untried)) throw error;
    onUntried(error.message);
  } finally {
    end.abort(new AbortedError("the case is over"));
    await service.stop();
  }
}

function guarded(backend: TxtBackend, subject: Subject, observer: Observer, once: boolean): TxtBackend {
  const { provider, clock = systemClock } = subject;
  // The published limit of the real service would only slow down its fake.
  const { rate: _rate, ...traits } = provider.traits;
  return guard(backend, {
    provider: { id: provider.id, traits, classify: (cause) => provider.classify?.(cause) },
    observer,
    clock,
    timeoutMs: subject.timeoutMs ?? 60_000,
    requestTimeoutMs: subject.requestTimeoutMs ?? 5000,
    retry: { attempts: once ? 1 : 100, baseMs: 50, maxMs: 2000 },
  });
}

function connectionOf(backend: TxtBackend, subject: Subject, signal: AbortSignal): Connection {
  const { min, default: usual } = subject.provider.traits.ttlSeconds;
  const call = { signal, ttlSeconds: Math.max(min, usual) };
  const zone = (apex: string): Promise<Zone | undefined> => backend.findZone(parseName(apex), call);
  const ask = async (apex: string, name: string, part: Pick<Edit, "add" | "remove">): Promise<Change> => {
    const found = await zone(apex);
    assert.ok(found, `the service holds ${apex}, but findZone does not find it`);
    const [answer] = await backend.apply(found, [{ owner: ownerIn(found, name), ...part }], call);
    return answer ?? "unchanged";
  };
  return {
    backend,
    zone,
    add: async (apex, name, ...values) => (await ask(apex, name, { add: values, remove: [] })) !== "unchanged",
    remove: async (apex, name, ...values) => (await ask(apex, name, { add: [], remove: values })) !== "unchanged",
    ask: (apex, name, ...values) => ask(apex, name, { add: values, remove: [] }),
  };
}

export function ownerIn(zone: Zone, name: string): Edit["owner"] {
  const fqdn = parseName(name);
  return { zone, fqdn, relative: relativeTo(fqdn, zone.apex) };
}

/** Compares what the service serves, in no order; a value that is stored twice is a fault. */
export async function expectValues(
  service: Service,
  apex: string,
  name: string,
  expected: readonly string[],
  what: string,
): Promise<void> {
  const values = await service.values(parseName(apex), parseName(name));
  assert.deepEqual([...values].sort(), [...expected].sort(), what);
}

/** As expectValues, but doubles count once: two writers who share nothing may both have added a value. */
export async function expectValueSet(
  service: Service,
  apex: string,
  name: string,
  expected: readonly string[],
  what: string,
): Promise<void> {
  const values = await service.values(parseName(apex), parseName(name));
  assert.deepEqual([...new Set(values)].sort(), [...expected].sort(), what);
}

export function domain(text: string): DomainName {
  return parseName(text);
}
