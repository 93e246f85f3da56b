import { randomBytes } from "node:crypto";
import type { DomainName } from "../core/name.ts";
import { malformed, notFound, unauthorized } from "./ca-problem.ts";
import {
  type AcmeReply,
  type AcmeRequest,
  type CaAccount,
  type CaAuthorization,
  type CaChallenge,
  type CaState,
  newId,
  retryAfter,
} from "./ca-state.ts";

const defaultPendingSeconds = 7 * 86_400;
const validSeconds = 30 * 86_400;

export function ownAuthorization(state: CaState, id: string, account: CaAccount): CaAuthorization {
  const authorization = state.authorizations.get(id);
  if (authorization === undefined) throw notFound("authorization");
  if (authorization.account !== account) throw unauthorized("this authorization belongs to another account");
  refreshAuthorization(state, authorization);
  return authorization;
}

/** POST to an authorization: read, or deactivate (RFC 8555 §7.5.2). */
export function handleAuthorization(state: CaState, id: string, { account, payload }: AcmeRequest): AcmeReply {
  const authorization = ownAuthorization(state, id, account);
  if (payload !== undefined) {
    if (payload["status"] !== "deactivated") throw malformed("an authorization can only be deactivated");
    if (authorization.status === "pending" || authorization.status === "valid") authorization.status = "deactivated";
  }
  return viewAuthorization(state, authorization);
}

/** One authorization for each name of an order: known ones where the CA uses them again, else new ones. */
export function authorize(
  state: CaState,
  account: CaAccount,
  names: readonly DomainName[],
): readonly CaAuthorization[] {
  const tokens = new Map<string, string>();
  return names.map((name) => {
    const wildcard = name.startsWith("*.");
    const base = (wildcard ? name.slice(2) : name) as DomainName;
    const known = [...state.authorizations.values()].find((a) => {
      if (a.account !== account || a.base !== base || a.wildcard !== wildcard) return false;
      refreshAuthorization(state, a);
      if (a.status === "valid") return state.random.chance(state.behaviour.authzReuse ?? 0);
      // An authorization whose challenge is being tried would decide over two orders.
      return a.status === "pending" && state.behaviour.orderReuse === true && a.challenges.every(isUntouched);
    });
    if (known !== undefined) return known;
    const token = (state.behaviour.sameToken === true ? tokens.get(base) : undefined) ?? newToken();
    tokens.set(base, token);
    return newAuthorization(state, account, base, wildcard, token);
  });
}

export function refreshAuthorization(state: CaState, authorization: CaAuthorization): void {
  if (authorization.expires > state.now()) return;
  if (authorization.status === "valid") authorization.status = "expired";
  if (authorization.status === "pending") authorization.status = "invalid";
}

function viewAuthorization(state: CaState, authorization: CaAuthorization): AcmeReply {
  const isTried = authorization.challenges.some((c) => c.status === "processing");
  // RFC 8555 §7.1.4: once decided, only the challenge that decided is shown.
  const tried = authorization.status === "pending" ? [] : authorization.challenges.filter((c) => !isUntouched(c));
  const shown = tried.length > 0 ? tried : state.random.shuffled(authorization.challenges);
  return {
    status: 200,
    headers: isTried ? retryAfter(state) : {},
    body: {
      status: authorization.status,
      expires: authorization.expires.toISOString(),
      identifier: { type: "dns", value: authorization.base },
      ...(authorization.wildcard ? { wildcard: true } : {}),
      challenges: shown.map((c) => challengeBody(state, c)),
    },
  };
}

export function challengeBody(state: CaState, challenge: CaChallenge): unknown {
  return {
    type: challenge.type,
    url: `${state.origin()}/chall/${challenge.id}`,
    status: challenge.status,
    token: challenge.token,
    ...(challenge.validated === undefined ? {} : { validated: challenge.validated.toISOString() }),
    ...(challenge.error === undefined ? {} : { error: challenge.error }),
  };
}

/** Valid for as long as validations may be used again. */
export function validUntil(state: CaState): Date {
  return new Date(state.now().getTime() + validSeconds * 1000);
}

export function pendingUntil(state: CaState): Date {
  return new Date(state.now().getTime() + (state.behaviour.pendingSeconds ?? defaultPendingSeconds) * 1000);
}

function isUntouched(challenge: CaChallenge): boolean {
  return challenge.status === "pending";
}

function newAuthorization(
  state: CaState,
  account: CaAccount,
  base: DomainName,
  wildcard: boolean,
  token: string,
): CaAuthorization {
  const isBornValid = state.behaviour.preauthorized === true;
  const authorization: CaAuthorization = {
    id: newId(),
    account,
    base,
    wildcard,
    status: isBornValid ? "valid" : "pending",
    expires: isBornValid ? validUntil(state) : pendingUntil(state),
    challenges: [],
  };
  const types = isBornValid ? [] : ["dns-01", ...(state.behaviour.unknownChallenges === true ? ["sandbox-99"] : [])];
  authorization.challenges = types.map((type) => {
    const challenge: CaChallenge = {
      id: newId(),
      type,
      token: type === "dns-01" ? token : newToken(),
      authorization,
      status: "pending",
    };
    state.challenges.set(challenge.id, challenge);
    return challenge;
  });
  state.authorizations.set(authorization.id, authorization);
  return authorization;
}

/** RFC 8555 §8.3: at least 128 bits of entropy. */
function newToken(): string {
  return randomBytes(32).toString("base64url");
}
