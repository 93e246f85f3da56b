import { parseDuration } from "../core/duration.ts";
import { parseName } from "../core/name.ts";
import type { CaBehaviour } from "./ca-state.ts";

type Change = Partial<CaBehaviour>;

interface Behaviour {
  /** What is written after "=": "TIME". Absent where there is nothing to say. */
  readonly value?: string;
  readonly does: string;
  /** Undefined when the value makes no sense. */
  readonly read: (value: string) => Change | undefined;
}

const day = 86_400_000;
/** What ends a behaviour without a value: `{"same-token": false}` while the CA runs. */
const off = "false";
/** What a timer of Node can hold: with more it fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** How the CA may differ from the plainest one, by the names of `--behaviour`. */
export const behaviours: Readonly<Record<string, Behaviour>> = {
  ari: {
    value: "past|moving|none|lifetime|A-B",
    does: "renewal windows that lie in the past, are another one at each look, are not offered, are as usual, or lie from A to B of the lifetime (0.5-0.6)",
    read: readAri,
  },
  "ari-retry": {
    value: "TIME",
    does: "Retry-After of renewal information (6h)",
    read: inSeconds("ariRetryAfterSeconds"),
  },
  lifetime: {
    value: "TIME",
    does: "how long certificates live that name no profile (90d)",
    read: (text) => mapped(parseSpan(text), (ms) => ({ lifetimeDays: ms / day })),
  },
  profiles: {
    value: "NAME:TIME,…|none",
    does: "the profiles offered, and how long their certificates live (classic:90d,tlsserver:45d,shortlived:6d)",
    read: readProfiles,
  },
  processing: {
    value: "TIME",
    does: "orders are processing for so long",
    read: inMs("issuanceDelayMs"),
  },
  validating: { value: "TIME", does: "challenges are processing for so long", read: inMs("validationDelayMs") },
  "retry-after": {
    value: "TIME",
    does: "Retry-After of what is processing, as seconds and as a date by turns",
    read: inSeconds("retryAfterSeconds"),
  },
  orders: {
    value: "ready|valid|same|new",
    does: "orders are born ready; an equal valid order is given again; so are equal pending and ready ones; or each is new (the default)",
    read: readOrders,
  },
  "authz-reuse": {
    value: "RATE",
    does: "that share of valid authorizations is used again",
    read: (text) => (/^(0|1|0?\.\d+)$/.test(text) ? { authzReuse: Number(text) } : undefined),
  },
  "same-token": {
    does: "apex and wildcard have one token, hence one value",
    read: (text) => ({ sameToken: text !== off }),
  },
  "caching-resolver": {
    does: "the CA's resolver keeps TXT answers for their TTL",
    read: (text) => ({ cachingResolver: text !== off }),
  },
  "unknown-challenges": {
    does: "a challenge type nobody knows is offered besides dns-01",
    read: (text) => ({ unknownChallenges: text !== off }),
  },
  "order-limit": {
    value: "N/TIME|none",
    does: "N orders of an account in that time, then rateLimited",
    read: (text) =>
      text === "none" ? { orderLimit: undefined } : mapped(readLimit(text), (orderLimit) => ({ orderLimit })),
  },
  "failure-limit": {
    value: "N/TIME|none",
    does: "N failed validations of a name and account in that time, then rateLimited",
    read: (text) =>
      text === "none" ? { failureLimit: undefined } : mapped(readLimit(text), (failureLimit) => ({ failureLimit })),
  },
  blocked: {
    value: "NAME,…|none",
    does: "names, and all below them, that are refused",
    read: readBlocked,
  },
  "pending-for": {
    value: "TIME",
    does: "how long pending orders and authorizations live (7d)",
    read: inSeconds("pendingSeconds"),
  },
};

const usualProfiles = { classic: 90, tlsserver: 45, shortlived: 6 };

/** Profile name → days a certificate of it lives. */
export function profilesOf({ profiles = usualProfiles }: Change): ReadonlyMap<string, number> {
  return new Map(Object.entries(profiles));
}

/** What "NAME" or "NAME=VALUE" asks for, or what is wrong with it. */
export function readBehaviour(
  text: string,
): { readonly change: Change } | { readonly name: string; readonly fault: string } {
  const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  const known = Object.hasOwn(behaviours, name) ? behaviours[name] : undefined;
  if (known === undefined) return { name, fault: `"${name}" is not a behavior of the CA` };
  const isPlain = value === undefined || value === off;
  if (known.value === undefined ? !isPlain : value === undefined) {
    const form = known.value === undefined ? name : `${name}=${known.value}`;
    return { name, fault: `"${text}" has to be ${form}` };
  }
  const change = known.read(value ?? "");
  return change === undefined ? { name, fault: `"${text}" has to be ${name}=${known.value}` } : { change };
}

function readAri(text: string): Change | undefined {
  if (text === "past" || text === "moving" || text === "none") return { ari: text };
  if (text === "lifetime") return { ari: undefined };
  const [, from, to] = /^(0|1|0?\.\d+)-(0|1|0?\.\d+)$/.exec(text) ?? [];
  if (from === undefined || to === undefined || Number(from) > Number(to)) return undefined;
  return { ari: { from: Number(from), to: Number(to) } };
}

function readProfiles(text: string): Change | undefined {
  if (text === "none") return { profiles: {} };
  const profiles = list(text).map((item) => {
    const [name = "", time = ""] = item.split(":");
    const ms = parseSpan(time);
    return name === "" || ms === undefined ? undefined : ([name, ms / day] as const);
  });
  return profiles.includes(undefined)
    ? undefined
    : { profiles: Object.fromEntries(profiles.filter((profile) => profile !== undefined)) };
}

function readBlocked(text: string): Change | undefined {
  if (text === "none") return { blocked: [] };
  try {
    return { blocked: list(text).map((name) => parseName(name)) };
  } catch {
    return undefined;
  }
}

function readOrders(text: string): Change | undefined {
  const none = { preauthorized: false, validOrders: false, orderReuse: false };
  if (text === "ready") return { ...none, preauthorized: true };
  if (text === "valid") return { ...none, validOrders: true };
  if (text === "same") return { ...none, orderReuse: true };
  return text === "new" ? none : undefined;
}

function readLimit(text: string): { readonly count: number; readonly perMs: number } | undefined {
  const [, count = "", time = ""] = /^(\d+)\/(.+)$/.exec(text) ?? [];
  return mapped(parseSpan(time), (perMs) => ({ count: Number(count), perMs }));
}

function inMs(name: "issuanceDelayMs" | "validationDelayMs"): Behaviour["read"] {
  return (text) => mapped(parseDuration(text), (ms) => (ms > longestTimerMs ? undefined : { [name]: ms }));
}

function inSeconds(name: "ariRetryAfterSeconds" | "retryAfterSeconds" | "pendingSeconds"): Behaviour["read"] {
  return (text) => mapped(parseDuration(text), (ms) => ({ [name]: ms / 1_000 }));
}

/** A duration that is not nothing. */
function parseSpan(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms === 0 ? undefined : ms;
}

function mapped<A, B>(value: A | undefined, change: (value: A) => B | undefined): B | undefined {
  return value === undefined ? undefined : change(value);
}

function list(text: string): readonly string[] {
  return text.split(",").map((item) => item.trim());
}
