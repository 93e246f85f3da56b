import route53 from "../../providers/route53.ts";
import type { Clock } from "../../src/core/clock.ts";
import { AbortedError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { connectSolver } from "../../src/providers.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { type Route53Fake, type Route53Options, startRoute53 } from "../fakes/route53.ts";

export interface Program {
  present(items: Readonly<Record<string, readonly string[]>>): Promise<void>;
  cleanUp(items: Readonly<Record<string, readonly string[]>>): Promise<void>;
  readonly events: readonly Dns01Event[];
  warnings(): readonly string[];
}

export const example: DomainName = parseName("example.com");

/** Connects a program to the fake as the command line does, with a clock that runs a hundred times as fast. */
async function connectProgram(
  fake: Route53Fake,
  config: Readonly<Record<string, unknown>> = {},
  options: { readonly once?: boolean; readonly signal?: AbortSignal; readonly clock?: Clock | undefined } = {},
): Promise<Program> {
  const { once = false, signal = new AbortController().signal, clock = createFastClock(100) } = options;
  const events: Dns01Event[] = [];
  const { rate: _rate, ...traits } = route53.traits;
  const resolved = await resolveConfig(route53, { config: { ...fake.config, ...config } });
  const solver = await connectSolver({ ...route53, traits }, resolved, {
    signal,
    observer: (event) => void events.push(event),
    clock,
    // Of the fast clock: a minute and fifteen seconds of a machine that may be busy, which takes seconds to load an SDK.
    connectTimeoutMs: 6_000_000,
    timeoutMs: 6_000_000,
    requestTimeoutMs: 1_500_000,
    retry: { attempts: once ? 1 : 100, baseMs: 500, maxMs: 30_000 },
  });
  const items = (wanted: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(wanted).map(([name, values]) => ({ owner: parseName(name), values, zoneCut: example }));
  return {
    present: async (wanted) => void (await solver.present(items(wanted), signal)),
    cleanUp: async (wanted) => void (await solver.cleanUp(items(wanted), signal)),
    events,
    warnings: () => events.flatMap((event) => (event.type === "warning" ? [event.text] : [])),
  };
}

/** A fake with the zone example.com and a program at it; both end with `run`. */
export async function withProgram(
  run: (
    stage: { readonly fake: Route53Fake; readonly zoneId: string; readonly program: Program },
    connect: (config?: Readonly<Record<string, unknown>>, options?: { readonly once?: boolean }) => Promise<Program>,
  ) => Promise<void>,
  options: Route53Options & { readonly config?: Readonly<Record<string, unknown>>; readonly clock?: Clock } = {},
): Promise<void> {
  const end = new AbortController();
  const fake = await startRoute53([example], options);
  const { signal } = end;
  try {
    const { clock } = options;
    const connect = (config = {}, more = {}) => connectProgram(fake, config, { ...more, signal, clock });
    await run({ fake, zoneId: fake.zoneId(example), program: await connect(options.config) }, connect);
  } finally {
    end.abort(new AbortedError("over"));
    await fake.http.close();
  }
  if (fake.http.defects.length > 0) throw fake.http.defects[0];
}

/** Lets somebody else act just before the service takes the next change batch. */
export function beforeNextWrite(fake: Route53Fake, act: () => void): void {
  beforeWrite(fake, 1, act);
}

/** Just before the service takes the `nth` change batch from now on. */
export function beforeWrite(fake: Route53Fake, nth: number, act: () => void): void {
  let seen = 0;
  fake.http.inject({
    kind: "reset",
    when: ({ write }) => {
      if (write && ++seen === nth) act();
      return false;
    },
  });
}

export function operations(fake: Route53Fake): readonly string[] {
  return fake.http.calls.map(({ operation }) => operation);
}

export function countOf(fake: Route53Fake, operation: string): number {
  return operations(fake).filter((o) => o === operation).length;
}
