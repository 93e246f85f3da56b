import { ConfigError, Dns01Error, type ErrorCode } from "../../core/errors.ts";
import { withoutChanging } from "../../core/steady.ts";
import { thrownText } from "../../core/thrown.ts";
import type { ChallengeAnswer } from "../challenge.ts";
import { listFaults } from "./fault-list.ts";

/** What a message is about. */
export interface About {
  readonly provider: string;
  readonly owner?: string | undefined;
  /** The challenge's value, which may look like an id. */
  readonly value?: string | undefined;
  /** Puts what a provider says into the words of an Issuer. */
  readonly inWords?: ((text: string) => string) | undefined;
}

/** What `kubectl describe challenge` has room for. */
const maxLength = 300;

/** RFC 9110's and Kubernetes' words for each code (docs/errors.md). */
const reasons: Readonly<Record<ErrorCode, string>> = {
  CONFIG: "Invalid",
  AUTH: "Forbidden",
  ZONE_NOT_FOUND: "NotFound",
  REJECTED: "Invalid",
  CONFLICT: "Conflict",
  RATE_LIMITED: "TooManyRequests",
  TRANSIENT: "ServiceUnavailable",
  NOT_PROPAGATED: "Timeout",
  LOCKED: "ServiceUnavailable",
  ABORTED: "ServiceUnavailable",
  ACME: "InternalError",
  HOOK: "InternalError",
  UNKNOWN: "InternalError",
};

/**
 * An error as cert-manager shows it: one line with what failed, where, why in the provider's words and what to do.
 * cert-manager keeps the text in the Challenge and calls again at once when it changes, so equal causes have to read the
 * same: no ids of requests, no times, nothing that depends on order.
 */
export function failureOf(error: unknown, about: About): Extract<ChallengeAnswer, { success: false }> {
  const code: ErrorCode = Dns01Error.is(error) ? error.code : "UNKNOWN";
  return { success: false, code, reason: reasons[code] ?? "InternalError", message: messageOf(error, about) };
}

function messageOf(error: unknown, about: About): string {
  const { provider } = about;
  if (!Dns01Error.is(error)) return fitted(`${provider}: internal fault: ${steady(thrownText(error), about)}`, "");
  if (error instanceof ConfigError) {
    // The path is the user's own word.
    const issues = error.issues.map(({ path, message }) => ({ path: oneLine(path), message: steady(message, about) }));
    const head = `${provider}: ${issues.length > 1 ? `${issues.length} faults: ` : ""}`;
    return fitted(`${head}${listFaults(issues, maxLength - head.length)}`, "");
  }
  const hint = error.hint === undefined ? "" : ` ${steady(error.hint, about)}`;
  const said = withoutPrefix(error.message, provider);
  if (error.code === "AUTH") {
    // The same for every step that the credentials are refused at, so that a remembered refusal reads the same.
    const cause = said.replace(/^cannot [^:]+: /, "");
    return fitted(steady(`${provider}: credentials refused${at(about.owner)}: ${cause}`, about), hint);
  }
  const named = about.owner === undefined || said.includes(about.owner);
  return fitted(steady(`${provider}: ${said}${named ? "" : ` (for ${about.owner})`}`, about), hint);
}

function at(owner: string | undefined): string {
  return owner === undefined ? "" : ` for ${owner}`;
}

function withoutPrefix(message: string, provider: string): string {
  return message.startsWith(`${provider}: `) ? message.slice(provider.length + 2) : message;
}

/** One line, and without what differs from one failure to the next. The owner may look like an id and is left alone. */
function steady(text: string, { owner = "", value = "", inWords = (said) => said }: About): string {
  return oneLine(
    withoutChanging(inWords(oneLine(text)).replace(accountNames, "…"), [owner, value]).replace(/\(\s*\)|\[\s*\]/g, ""),
  ).replace(/ ([.,;:])/g, "$1");
}

/**
 * Users and roles with the number of their account, as AWS and Tencent Cloud name them (`arn:aws:iam::123456789012:user/x`). With a
 * ClusterIssuer they are the operator's, and every tenant reads the message.
 */
const accountNames = /\b(?:arn:[\w-]+:(?:iam|sts)::\d+|qcs::\w*:[\w-]*:uin\/\d+):[^\s,;)]+/g;

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: whatever a service sends, the answer is one line of text
  return text.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim();
}

/** The cause gives way before the advice does. */
function fitted(said: string, hint: string): string {
  const sentence = hint !== "" && !/[.!?…]$/.test(said) ? `${said}.` : said;
  const room = Math.max(maxLength - hint.length, maxLength / 2);
  const head = sentence.length > room ? `${sentence.slice(0, room - 1)}…` : sentence;
  const text = `${head}${hint}`;
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
