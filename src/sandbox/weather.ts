import type { Random } from "./random.ts";

/** Every fault the sandbox can make, with what it does. `dns` strikes a query or update, `acme` a request to the CA. */
export const faultNames = {
  drop: { at: "dns", does: "no reply, nothing done" },
  lostReply: { at: "dns", does: "the update is carried out, its reply is lost" },
  servfail: { at: "dns", does: "the nameserver answers SERVFAIL" },
  refused: { at: "dns", does: "the nameserver answers REFUSED" },
  truncate: { at: "dns", does: "an empty UDP reply with TC" },
  badNonce: { at: "acme", does: "a good nonce is refused" },
  serverError: { at: "acme", does: "503 with Retry-After, nothing done" },
  rateLimited: { at: "acme", does: "429 rateLimited with Retry-After, nothing done" },
  html: { at: "acme", does: "a proxy's 502 page, nothing done" },
  reset: { at: "acme", does: "the connection is cut, nothing done" },
  lostResponse: { at: "acme", does: "carried out, then the connection is cut" },
  cutBody: { at: "acme", does: "carried out, half of the response arrives" },
} as const satisfies Record<string, { readonly at: "dns" | "acme"; readonly does: string }>;

export type FaultName = keyof typeof faultNames;

/** Share of requests struck by each fault, 0 to 1. */
export type Faults = Readonly<Partial<Record<FaultName, number>>>;

export interface Weather {
  /** Draws once for this fault. */
  strikes(fault: FaultName): boolean;
  /** Changes rates from now on; those not named keep theirs. */
  set(faults: Faults): void;
}

export function isFaultName(text: string): text is FaultName {
  return Object.hasOwn(faultNames, text);
}

export function makeWeather(faults: Faults, random: Random): Weather {
  const rates = new Map<FaultName, number>();
  const set = (next: Faults) => {
    for (const [name, rate] of Object.entries(next)) {
      if (!isFaultName(name)) throw new RangeError(`there is no fault "${name}"`);
      if (!(rate >= 0 && rate <= 1)) throw new RangeError(`the rate of ${name} is ${rate}, not between 0 and 1`);
      rates.set(name, rate);
    }
  };
  set(faults);
  return { set, strikes: (fault) => random.chance(rates.get(fault) ?? 0) };
}
