import type { Problem } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import { authorize, pendingUntil, refreshAuthorization } from "./ca-authorizations.ts";
import { readIdentifiers } from "./ca-identifiers.ts";
import { checkLimits } from "./ca-limits.ts";
import { AcmeProblem, malformed, notFound, unauthorized } from "./ca-problem.ts";
import { checkReplaced } from "./ca-renewal.ts";
import {
  type AcmeReply,
  type AcmeRequest,
  type CaAccount,
  type CaAuthorization,
  type CaOrder,
  type CaState,
  newId,
  retryAfter,
} from "./ca-state.ts";

const maxDays = 90;

/** RFC 8555 §7.4. */
export function newOrder(state: CaState, { account, payload }: AcmeRequest): AcmeReply {
  if (payload === undefined) throw malformed("a new order needs a payload");
  const names = readIdentifiers(payload["identifiers"], state.behaviour.blocked ?? []);
  const profile = readProfile(state, payload["profile"]);
  const notBefore = readTime(payload["notBefore"], "notBefore");
  const notAfter = readTime(payload["notAfter"], "notAfter");
  checkPeriod(state, notBefore, notAfter);
  const replaced = checkReplaced(state, account, names, payload["replaces"]);
  checkLimits(state, account, names);
  const same = reusable(state, account, names, profile);
  if (same !== undefined) return { ...viewOrder(state, same), status: 201 };
  const order: CaOrder = {
    id: newId(),
    account,
    names,
    authorizations: authorize(state, account, names),
    expires: pendingUntil(state),
    profile,
    replaces: replaced?.renewalId,
    notBefore,
    notAfter,
    status: "pending",
  };
  state.orders.set(order.id, order);
  state.counts.add(`order ${account.id}`);
  if (replaced !== undefined) replaced.replacedBy = order;
  return { ...viewOrder(state, order), status: 201 };
}

export function ownOrder(state: CaState, id: string, account: CaAccount): CaOrder {
  const order = state.orders.get(id);
  if (order === undefined) throw notFound("order");
  if (order.account !== account) throw unauthorized("this order belongs to another account");
  refreshOrder(state, order);
  return order;
}

/** What follows for the order from its authorizations and the time (RFC 8555 §7.1.6). */
export function refreshOrder(state: CaState, order: CaOrder): void {
  if (order.status !== "pending" && order.status !== "ready") return;
  for (const authorization of order.authorizations) refreshAuthorization(state, authorization);
  const dead = order.authorizations.find((a) => a.status !== "pending" && a.status !== "valid");
  if (dead !== undefined || order.expires <= state.now()) {
    order.status = "invalid";
    order.error = deathOf(dead);
  } else if (order.authorizations.every((a) => a.status === "valid")) {
    order.status = "ready";
  }
}

export function viewOrder(state: CaState, order: CaOrder): AcmeReply {
  refreshOrder(state, order);
  const url = `${state.origin()}/order/${order.id}`;
  const body = {
    status: order.status,
    expires: order.expires.toISOString(),
    identifiers: state.random.shuffled(order.names).map((value) => ({ type: "dns", value })),
    authorizations: state.random.shuffled(order.authorizations).map((a) => `${state.origin()}/authz/${a.id}`),
    finalize: `${url}/finalize`,
    ...(order.profile === undefined ? {} : { profile: order.profile }),
    ...(order.replaces === undefined ? {} : { replaces: order.replaces }),
    ...(order.notBefore === undefined ? {} : { notBefore: order.notBefore.toISOString() }),
    ...(order.notAfter === undefined ? {} : { notAfter: order.notAfter.toISOString() }),
    ...(order.error === undefined ? {} : { error: order.error }),
    ...(order.certificate === undefined ? {} : { certificate: `${state.origin()}/cert/${order.certificate.id}` }),
  };
  const headers = { location: url, ...(order.status === "processing" ? retryAfter(state) : {}) };
  return { status: 200, headers, body };
}

function reusable(
  state: CaState,
  account: CaAccount,
  names: readonly DomainName[],
  profile: string | undefined,
): CaOrder | undefined {
  const { orderReuse, validOrders } = state.behaviour;
  const again = [...(orderReuse === true ? ["ready", "pending"] : []), ...(validOrders === true ? ["valid"] : [])];
  if (again.length === 0) return undefined;
  const key = [...names].sort().join();
  return [...state.orders.values()].find((order) => {
    if (order.account !== account || order.profile !== profile || [...order.names].sort().join() !== key) return false;
    refreshOrder(state, order);
    return again.includes(order.status);
  });
}

function deathOf(authorization: CaAuthorization | undefined): Problem {
  const error = authorization?.challenges.find((c) => c.error !== undefined)?.error;
  if (error !== undefined) return error;
  const detail =
    authorization === undefined
      ? "the order has expired"
      : `the authorization for "${authorization.base}" is ${authorization.status}`;
  return { type: "urn:ietf:params:acme:error:unauthorized", detail, status: 403 };
}

function readProfile(state: CaState, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !state.profiles.has(value)) {
    throw new AcmeProblem(
      "invalidProfile",
      400,
      `there is no profile "${String(value)}", only ${[...state.profiles.keys()].join(", ") || "none"}`,
    );
  }
  return value;
}

function readTime(value: unknown, member: string): Date | undefined {
  if (value === undefined) return undefined;
  const isRfc3339 =
    typeof value === "string" && /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value);
  const time = isRfc3339 ? new Date(value) : undefined;
  if (time === undefined || Number.isNaN(time.getTime())) throw malformed(`"${member}" is no RFC 3339 time`);
  return time;
}

function checkPeriod(state: CaState, notBefore: Date | undefined, notAfter: Date | undefined): void {
  const start = notBefore ?? state.now();
  if (notAfter === undefined) return;
  if (notAfter <= start) throw malformed('"notAfter" is not after the beginning');
  if (notAfter.getTime() - start.getTime() > maxDays * 86_400_000) {
    throw malformed(`certificates live ${maxDays} days at most`);
  }
}
