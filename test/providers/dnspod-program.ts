import { expect } from "vitest";
import dnspod from "../../providers/dnspod.ts";
import { AbortedError, Dns01Error } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import type { DomainName } from "../../src/core/name.ts";
import type { Redactor } from "../../src/core/redact.ts";
import { defaultRetryPolicy } from "../../src/core/retry.ts";
import { connectSolver } from "../../src/providers.ts";
import type { FakeDnspod } from "../fakes/dnspod.ts";
import { createFastClock } from "../fakes/fast-clock.ts";

export interface ProgramOptions {
  readonly once?: boolean;
  readonly allowAmbientCredentials?: boolean;
  readonly fetch?: typeof fetch;
  readonly redactor?: Redactor;
}

/** The program with its own connection to the fake, its clock a hundred times as fast. */
export async function connectDnspod(
  fake: FakeDnspod,
  config: Readonly<Record<string, unknown>> = {},
  options: ProgramOptions = {},
) {
  const { once = false, allowAmbientCredentials = false, fetch: send = fetch, redactor } = options;
  const events: Dns01Event[] = [];
  const end = new AbortController();
  const { rate: _unlimited, ...traits } = dnspod.traits;
  const resolved = await resolveConfig(dnspod, { config: { ...fake.config, ...config }, env: {} });
  const solver = await connectSolver({ ...dnspod, traits }, resolved, {
    signal: end.signal,
    observer: (event) => void events.push(event),
    clock: createFastClock(100),
    // Of the fast clock: a minute and fifteen seconds of a machine that may be busy, which takes seconds to load an SDK.
    connectTimeoutMs: 6_000_000,
    timeoutMs: 6_000_000,
    requestTimeoutMs: 1_500_000,
    retry: once ? { ...defaultRetryPolicy, attempts: 1 } : defaultRetryPolicy,
    allowAmbientCredentials,
    fetch: send,
    ...(redactor === undefined ? {} : { redactor }),
  });
  return {
    present: (owner: DomainName, ...values: readonly string[]) => solver.present([{ owner, values }], end.signal),
    cleanUp: (owner: DomainName, ...values: readonly string[]) => solver.cleanUp([{ owner, values }], end.signal),
    retries: () => events.filter((event) => event.type === "retry"),
    warnings: () => events.flatMap((event) => (event.type === "warning" ? [event.text] : [])),
    /** Ends the program; and the fake, unless another program still talks to it. */
    async stop({ fakeToo = true } = {}) {
      end.abort(new AbortedError("the test is over"));
      expect(fake.http.defects).toEqual([]);
      if (fakeToo) await fake.http.close();
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
