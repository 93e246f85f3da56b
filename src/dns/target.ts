import type { DomainName } from "../core/name.ts";
import type { Heard } from "./classify.ts";
import type { Answer, ExchangeError } from "./exchange.ts";
import type { AnswerClass, Nameserver } from "./types.ts";

/** One address of one nameserver as seen for one owner during a wait. Changed only by the functions below. */
export interface Target {
  readonly server: Nameserver;
  /** To be asked as soon as there is room. */
  due: boolean;
  /** A question is under way. */
  asking: boolean;
  /** The question under way, or the last one, was put as the witness. */
  witness: boolean;
  /** When the last question was sent. */
  askedAt: number | undefined;
  /** The latest response. */
  heard: Heard | undefined;
  answer: Answer | undefined;
  /** The latest question brought no usable answer; undefined after one that did. */
  failure: Failure | undefined;
  class: AnswerClass;
  classSince: number | undefined;
  agreedAt: number | undefined;
  /** It has spoken as a nameserver in this wait, not as a resolver in a nameserver's place. */
  reached: boolean;
  /** It has shown wrong data in this wait, so its silence is no excuse at once. */
  contradicted: boolean;
  firstSerial: number | undefined;
  serial: number | undefined;
  mname: DomainName | undefined;
  negativeTtlSeconds: number | undefined;
  /** By identity (RFC 5001): whether that machine's latest answer agreed. */
  readonly machines: Map<string, boolean>;
  fastestMs: number;
  /** How long its latest answers over UDP took: how fast a connection is taken says more of the load than of the way. */
  readonly rttsMs: number[];
  flips: number;
  /** Its serial was asked for by itself. */
  serialAsked: boolean;
}

/** Failed questions in a row. */
export interface Failure {
  readonly kind: "silent" | "unroutable" | "broken" | "lame";
  /** Attempts on the wire in the sense of propagation.md §5.6: a silent exchange is three of them. */
  readonly tries: number;
  readonly questions: number;
  /** When the first of the questions was sent, the last one, and when that ended. */
  readonly since: number;
  readonly lastAskedAt: number;
  readonly endedAt: number;
  /** Worth a question over TCP at once: the first failure, an answer over UDP that says that the server has a problem. */
  readonly fresh: boolean;
  readonly text: string;
}

export function newTarget(server: Nameserver): Target {
  return {
    server,
    due: true,
    asking: false,
    witness: false,
    askedAt: undefined,
    heard: undefined,
    answer: undefined,
    failure: undefined,
    class: "pending",
    classSince: undefined,
    agreedAt: undefined,
    reached: false,
    contradicted: false,
    firstSerial: undefined,
    serial: undefined,
    mname: undefined,
    negativeTtlSeconds: undefined,
    machines: new Map(),
    fastestMs: Number.POSITIVE_INFINITY,
    rttsMs: [],
    flips: 0,
    serialAsked: false,
  };
}

/** Whether its latest answer holds every value. A question lost afterwards takes nothing back. */
export function agrees(t: Target): boolean {
  return t.heard?.class === "match";
}

/** Whether it is known to serve wrong data, by its latest answer, and still talks. */
export function contradicts(t: Target): boolean {
  return t.failure === undefined && t.heard !== undefined && t.heard.class !== "match";
}

/** Notes a response. */
export function hear(t: Target, heard: Heard, answer: Answer, now: number): void {
  const agreed = agrees(t);
  t.answer = answer;
  if (!heard.recursive) t.reached = true;
  t.fastestMs = Math.min(t.fastestMs, answer.rttMs);
  if (answer.transport === "udp") t.rttsMs.push(answer.rttMs);
  if (t.rttsMs.length > mostRtts) t.rttsMs.shift();
  if (answer.nsid !== undefined) t.machines.set(answer.nsid, heard.class === "match");
  if (heard.soa !== undefined) noteSerial(t, heard.soa.serial, heard.soa.mname);
  if (heard.negativeTtlSeconds !== undefined) t.negativeTtlSeconds = heard.negativeTtlSeconds;
  if (heard.class === "lame" || heard.class === "broken" || heard.class === "referral") {
    t.heard = heard;
    t.agreedAt = undefined;
    const fresh = t.failure === undefined && heard.class === "broken" && answer.transport === "udp";
    noteFailure(t, heard.class === "broken" ? "broken" : "lame", { tries: 1, fresh }, describe(heard), now);
    setClass(t, heard.class, now);
    return;
  }
  t.failure = undefined;
  t.heard = heard;
  if (heard.class === "match") {
    if (!agreed) t.agreedAt = now;
  } else {
    if (agreed) t.flips++;
    t.agreedAt = undefined;
    t.contradicted = true;
  }
  setClass(t, heard.class, now);
}

/** The same answer seen in another light, after a further question. */
export function reclassify(t: Target, heard: Heard, now: number): void {
  t.heard = heard;
  setClass(t, heard.class, now);
}

/** Notes that a question brought nothing. */
export function fail(t: Target, error: ExchangeError, now: number): void {
  noteFailure(t, error.kind, { tries: error.kind === "unroutable" ? 1 : 3, fresh: false }, error.message, now);
  if (!agrees(t)) setClass(t, error.kind, now);
}

export function noteSerial(t: Target, serial: number, mname: DomainName): void {
  t.firstSerial ??= serial;
  t.serial = serial;
  t.mname = mname;
}

/** As many answer times are kept. */
const mostRtts = 40;
const farMs = 40;

/** Several machines behind one address: different identities, answers that went back, or answer times of two kinds. */
export function looksLikePool(t: Target): boolean {
  return t.machines.size > 1 || t.flips > 0 || isNearAndFar(t.rttsMs);
}

/**
 * Whether a quarter of the times, three at least, belong together and lie well beyond the others. A late answer now and
 * then is a busy machine, here or there, and where many are late, they are late by anything; a second machine is met
 * again and again at its own distance.
 */
function isNearAndFar(timesMs: readonly number[]): boolean {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const nearest = sorted[0] ?? 0;
  const far = sorted.filter((ms) => ms > 4 * nearest && ms - nearest > farMs);
  const [first, most] = [far[0], far[Math.floor(0.75 * (far.length - 1))]];
  if (first === undefined || most === undefined || far.length < 3 || far.length < sorted.length / 4) return false;
  const gap = first - (sorted[sorted.length - far.length - 1] ?? nearest);
  return gap > farMs && most - first < gap;
}

/** Some machine behind the address has not been heard agreeing, though another has. */
export function isDivided(t: Target): boolean {
  return t.machines.size > 1 && [...t.machines.values()].includes(false);
}

function noteFailure(
  t: Target,
  kind: Failure["kind"],
  { tries, fresh }: Pick<Failure, "tries" | "fresh">,
  text: string,
  now: number,
): void {
  const before = t.failure;
  const askedAt = t.askedAt ?? now;
  t.failure = {
    kind,
    tries: (before?.tries ?? 0) + tries,
    questions: (before?.questions ?? 0) + 1,
    since: before?.since ?? askedAt,
    lastAskedAt: askedAt,
    endedAt: now,
    fresh,
    text,
  };
}

function setClass(t: Target, value: AnswerClass, now: number): void {
  if (t.class !== value) t.classSince = now;
  t.class = value;
}

function describe(heard: Heard): string {
  const parts = [heard.rcode, heard.note, ...heard.extended.map((e) => e.text)];
  return parts.filter((p) => p !== undefined && p !== "NOERROR").join("; ");
}
