import { createHash } from "node:crypto";
import { challengeName } from "../core/challenge.ts";
import { accountUrl } from "./ca-accounts.ts";
import { challengeBody, ownAuthorization, validUntil } from "./ca-authorizations.ts";
import { failureKey } from "./ca-limits.ts";
import { refreshOrder } from "./ca-orders.ts";
import { malformed, notFound } from "./ca-problem.ts";
import { type AcmeReply, type AcmeRequest, type CaChallenge, type CaState, retryAfter } from "./ca-state.ts";
import { timeOfDay } from "./log.ts";

/** POST to a challenge: read with an empty payload, start with `{}` (RFC 8555 §7.5.1). */
export function handleChallenge(state: CaState, id: string, { account, payload }: AcmeRequest): AcmeReply {
  const challenge = state.challenges.get(id);
  if (challenge === undefined) throw notFound("challenge");
  const authorization = ownAuthorization(state, challenge.authorization.id, account);
  if (payload !== undefined && challenge.status === "pending") {
    if (authorization.status !== "pending") throw malformed(`the authorization is already ${authorization.status}`);
    if (authorization.challenges.some((c) => c !== challenge && c.status === "processing")) {
      throw malformed("another challenge of this authorization is being tried");
    }
    start(state, challenge);
  }
  return {
    status: 200,
    headers: {
      link: `<${state.origin()}/authz/${authorization.id}>;rel="up"`,
      location: `${state.origin()}/chall/${challenge.id}`,
      ...(challenge.status === "processing" ? retryAfter(state) : {}),
    },
    body: challengeBody(state, challenge),
  };
}

function start(state: CaState, challenge: CaChallenge): void {
  const { authorization } = challenge;
  challenge.status = "processing";
  // The key of the moment counts: a key change while the challenge runs must not break it.
  const value = txtValueFor(challenge.token, authorization.account.thumbprint);
  state.later(state.behaviour.validationDelayMs ?? 0, async (signal) => {
    const result = await state.validate(
      {
        type: challenge.type,
        base: authorization.base,
        wildcard: authorization.wildcard,
        value,
        accountUrl: accountUrl(state, authorization.account),
      },
      signal,
    );
    state.log.add({
      kind: "validation",
      at: timeOfDay(),
      identifier: authorization.wildcard ? `*.${authorization.base}` : authorization.base,
      owner: challengeName(authorization.base),
      valid: result.problem === undefined,
      detail: result.problem?.detail ?? result.seen,
    });
    challenge.validated = state.now();
    if (result.problem === undefined) {
      challenge.status = "valid";
      if (authorization.status === "pending") {
        authorization.status = "valid";
        authorization.expires = validUntil(state);
      }
    } else {
      challenge.status = "invalid";
      const { account, base, wildcard } = authorization;
      state.counts.add(failureKey(account, wildcard ? `*.${base}` : base));
      challenge.error = result.problem;
      if (authorization.status === "pending") authorization.status = "invalid";
    }
    for (const order of state.orders.values()) {
      if (order.authorizations.includes(authorization)) refreshOrder(state, order);
    }
  });
}

/** RFC 8555 §8.1 and §8.4. */
function txtValueFor(token: string, thumbprint: string): string {
  return createHash("sha256").update(`${token}.${thumbprint}`).digest("base64url");
}
