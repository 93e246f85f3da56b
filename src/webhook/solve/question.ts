import { hash } from "node:crypto";
import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import { childOf, type DomainName, isWithin, parseName, rootName } from "../../core/name.ts";
import type { ChallengeRequest } from "../challenge.ts";
import { sizeFault } from "./config.ts";

/** What a call asks for, checked. */
export interface Question {
  readonly action: "Present" | "CleanUp";
  readonly owner: DomainName;
  readonly value: string;
  readonly namespace: string;
  /** cert-manager's zone, where the owner is in it and it can be one. */
  readonly zoneCut: DomainName | undefined;
  /** cert-manager says that the zone is this public suffix. */
  readonly suffix: DomainName | undefined;
  /** The challenge's own name, where the owner is another one: it was reached by an alias. */
  readonly aliasOf: DomainName | undefined;
  readonly allowAmbientCredentials: boolean;
  readonly config: unknown;
  /** Of the value, whoever asks for whatever: what is done to it is done in turn. */
  readonly subject: string;
  /** Of the call: equal for calls that ask for exactly the same. */
  readonly key: string;
}

/** Up to here a text is its own key: a hash costs more than it saves. */
const longestPlain = 512;

/** The longest value of a TXT record that is still in one message; a challenge's has 43 characters. */
const maxValue = 1_000;

/** Reads a request of cert-manager. Throws ConfigError with every fault. */
export function readQuestion(
  provider: string,
  request: ChallengeRequest,
  isPublicSuffix: (name: DomainName) => boolean,
): Question {
  const issues: ConfigIssue[] = [];
  const { action, key: value, resourceNamespace: namespace, config, type } = request;
  if (type !== "" && type !== "dns-01") issues.push({ path: "type", message: `is "${type.slice(0, 40)}", not dns-01` });
  if (value === "") issues.push({ path: "key", message: "is empty: it is the value to publish" });
  if (value.length > maxValue) issues.push({ path: "key", message: `is longer than ${maxValue} characters` });
  const owner = nameOf("resolvedFQDN", request.resolvedFQDN, issues);
  const size = sizeFault(config);
  if (size !== undefined) issues.push(size);
  if (owner === rootName) issues.push({ path: "resolvedFQDN", message: "is the root, where no challenge is" });
  if (issues.length > 0 || owner === undefined) throw new ConfigError(issues, { provider });
  const hint = nameOf("resolvedZone", request.resolvedZone, []);
  const dnsName = nameOf("dnsName", request.dnsName.replace(/^\*\./, ""), []);
  const isSuffix = hint !== undefined && hint !== rootName && isPublicSuffix(hint);
  const challenge = dnsName === undefined ? undefined : childOf("_acme-challenge", dnsName);
  const subject = JSON.stringify([provider, namespace, owner, value]);
  const { allowAmbientCredentials } = request;
  return {
    action,
    owner,
    value,
    namespace,
    zoneCut: hint !== undefined && hint !== rootName && !isSuffix && isWithin(owner, hint) ? hint : undefined,
    suffix: isSuffix ? hint : undefined,
    aliasOf: challenge === owner ? undefined : challenge,
    allowAmbientCredentials,
    config,
    subject,
    key: digest([subject, action, hint ?? "", allowAmbientCredentials, sortedDeep(config)]),
  };
}

/** However it is spelled, what is longer is no name; it is not looked at letter by letter. */
const longestSpelling = 4_096;

function nameOf(path: string, text: string, issues: ConfigIssue[]): DomainName | undefined {
  if (text.length > longestSpelling) {
    issues.push({ path, message: "is longer than 253 octets" });
    return undefined;
  }
  try {
    return parseName(text, path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}

/** The same text for the same content, whatever the order of its keys. */
function sortedDeep(data: unknown, depth = 0): unknown {
  if (typeof data !== "object" || data === null || depth > 16) return data;
  if (Array.isArray(data)) return data.map((entry: unknown) => sortedDeep(entry, depth + 1));
  const entries = Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => [name, sortedDeep(value, depth + 1)]);
}

function digest(of: unknown): string {
  const text = JSON.stringify(of);
  return text.length <= longestPlain ? text : hash("sha256", text, "base64url");
}
