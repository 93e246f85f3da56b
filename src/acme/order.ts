import type { Clock } from "../core/clock.ts";
import { AcmeError, TransientError } from "../core/errors.ts";
import { failureOf } from "./failure.ts";
import { fanOut } from "./fan-out.ts";
import { pace, poll, slowestMs } from "./poll.ts";
import { isProblem, malformedAnswer } from "./problem.ts";
import { inWords } from "./retry-after.ts";
import type { AcmeClient, Authorization, Order } from "./types.ts";

export interface WaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds, default ten minutes; less when the order expires before. */
  readonly timeoutMs?: number;
  /** Milliseconds since 1970, for `expires`. */
  readonly wallNow?: () => number;
}

const defaultTimeoutMs = 600_000;
/** What is left of an order's life for everything after the wait. */
const reserveMs = 60_000;

/**
 * Rejects an order that lists more authorizations than the `names` that were ordered: each costs a request, and another one
 * when the order fails. Fewer are fine: what to prove is the CA's to say (RFC 8555 §7.1.3). Throws AcmeError.
 */
export function checkCount({ url, authorizations }: Order, names: readonly string[]): void {
  if (authorizations.length <= names.length) return;
  const ordered = names.length === 1 ? "one name" : `${names.length} names`;
  throw malformedAnswer(
    "order",
    `the order ${url} lists ${authorizations.length} authorizations, but it is for ${ordered}`,
  );
}

/** All authorizations of the order, read side by side. Their order is not that of the identifiers (RFC 8555 §7.1.3). */
export async function authorizationsOf(
  client: AcmeClient,
  order: Order,
  signal: AbortSignal,
): Promise<readonly Authorization[]> {
  const failed = new AbortController();
  const any = fanOut(signal, failed.signal);
  try {
    return await Promise.all(order.authorizations.map((url) => client.authorization(url, any)));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

/**
 * Refuses authorizations for anything that was not ordered: what they name is where a value would be written, in any
 * zone the credentials reach. `names` as in the order. Throws AcmeError.
 */
export function checkOrdered(authorizations: readonly Authorization[], names: readonly string[]): void {
  const bases = new Set(names.map((name) => name.replace(/^\*\./, "")));
  for (const { identifier } of authorizations) {
    if (identifier.type === "dns" && bases.has(identifier.value.toLowerCase().replace(/\.$/, ""))) continue;
    throw malformedAnswer("authorization", `it is for ${identifier.type} "${identifier.value}", which was not ordered`);
  }
}

/** The stored order if it can still lead somewhere; undefined when it failed, expired or is not known any more. */
export async function resumeOrder(client: AcmeClient, url: string, signal: AbortSignal): Promise<Order | undefined> {
  try {
    const order = await client.order(url, signal);
    return order.status === "invalid" ? undefined : order;
  } catch (error) {
    // 403, 404, and 400 for an account that is gone: whatever the reason, nothing can be had from it.
    if (error instanceof AcmeError) return undefined;
    throw error;
  }
}

/**
 * Polls the order until all its authorizations are valid ("ready", or a later state) or until the certificate can be
 * downloaded ("valid"; "ready" is a server that lags then). Throws AcmeError with every failed challenge's problem when
 * it becomes invalid, RateLimitedError when the CA asks for more time than there is, TransientError at the end of it.
 */
export async function waitForOrder(
  client: AcmeClient,
  order: Order,
  until: "ready" | "valid",
  options: WaitOptions,
): Promise<Order> {
  const { clock, signal } = options;
  const started = clock.now();
  let last = order;
  if (order.status === "invalid") throw await failureOf(client, order, signal);
  if (isReached(order, until)) return order;
  const reached = await poll<Order>({
    operation: "order",
    clock,
    signal,
    deadline: started + patience(order, options),
    firstWaitMs: order.status === "processing" ? order.retryAfterMs : undefined,
    look: async () => {
      last = await latest(client, order, signal);
      if (last.status === "invalid") throw await failureOf(client, last, signal);
      return isReached(last, until) ? { done: last } : { retryAfterMs: last.retryAfterMs };
    },
  });
  if (reached !== undefined) return reached;
  throw new TransientError(
    `order: ${order.url} is still ${last.status} after ${inWords(clock.now() - started)}; it was to become ${until}`,
    {
      operation: "order",
      timeout: true,
      hint: "The CA works on it still. Run again later: what is valid by then is reused.",
      details: { order: order.url, status: last.status },
    },
  );
}

/**
 * Brings the order to "valid" from whatever state it is in. `csr` is DER. A CA whose parts do not agree yet refuses an order
 * that it has just called ready: its state says what to do then (RFC 8555 §7.4), which is to finalize it again.
 */
export async function finalizeOrder(
  client: AcmeClient,
  order: Order,
  csr: Uint8Array,
  options: WaitOptions,
): Promise<Order> {
  const { clock, signal } = options;
  let now = order;
  for (let refused = 0; ; refused++) {
    const ready = now.status === "pending" ? await waitForOrder(client, now, "ready", options) : now;
    const taken =
      ready.status === "ready" ? await client.finalize(ready, csr, signal).catch(unlessNotReady(refused)) : ready;
    if (taken !== undefined) return waitForOrder(client, sameWork(taken, order), "valid", options);
    await clock.sleep(pace[refused] ?? slowestMs, signal);
    now = await latest(client, order, signal);
  }
}

async function latest(client: AcmeClient, order: Order, signal: AbortSignal): Promise<Order> {
  return sameWork(await client.order(order.url, signal), order);
}

/** With the authorizations that were checked: those that a later answer adds are never asked for. */
function sameWork(now: Order, { authorizations }: Order): Order {
  return { ...now, authorizations };
}

/** How often an order that is ready by its own state may be refused as one that is not. */
const mostRefusals = 10;

function unlessNotReady(refused: number): (error: unknown) => undefined {
  return (error) => {
    if (refused < mostRefusals && isProblem(error, "orderNotReady")) return undefined;
    throw error;
  };
}

/**
 * Waits until the CA has made up its mind about these authorizations, so that the values they look for may be removed;
 * `onlyAnswered` leaves those out whose challenge nobody started. False when it took longer than `timeoutMs` (default
 * one minute). Never throws for what the CA says.
 */
export async function waitForFinalAuthorizations(
  client: AcmeClient,
  urls: readonly string[],
  options: WaitOptions & { readonly onlyAnswered?: boolean },
): Promise<boolean> {
  const { clock } = options;
  const signal = fanOut(options.signal);
  const isOpen = ({ status, challenges }: Authorization) =>
    status === "pending" &&
    (options.onlyAnswered !== true ||
      challenges.some(
        (challenge) => challenge.status === "processing" || client.answered?.has(challenge.url) === true,
      ));
  let open = urls;
  const deadline = clock.now() + (options.timeoutMs ?? 60_000);
  const done = await poll<true>({
    operation: "authorization",
    clock,
    signal,
    deadline,
    firstWaitMs: undefined,
    look: async () => {
      const seen = await Promise.all(open.map((url) => client.authorization(url, signal).catch(gone)));
      const pending = seen.filter((authorization) => authorization !== undefined && isOpen(authorization));
      open = pending.map((authorization) => authorization?.url ?? "");
      if (open.length === 0) return { done: true };
      const asked = Math.max(0, ...pending.map((authorization) => authorization?.retryAfterMs ?? 0));
      return { retryAfterMs: Math.min(asked, Math.max(0, deadline - clock.now())) };
    },
  });
  return done ?? false;
}

function isReached(order: Order, until: "ready" | "valid"): boolean {
  if (until === "valid") return order.status === "valid" && order.certificate !== undefined;
  return order.status === "ready" || order.status === "processing" || order.status === "valid";
}

function patience(order: Order, options: WaitOptions): number {
  const expires = Date.parse(order.expires ?? "");
  const ours = options.timeoutMs ?? defaultTimeoutMs;
  if (Number.isNaN(expires)) return ours;
  return Math.min(ours, timeOfLife(expires - (options.wallNow ?? Date.now)()));
}

/**
 * Milliseconds that may be waited for an order that ends in `leftMs`, with a minute for what comes after. An order that
 * has less than that is not given up for it: a third of it is waited.
 */
export function timeOfLife(leftMs: number): number {
  return Math.max(leftMs - reserveMs, leftMs / 3);
}

function gone(error: unknown): undefined {
  if (error instanceof AcmeError) return undefined;
  throw error;
}

export { answerAll, type PendingChallenge, pendingDns01 } from "./pending.ts";
