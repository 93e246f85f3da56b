import { AcmeError, type Dns01Error, type Problem, RateLimitedError, TransientError } from "../core/errors.ts";
import { roomAfter } from "../core/extent.ts";
import { inWords, retryAfterMs } from "./retry-after.ts";
import type { HttpMessage } from "./transport.ts";

const prefix = "urn:ietf:params:acme:error:";

/** "rateLimited" of "urn:ietf:params:acme:error:rateLimited"; other types as they are. */
export function shortType(problem: Problem): string {
  return problem.type.startsWith(prefix) ? problem.type.slice(prefix.length) : problem.type;
}

/** Whether the error is the CA's refusal with this type of RFC 8555 §6.7. */
export function isProblem(error: unknown, ...types: readonly string[]): error is AcmeError {
  return error instanceof AcmeError && types.includes(shortType(error.problem));
}

/** For `catch` after reading what became of a request: a refusal to tell is no answer. */
export function unlessRefused(error: unknown): undefined {
  if (error instanceof AcmeError) return undefined;
  throw error;
}

/** A problem that we state ourselves about what the CA sent. */
export function malformedAnswer(operation: string, detail: string, status?: number): AcmeError {
  const problem: Problem = { type: "about:blank", detail, ...(status === undefined ? {} : { status }) };
  return new AcmeError(`${operation}: ${detail}`, problem, {
    operation,
    hint: "Check that --ca is the address of an ACME directory and that no proxy or firewall answers in its place.",
  });
}

/** The error for an answer with a status of 400 and above. */
export function refusal(operation: string, url: string, answer: HttpMessage, wallNow: number): Dns01Error {
  const problem = problemOf(answer);
  const waitMs = retryAfterMs(answer.headers, wallNow);
  const what = problem === undefined ? foreign(answer) : describeProblem(problem);
  const type = problem === undefined ? undefined : shortType(problem);
  const facts = { operation, details: { url, status: answer.status, ...(problem === undefined ? {} : { problem }) } };
  if (answer.status === 429 || type === "rateLimited") {
    const until = waitMs === undefined ? "" : ` The CA asks to wait ${inWords(waitMs)}.`;
    return new RateLimitedError(`${operation}: the CA limits requests: ${what}${until}`, {
      ...facts,
      retryAfterMs: waitMs,
      hint: hintFor({ type: `${prefix}rateLimited` }, answer),
    });
  }
  if (answer.status >= 500) {
    return new TransientError(`${operation}: the CA at ${url} fails: ${what}`, {
      ...facts,
      retryAfterMs: waitMs,
      hint: "The CA or a proxy before it has trouble at the moment; try again later.",
    });
  }
  if (problem === undefined) return malformedAnswer(operation, what, answer.status);
  return new AcmeError(`${operation}: the CA refuses: ${what}`, problem, {
    operation,
    hint: operation === "revokeCert" && type === "unauthorized" ? notOurs : hintFor(problem, answer),
    details: { url },
  });
}

/** The problem document of an answer (RFC 7807); the status is filled in. Undefined when the body is something else. */
export function problemOf(answer: HttpMessage): Problem | undefined {
  let body: unknown;
  try {
    body = JSON.parse(answer.body.toString("utf8"));
  } catch {
    return undefined;
  }
  const problem = readProblem(body);
  return problem === undefined || problem.status !== undefined ? problem : { ...problem, status: answer.status };
}

/** RFC 8555 §6.7.1 knows one level of subproblems. A megabyte of brackets is more than a stack holds, ours or JSON's. */
const deepest = 8;
const mostOthers = 16_384;

/** A problem document inside an order or a challenge. */
export function readProblem(x: unknown, depth = 0): Problem | undefined {
  if (typeof x !== "object" || x === null) return undefined;
  const raw = x as Readonly<Record<string, unknown>>;
  if (typeof raw["type"] !== "string" && typeof raw["detail"] !== "string") return undefined;
  const { type, detail, title, status, instance, identifier, subproblems, ...others } = raw;
  const inner =
    Array.isArray(subproblems) && depth < deepest
      ? subproblems.map((sub) => readProblem(sub, depth + 1)).filter((problem) => problem !== undefined)
      : [];
  return {
    ...(roomAfter(others, mostOthers) < 0 ? {} : others),
    type: typeof type === "string" ? clean(type) : "about:blank",
    ...(typeof detail === "string" ? { detail: clean(detail) } : {}),
    ...(typeof title === "string" ? { title: clean(title) } : {}),
    ...(typeof status === "number" ? { status } : {}),
    ...(typeof instance === "string" ? { instance: clean(instance) } : {}),
    ...(isIdentifier(identifier) ? { identifier: { type: identifier.type, value: clean(identifier.value) } } : {}),
    ...(inner.length === 0 ? {} : { subproblems: inner }),
  };
}

/** Type, detail and every subproblem with its identifier, one line each; what a subproblem repeats is said once. */
export function describeProblem(problem: Problem): string {
  const { identifier, subproblems = [] } = problem;
  const said = sentence(problem);
  const isRepeated = subproblems.some(
    (sub) =>
      sub.identifier !== undefined &&
      sentence(sub) === said &&
      (identifier === undefined || baseOf(sub.identifier.value) === baseOf(identifier.value)),
  );
  const head = `${identifier === undefined ? "" : `${identifier.value}: `}${said}`;
  const inner = new Set(subproblems.map((sub) => describeProblem(sub).replaceAll("\n", "\n  ")));
  return [...(isRepeated ? [] : [head]), ...inner].join("\n  ");
}

function sentence(problem: Problem): string {
  const type = shortType(problem);
  const text = problem.detail ?? problem.title ?? "no detail given";
  return `${text}${type === "about:blank" ? "" : ` (${type})`}`;
}

/** An order's own problem has the name without the wildcard. */
function baseOf(name: string): string {
  return name.replace(/^\*\./, "");
}

/** What the user can do, by type (RFC 8555 §6.7, RFC 9773, draft-ietf-acme-profiles). */
const hints: Readonly<Record<string, string>> = {
  accountDoesNotExist: "The CA does not know this account key; it is registered again at the next run.",
  alreadyReplaced: "The certificate has been renewed already; order without `replaces`.",
  alreadyRevoked: "Nothing is left to do.",
  badCSR: "Check key type and names; some CAs want an account with an e-mail address (--email).",
  badPublicKey: "Choose another --key-type.",
  badRevocationReason: "Choose another --reason.",
  badSignatureAlgorithm: "The CA does not take this kind of account key; use a P-256 key.",
  caa: "A CAA record forbids this CA; add its name to the domain's CAA records.",
  connection: "The CA could not reach the nameservers; check that they answer from the Internet.",
  dns: "The CA's resolver could not look up the name: check delegation, DNSSEC and that every nameserver answers.",
  externalAccountRequired: "Give --eab-kid and --eab-hmac-key from the CA's web site.",
  incorrectResponse: "The CA saw another TXT value: look for leftovers, a second client, or a nameserver that lags.",
  invalidContact: "Check --email, or leave it out.",
  invalidProfile: "Choose another --profile, or leave it out.",
  orderNotReady: "The order's authorizations are not all valid yet; run again.",
  rateLimited: "Do not repeat before the CA allows it; use letsencrypt-staging for trials.",
  rejectedIdentifier: "The CA does not issue for this name; remove it or choose another CA.",
  serverInternal: "The CA has trouble; try again later.",
  unauthorized: "Check the account, and that the TXT value was still in place when the CA looked.",
  unsupportedContact: "Use an e-mail address with --email, or leave it out.",
  unsupportedIdentifier: "The CA does not issue for this kind of name.",
  userActionRequired: "Open the link that the CA gives and do what it asks.",
};

/** RFC 8555 §7.6: the account that ordered it, one that is authorized for all its names, or its own key. */
const notOurs = "This account may not revoke it: sign with the certificate's own key (--by-key).";

/** What the user can do about a problem, with the links that came with it. */
export function hintFor(problem: Problem, answer?: HttpMessage): string | undefined {
  const type = shortType(problem);
  const links = linksOf(answer?.headers["link"]);
  const terms = links.find(({ rel }) => rel === "terms-of-service")?.url;
  // RFC 8555 §7.3.3: `instance` is where a person has to go, for changed terms and paused names alike.
  const action = terms ?? (/^https?:/.test(problem.instance ?? "") ? problem.instance : undefined);
  if (type === "userActionRequired" && action !== undefined) return `Open ${action} and do what it asks.`;
  const help = links.find(({ rel }) => rel === "help")?.url;
  return help === undefined ? hints[type] : [hints[type], `See ${help}`].filter((part) => part !== undefined).join(" ");
}

/** Links of a `Link` header (RFC 8288 §3): several values, several parameters, several relation types each. */
export function linksOf(header: string | undefined): readonly { readonly url: string; readonly rel: string }[] {
  const links: { url: string; rel: string }[] = [];
  for (const match of (header ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:"[^"]*"|[^;,"\s]*))?)*)/g)) {
    const [, url = "", parameters = ""] = match;
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^;,"\s]*))/i.exec(parameters);
    for (const type of (rel?.[1] ?? rel?.[2] ?? "").split(/\s+/)) {
      if (type !== "") links.push({ url: clean(url), rel: type.toLowerCase() });
    }
  }
  return links;
}

/** An answer that no ACME server gives: what it says of itself. */
function foreign(answer: HttpMessage): string {
  const body = answer.body.toString("utf8");
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(body)?.[1]?.trim();
  const kind = answer.headers["content-type"]?.split(";")[0] ?? "no content type";
  const text = clean(title ?? (/^\s*</.test(body) ? "" : body.trim())).slice(0, 200);
  return `HTTP ${answer.status} with ${kind} in place of a problem document${text === "" ? "" : `: "${text}"`}`;
}

/** Text from outside goes to terminals and logs: no control characters, no endless lines. */
function clean(text: string): string {
  const printable = text.replace(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
  return printable.length > 2000 ? `${printable.slice(0, 2000)}…` : printable;
}

function isIdentifier(x: unknown): x is { readonly type: string; readonly value: string } {
  if (typeof x !== "object" || x === null || !("type" in x) || !("value" in x)) return false;
  return typeof x.type === "string" && typeof x.value === "string";
}
