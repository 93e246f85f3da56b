import { X509Certificate } from "node:crypto";
import { expect } from "vitest";
import type { Sandbox } from "../../src/sandbox/index.ts";
import { csrFor, type RawAcme, type RawReply, txtFor } from "./raw-acme.ts";

export interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token: string;
  readonly status: string;
  readonly error?: { readonly type: string; readonly detail: string };
}
export interface Authorization {
  readonly url: string;
  readonly status: string;
  readonly wildcard?: boolean;
  readonly identifier: { readonly value: string };
  readonly challenges: readonly Challenge[];
}
export interface Order {
  readonly url: string;
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: { readonly type: string; readonly detail: string };
}

export const identifiers = (names: readonly string[]) => names.map((value) => ({ type: "dns", value }));

export async function newOrder(who: RawAcme, names: readonly string[], more: object = {}): Promise<RawReply> {
  const { newOrder: url = "" } = await who.directory();
  return who.post(url, { identifiers: identifiers(names), ...more });
}

export function orderOf(reply: RawReply): Order {
  return { ...(reply.json as unknown as Order), url: String(reply.headers["location"]) };
}

export async function authorizationsOf(who: RawAcme, order: Order): Promise<readonly Authorization[]> {
  const replies = await Promise.all(order.authorizations.map((url) => who.post(url)));
  return replies.map((reply, i) => ({
    ...(reply.json as unknown as Authorization),
    url: order.authorizations[i] ?? "",
  }));
}

/** Writes the right values, unless `values` says otherwise, and answers every challenge. */
export async function solve(
  box: Sandbox,
  who: RawAcme,
  order: Order,
  values?: (right: string) => string,
): Promise<void> {
  for (const { identifier, challenges } of await authorizationsOf(who, order)) {
    const challenge = challenges.find((c) => c.type === "dns-01");
    if (challenge === undefined) throw new Error("no dns-01 challenge");
    const right = await txtFor(who.key, challenge.token);
    box.zone.addTxt(`_acme-challenge.${identifier.value}`, values?.(right) ?? right);
    await who.post(challenge.url, {});
  }
}

export async function settled(who: RawAcme, url: string): Promise<Order> {
  for (;;) {
    const order = { ...((await who.post(url)).json as unknown as Order), url };
    if (order.status !== "pending" && order.status !== "processing") return order;
  }
}

export async function certify(
  box: Sandbox,
  who: RawAcme,
  names: readonly string[],
  more: object = {},
): Promise<string> {
  const order = orderOf(await newOrder(who, names, more));
  await solve(box, who, order);
  expect((await settled(who, order.url)).status).toBe("ready");
  await who.post(order.finalize, { csr: await csrFor(names) });
  const done = await settled(who, order.url);
  expect(done.status).toBe("valid");
  return done.certificate ?? "";
}

export function chainOf(pem: string): readonly X509Certificate[] {
  return (pem.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one));
}
