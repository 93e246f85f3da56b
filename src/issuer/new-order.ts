import { isProblem } from "../acme/problem.ts";
import { renewalId } from "../acme/renewal-id.ts";
import type { AcmeClient, Order } from "../acme/types.ts";
import { AcmeError, TransientError } from "../core/errors.ts";
import type { StoredCertificate } from "./ports.ts";
import type { IssueDeps, IssueRequest } from "./request.ts";

/**
 * Places the order, naming the certificate it replaces where this CA issued it (RFC 9773 §5). A CA that does not take
 * that, or no longer has an optional profile, gets the order once more without. Answers with the profile that was used.
 */
export async function placeOrder(
  client: AcmeClient,
  request: IssueRequest,
  stored: StoredCertificate | undefined,
  deps: Pick<IssueDeps, "observer" | "signal">,
): Promise<{ readonly order: Order; readonly profile: string | undefined }> {
  const { observer, signal } = deps;
  const directory = await client.directory(signal);
  const isOffered = Object.hasOwn(directory.meta?.profiles ?? {}, request.profile ?? "");
  let profile = request.profile;
  let replaces = directory.renewalInfo === undefined ? undefined : replaced(request, stored);
  const drop = () => {
    observer({
      type: "warning",
      code: "W_PROFILE",
      text: `the CA no longer offers the profile "${profile}"; ordering without it`,
    });
    profile = undefined;
  };
  if (profile !== undefined && request.profileOptional === true && !isOffered) drop();
  const identifiers = request.identifiers.map((i) => i.text);
  for (;;) {
    try {
      const order = await client.newOrder(
        { identifiers, ...(profile === undefined ? {} : { profile }), ...(replaces === undefined ? {} : { replaces }) },
        signal,
      );
      return { order, profile };
    } catch (error) {
      if (replaces !== undefined && (refusesReplacement(error) || failsByItself(error))) {
        observer({ type: "log", level: "info", text: `ordering without "replaces": ${error.message}` });
        replaces = undefined;
      } else if (profile !== undefined && request.profileOptional === true && isProblem(error, "invalidProfile")) {
        drop();
      } else throw error;
    }
  }
}

/** The identifier of the stored certificate, if it came from this CA and the order has a name in common with it. */
function replaced(request: IssueRequest, stored: StoredCertificate | undefined): string | undefined {
  if (stored === undefined || request.dryRun || stored.meta.ca !== request.ca.directoryUrl) return undefined;
  const names = new Set<string>(request.identifiers.map((i) => i.text));
  return stored.meta.domains.some((name) => names.has(name)) ? renewalId(stored.pem.cert) : undefined;
}

/**
 * Whether the CA broke down over the order, again and again. It may be over what is to be replaced: Pebble does for serials that
 * begin with a zero octet, and the next order would name the same one, until the certificate has run out.
 */
function failsByItself(error: unknown): error is TransientError {
  const { status, problem } = (error instanceof TransientError ? error.details : undefined) ?? {};
  return status === 500 && problem !== undefined;
}

/**
 * 409 is "replaced already" whatever else it says (Pebble 2.6 calls it malformed); the others are what CAs answer that do
 * not know the certificate, or know it as another account's.
 */
function refusesReplacement(error: unknown): error is AcmeError {
  if (!(error instanceof AcmeError)) return false;
  const { status } = error.problem;
  return (
    status === 409 || status === 404 || isProblem(error, "alreadyReplaced", "conflict", "malformed", "unauthorized")
  );
}
