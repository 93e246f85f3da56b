import { generateKeyPairSync } from "node:crypto";
import { createAcmeClient } from "../../src/acme/client.ts";
import type { AcmeClient, AcmeClientOptions } from "../../src/acme/types.ts";
import { abortReason, type Clock } from "../../src/core/clock.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import type { ScriptedCa } from "./scripted-ca.ts";

/** Sleeps at once and remembers how long it should have been. */
export interface FastClock extends Clock {
  readonly waits: number[];
  advance(ms: number): void;
}

export function fastClock(random: () => number = () => 0.5): FastClock {
  let now = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    random,
    advance: (ms) => {
      now += ms;
    },
    async sleep(ms, signal) {
      if (signal?.aborted) throw abortReason(signal);
      waits.push(ms);
      now += ms;
    },
  };
}

export const accountKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

export interface Opened {
  readonly client: AcmeClient;
  readonly clock: FastClock;
  readonly events: Dns01Event[];
}

export async function open(
  ca: ScriptedCa,
  options: Partial<AcmeClientOptions> & { readonly remainingMs?: number; readonly clock?: FastClock } = {},
): Promise<Opened> {
  const { remainingMs, clock = fastClock(), ...rest } = options;
  const events: Dns01Event[] = [];
  const client = await createAcmeClient(
    { directoryUrl: ca.directoryUrl, accountKey, ...rest },
    {
      userAgent: "dns01/0.0.0-test",
      clock,
      observer: (event) => events.push(event),
      env: {},
      ...(remainingMs === undefined ? {} : { remainingMs: () => remainingMs }),
    },
  );
  return { client, clock, events };
}

export const never: AbortSignal = new AbortController().signal;

/** An error that has to come. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof Error)) throw new Error("it should have failed");
  return outcome;
}
