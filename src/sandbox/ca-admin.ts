import { behaviours, profilesOf, readBehaviour } from "./behaviours.ts";
import { AcmeProblem, malformed, notFound } from "./ca-problem.ts";
import type { AcmeReply, CaCertificate, CaState } from "./ca-state.ts";
import { faultNames, isFaultName } from "./weather.ts";

/** Where a test changes the CA while it runs: /sandbox/…, JSON without any signature. Not part of ACME, never struck. */
export const adminPath = "sandbox";

/** In seconds. */
const aYear = 365 * 86_400;

type Body = Readonly<Record<string, unknown>>;

const actions: Readonly<Record<string, (state: CaState, body: Body) => unknown>> = {
  behaviour: setBehaviour,
  faults: setFaults,
  outage: setOutage,
  "renewal-window": setWindow,
  terms(state) {
    state.termsVersion += 1;
    return { version: state.termsVersion };
  },
};

export function handleAdmin(state: CaState, method: string, [, name = ""]: readonly string[], body: Buffer): AcmeReply {
  if (method === "GET" && name === "log") return { status: 200, body: { entries: state.log.entries } };
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    throw malformed(`there is POST /sandbox/{${Object.keys(actions).join(",")}} and GET /sandbox/log`, 404);
  }
  if (method !== "POST")
    throw new AcmeProblem("malformed", 405, "this is done with POST", { headers: { allow: "POST" } });
  return { status: 200, body: action(state, parse(body)) };
}

/** {"ari": "past", "same-token": true}: as with --behaviour; false ends what has no value. */
function setBehaviour(state: CaState, body: Body): unknown {
  const changes = Object.entries(body).map(([name, value]) => {
    const one = readBehaviour(value === true ? name : `${name}=${inWords(value)}`);
    if ("fault" in one) throw malformed(`${one.fault}; there are ${Object.keys(behaviours).join(", ")}`);
    return one.change;
  });
  // All of it or nothing.
  for (const change of changes) {
    state.behaviour = { ...state.behaviour, ...change };
    if (change.profiles !== undefined) state.profiles = profilesOf(change);
  }
  return { set: Object.keys(body) };
}

function inWords(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}

/** {"serverError": 0.5}: as with --fault. */
function setFaults(state: CaState, body: Body): unknown {
  for (const [name, rate] of Object.entries(body)) {
    if (!isFaultName(name))
      throw malformed(`"${name}" is no kind of fault; there are ${Object.keys(faultNames).join(", ")}`);
    if (typeof rate !== "number" || !(rate >= 0 && rate <= 1)) throw malformed(`"${name}" needs a rate from 0 to 1`);
  }
  state.weather.set(body);
  return { set: Object.keys(body) };
}

/** {"seconds": 10, "kind": "reset"}: nothing else is answered for so long. 0 ends it. */
function setOutage(state: CaState, { seconds, kind = "serverError" }: Body): unknown {
  if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= aYear)) {
    throw malformed('"seconds" has to be a number, a year at most');
  }
  if (kind !== "reset" && kind !== "serverError") throw malformed('"kind" has to be "reset" or "serverError"');
  const until = new Date(state.now().getTime() + seconds * 1_000);
  state.outage = { until, kind };
  return { until, kind };
}

/** {"name": "example.test", "start": "…", "end": "…"}: of certificates with that name or "serial", else of all; without a start, the usual one again. */
function setWindow(state: CaState, { name, serial, start, end, explanationURL }: Body): unknown {
  const chosen = [...state.certificates.values()].filter((one) => isMeant(one, name, serial));
  if (chosen.length === 0) throw notFound("certificate");
  const window = start === undefined ? undefined : windowFrom(start, end, explanationURL);
  for (const certificate of chosen) certificate.window = window;
  return { certificates: chosen.map((one) => one.serial), window: window ?? null };
}

/** An hour long unless its end is given: one without length makes clients doubt it. */
function windowFrom(start: unknown, end: unknown, explanationURL: unknown): NonNullable<CaCertificate["window"]> {
  const from = time(start, "start");
  const to = end === undefined ? new Date(from.getTime() + 3_600_000) : time(end, "end");
  if (to < from) throw malformed('"end" has to be after "start"');
  if (explanationURL !== undefined && typeof explanationURL !== "string")
    throw malformed('"explanationURL" has to be text');
  return { start: from, end: to, explanationURL };
}

function isMeant(certificate: CaCertificate, name: unknown, serial: unknown): boolean {
  const isNamed = name === undefined || certificate.names.some((one) => one === name);
  return isNamed && (serial === undefined || certificate.serial === String(serial).toUpperCase());
}

function time(value: unknown, member: string): Date {
  const found = new Date(String(value));
  if (Number.isNaN(found.getTime())) throw malformed(`"${member}" is no time`);
  return found;
}

function parse(body: Buffer): Body {
  try {
    const parsed: unknown = JSON.parse(body.length === 0 ? "{}" : body.toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Body;
  } catch {
    // Told below.
  }
  throw malformed("the body has to be a JSON object");
}
