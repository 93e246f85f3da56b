import { AcmeError } from "../core/errors.ts";
import { certificateInfo, certificatesOf, chainEndsAt, chainMentions, inOrder } from "./certificate.ts";
import { malformedAnswer } from "./problem.ts";
import type { AcmeClient, Order } from "./types.ts";

export interface ChosenChain {
  /** PEM, leaf first. */
  readonly pem: string;
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
}

/** CAs offer one or two besides the default one. */
const mostAlternates = 10;

/**
 * Downloads the certificate of a valid order. With `preferred`, the chain that ends at this common name, else the first
 * that mentions it as issuer or subject, else the default with a warning. Other chains are fetched only while none fits.
 */
export async function chooseChain(
  client: AcmeClient,
  order: Order,
  preferred: string | undefined,
  signal: AbortSignal,
): Promise<ChosenChain> {
  if (order.certificate === undefined) {
    throw malformedAnswer("certificate", `the order ${order.url} is ${order.status} but names no certificate`);
  }
  const { pem: sent, alternates } = await client.certificate(order.certificate, signal);
  const first = inOrder(sent);
  if (preferred === undefined) return { pem: first, warnings: [] };
  const chains = [first];
  for (const url of ["", ...[...new Set(alternates)].slice(0, mostAlternates)]) {
    const pem = url === "" ? first : await alternate(client, url, signal);
    if (pem === undefined) continue;
    if (chainEndsAt(pem, preferred)) return { pem, warnings: [] };
    if (url !== "") chains.push(pem);
  }
  const mentioned = chains.find((pem) => chainMentions(pem, preferred));
  if (mentioned !== undefined) return { pem: mentioned, warnings: [] };
  const offered = chains.map((pem) => `"${certificateInfo(certificatesOf(pem).at(-1) ?? pem).issuer}"`);
  const text = `no chain leads to "${preferred}"; the CA offers ${[...new Set(offered)].join(", ")}. The default one is used.`;
  return { pem: first, warnings: [{ code: "W_CHAIN", text }] };
}

/** One chain fewer to choose from is no reason to fail when the default one is at hand. */
async function alternate(client: AcmeClient, url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return inOrder((await client.certificate(url, signal)).pem);
  } catch (error) {
    if (error instanceof AcmeError) return undefined;
    throw error;
  }
}
