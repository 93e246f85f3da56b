import { expect } from "vitest";
import { AbortedError, Dns01Error } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import type { Provider } from "../../src/core/provider.ts";
import type { Redactor } from "../../src/core/redact.ts";
import { defaultRetryPolicy } from "../../src/core/retry.ts";
import { connectSolver } from "../../src/providers.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import type { AdapterFake } from "./trial.ts";

export interface ProgramOptions {
  /** Merged over the fake's; `undefined` takes a field away. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Do not repeat after a failure. */
  readonly once?: boolean;
  readonly allowAmbientCredentials?: boolean;
  readonly fetch?: typeof fetch;
  readonly redactor?: Redactor;
  /** The zone that DNS says the names are in. */
  readonly zoneCut?: string;
}

/** The program with its own connection to a fake, its clock a hundred times as fast. */
export async function startProgram(provider: Provider, fake: AdapterFake, options: ProgramOptions = {}) {
  const { config = {}, once = false, allowAmbientCredentials = false, fetch: send = fetch, redactor } = options;
  const zoneCut = options.zoneCut === undefined ? undefined : parseName(options.zoneCut);
  const events: Dns01Event[] = [];
  const end = new AbortController();
  const { rate: _unlimited, ...traits } = provider.traits;
  const given = Object.entries({ ...fake.config, ...config }).filter(([, value]) => value !== undefined);
  const resolved = await resolveConfig(provider, { config: Object.fromEntries(given), env: {} });
  const solver = await connectSolver({ ...provider, traits }, resolved, {
    signal: end.signal,
    observer: (event) => void events.push(event),
    clock: createFastClock(100),
    // Of the fast clock: a minute and fifteen seconds of a machine that may be busy, which takes seconds to load an SDK.
    connectTimeoutMs: 6_000_000,
    timeoutMs: 6_000_000,
    requestTimeoutMs: 1_500_000,
    allowAmbientCredentials,
    fetch: send,
    ...(redactor === undefined ? {} : { redactor }),
    retry: once ? { ...defaultRetryPolicy, attempts: 1 } : defaultRetryPolicy,
  });
  const items = (owner: string, values: readonly string[]) => [{ owner: parseName(owner), values, zoneCut }];
  return {
    present: (owner: string, ...values: readonly string[]) => solver.present(items(owner, values), end.signal),
    cleanUp: (owner: string, ...values: readonly string[]) => solver.cleanUp(items(owner, values), end.signal),
    /** The error that a present ends with. */
    fail: (owner: string, ...values: readonly string[]) => failureOf(solver.present(items(owner, values), end.signal)),
    warnings: () => events.flatMap((event) => (event.type === "warning" ? [event.text] : [])),
    stop() {
      end.abort(new AbortedError("the test is over"));
      expect(fake.http.defects).toEqual([]);
    },
  };
}

export async function failureOf(work: Promise<unknown>): Promise<Dns01Error> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!Dns01Error.is(error)) throw new Error(`one of our errors was expected, not ${String(error)}`);
  return error;
}

/** "METHOD path" of the calls so far, as the fake names them. */
export function callsOf(fake: AdapterFake): readonly string[] {
  return fake.http.calls.map(({ operation }) => operation);
}
