import { AcmeError } from "../core/errors.ts";
import { type DomainName, parseName } from "../core/name.ts";
import { orderFailure } from "./failure.ts";
import { fanOut } from "./fan-out.ts";
import { malformedAnswer } from "./problem.ts";
import type { AcmeClient, Authorization } from "./types.ts";

/** A name that is still to be proven. */
export interface PendingChallenge {
  /** As in the order: "*.example.com". */
  readonly domain: string;
  /** Without the "*.": what the challenge name is made of (RFC 8555 §8.4). */
  readonly base: DomainName;
  readonly wildcard: boolean;
  readonly token: string;
  /** The TXT value. Two challenges can have the same one: some CAs give apex and wildcard one token. */
  readonly value: string;
  /** "processing" when it was answered before: the value has to stay, answering again would be an error. */
  readonly status: "pending" | "processing";
  readonly challengeUrl: string;
  readonly authorizationUrl: string;
}

/**
 * The dns-01 challenges that still need their value in DNS; what is valid already is left out. Throws AcmeError when an
 * authorization has failed or offers no dns-01.
 */
export function pendingDns01(
  client: Pick<AcmeClient, "dnsValue">,
  authorizations: readonly Authorization[],
): readonly PendingChallenge[] {
  if (authorizations.some(({ status }) => status !== "pending" && status !== "valid")) {
    throw orderFailure(undefined, authorizations);
  }
  return authorizations
    .filter(({ status }) => status === "pending")
    .flatMap((authorization) => challengeOf(client, authorization));
}

/** Starts the validation of all of them, side by side; those under way are left alone. All are tried before any throws. */
export async function answerAll(
  client: AcmeClient,
  challenges: readonly PendingChallenge[],
  signal: AbortSignal,
): Promise<void> {
  const open = challenges.filter(({ status }) => status === "pending");
  const shared = fanOut(signal);
  const results = await Promise.allSettled(open.map(({ challengeUrl }) => client.answer(challengeUrl, shared)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function challengeOf(client: Pick<AcmeClient, "dnsValue">, authorization: Authorization): readonly PendingChallenge[] {
  const { identifier, wildcard, challenges } = authorization;
  const base = parseName(identifier.value, "authorization");
  const domain = wildcard ? `*.${base}` : base;
  const challenge = challenges.find(({ type }) => type === "dns-01");
  if (challenge === undefined) {
    const offered = challenges.map(({ type }) => type).join(", ") || "nothing";
    const detail = `${domain}: the CA offers ${offered}, but not dns-01`;
    const problem = { type: "about:blank", detail, identifier: { type: identifier.type, value: domain } };
    throw new AcmeError(`authorization: ${detail}`, problem, {
      operation: "authorization",
      hint: "Choose another CA, or another profile or account there.",
    });
  }
  const { status, token, url } = challenge;
  if (status === "invalid") throw orderFailure(undefined, [authorization]);
  if (status === "valid") return [];
  if (token === undefined) throw malformedAnswer("authorization", `the dns-01 challenge ${url} has no token`);
  // RFC 8555 §8.3: anything else in it would be signed as part of the key authorization.
  if (!/^[A-Za-z0-9_-]+$/.test(token)) {
    throw malformedAnswer("authorization", `the token of the dns-01 challenge ${url} is no base64url`);
  }
  const value = client.dnsValue(token);
  return [{ domain, base, wildcard, token, value, status, challengeUrl: url, authorizationUrl: authorization.url }];
}
