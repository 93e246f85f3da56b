import { isNotYetValid } from "../acme/certificate.ts";
import { buildCsr } from "../acme/csr.ts";
import { generateKey } from "../acme/keys.ts";
import { finalizeOrder } from "../acme/order.ts";
import type { AcmeClient, Order } from "../acme/types.ts";
import { AcmeError } from "../core/errors.ts";
import { placeOrder } from "./new-order.ts";
import type { PendingOrder, StoredCertificate } from "./ports.ts";
import type { IssueDeps, IssueRequest } from "./request.ts";

/**
 * Some CAs leave an order or a challenge "processing" for ever, with an end that is months away (ZeroSSL, acme.sh#6103;
 * Actalis): waiting on for it would last until the certificate has run out. A new order takes over what is proven already.
 */
const stuckMs = 24 * 3_600_000;

/** An order and what is needed to finish it. */
export interface OpenOrder {
  readonly order: Order;
  /** PKCS #8 PEM; absent when the CSR is the user's. */
  readonly privkey?: string | undefined;
  readonly csr: Uint8Array;
  /** What it was ordered under; undefined for the CA's usual one. */
  readonly profile?: string | undefined;
  /** Begun by an earlier run: it may turn out to be spoilt. */
  readonly resumed: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
}

/**
 * Goes on with the order an earlier run wrote down, if the CA still has it and it is for the same thing; else places a
 * new one, after `zonesFound`. The key is stored with the order before anything is finalized, so that a certificate never outlives its key.
 */
export async function openOrder(
  client: AcmeClient,
  accountUrl: string,
  request: IssueRequest,
  stored: StoredCertificate | undefined,
  zonesFound: Promise<void>,
  deps: IssueDeps,
): Promise<OpenOrder> {
  const pending = request.dryRun ? undefined : await deps.certificates.loadPending(request.name);
  if (pending !== undefined) {
    const order = isSame(pending, accountUrl, request, stored) ? await readOrder(client, pending, deps) : undefined;
    if (order !== undefined) {
      deps.observer({ type: "log", level: "info", text: `going on with order ${order.url} (${order.status})` });
      const { privkey, profile, createdAt } = pending;
      return { order, privkey, csr: Buffer.from(pending.csr, "base64url"), profile, resumed: true, createdAt };
    }
    await deps.certificates.clearPending(request.name);
  }
  const domains = request.identifiers.map((i) => i.text);
  const keyed = (async () => {
    if (request.csr !== undefined) return { csr: request.csr, privkey: undefined };
    const privkey = keyToReuse(stored, request) ?? (await generateKey(request.keyType));
    return { csr: await buildCsr(privkey, domains), privkey };
  })();
  // Awaited below; a failure of the order must not leave this one unhandled.
  keyed.catch(() => {});
  // The connection to the CA is made meanwhile.
  await Promise.all([client.directory(deps.signal), zonesFound]);
  const { order, profile } = await placeOrder(client, request, stored, deps);
  const { csr, privkey } = await keyed;
  const createdAt = deps.now().toISOString();
  if (!request.dryRun) {
    await deps.certificates.savePending(request.name, {
      ca: request.ca.directoryUrl,
      accountUrl,
      orderUrl: order.url,
      domains,
      keyType: request.keyType,
      ...(privkey === undefined ? {} : { privkey }),
      csr: Buffer.from(csr).toString("base64url"),
      ...(profile === undefined ? {} : { profile }),
      createdAt,
    });
  }
  return { order, privkey, csr, profile, resumed: false, createdAt };
}

/** Whether the order is for what is wanted now. One that is older than the stored certificate has led to that one. */
function isSame(
  pending: PendingOrder,
  accountUrl: string,
  request: IssueRequest,
  stored: StoredCertificate | undefined,
): boolean {
  const isSpent = stored !== undefined && !(new Date(pending.createdAt) > new Date(stored.meta.issuedAt));
  const isAskedFor = (pending.profile ?? "") === (request.profile ?? "");
  return (
    !isSpent &&
    (isAskedFor || (pending.profile === undefined && request.profileOptional === true)) &&
    pending.ca === request.ca.directoryUrl &&
    pending.accountUrl === accountUrl &&
    pending.keyType === request.keyType &&
    sameSet(
      pending.domains,
      request.identifiers.map((i) => i.text),
    ) &&
    (request.csr === undefined
      ? isKeyWanted(pending.privkey, request, stored)
      : pending.csr === Buffer.from(request.csr).toString("base64url"))
  );
}

/** Where the key is to stay, an order with another one is not the one that is wanted: somebody may have pinned it. */
function isKeyWanted(
  privkey: string | undefined,
  request: IssueRequest,
  stored: StoredCertificate | undefined,
): boolean {
  const kept = keyToReuse(stored, request);
  return privkey !== undefined && (kept === undefined || kept.trim() === privkey.trim());
}

export function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}

/** The order, or undefined when it is spoilt, stuck, or the CA no longer knows it. */
async function readOrder(
  client: AcmeClient,
  { orderUrl, createdAt }: PendingOrder,
  { now, signal, observer }: IssueDeps,
): Promise<Order | undefined> {
  try {
    const order = await client.order(orderUrl, signal);
    if (order.status !== "valid" && isStuck(createdAt, now())) {
      const text = `order ${order.url} is still ${order.status} after more than a day; placing a new one`;
      observer({ type: "log", level: "warn", text });
      return undefined;
    }
    return order.status === "invalid" ? undefined : order;
  } catch (error) {
    if (error instanceof AcmeError) return undefined;
    throw error;
  }
}

function isStuck(createdAt: string, now: Date): boolean {
  return !(Math.abs(now.getTime() - Date.parse(createdAt)) < stuckMs);
}

/**
 * Returns true when the order's certificate becomes usable by itself, once its time or the clock's correction comes: another
 * order would spend the CA's limit for the same result. After a day a new order is tried.
 */
export function isWorthKeeping({ createdAt }: OpenOrder, error: unknown, now: Date): boolean {
  return isNotYetValid(error) && !isStuck(createdAt, now);
}

/** The stored key, where `--reuse-key` asks for it and it is of the wanted type. Not one that others have: CAs refuse it. */
function keyToReuse(stored: StoredCertificate | undefined, request: IssueRequest): string | undefined {
  if (stored?.meta.revoked?.reason === "keyCompromise") return undefined;
  return request.reuseKey && stored?.meta.keyType === request.keyType ? stored.pem.privkey : undefined;
}

/** Finalizes whatever state the order is in, and waits until it is valid. */
export async function completeOrder(
  client: AcmeClient,
  open: OpenOrder,
  order: Order,
  deps: IssueDeps,
): Promise<Order> {
  const { clock, signal } = deps;
  return await finalizeOrder(client, order, open.csr, { clock, signal, wallNow: () => deps.now().getTime() });
}
