import { malformedAnswer, readProblem } from "./problem.ts";
import type { AcmeChallenge, AcmeIdentifier, Authorization, Directory, Order } from "./types.ts";

type Raw = Readonly<Record<string, unknown>>;

const orderStates = ["pending", "ready", "processing", "valid", "invalid"] as const;
const authorizationStates = ["pending", "valid", "invalid", "deactivated", "expired", "revoked"] as const;
const challengeStates = ["pending", "processing", "valid", "invalid"] as const;

/** RFC 8555 §7.1.1. Undefined when the document is no ACME directory. Unknown members stay. */
export function readDirectory(x: unknown, base: string): Directory | undefined {
  if (!isRaw(x)) return undefined;
  const urls: Record<string, string> = {};
  for (const [name, value] of Object.entries(x)) {
    if (typeof value === "string" && URL.canParse(value, base)) urls[name] = new URL(value, base).href;
  }
  const { newNonce, newAccount, newOrder } = urls;
  if (newNonce === undefined || newAccount === undefined || newOrder === undefined) return undefined;
  return { ...x, ...urls, newNonce, newAccount, newOrder, meta: readMeta(x["meta"]) };
}

/** RFC 8555 §7.1.3. Throws AcmeError when the CA sent something else. */
export function readOrder(x: unknown, url: string, operation: string): Order {
  const raw = object(x, operation, "an order");
  const { error, expires, certificate, profile, replaces } = raw;
  const problem = readProblem(error);
  return {
    url,
    status: state(raw["status"], orderStates, operation, "order"),
    identifiers: list(raw["identifiers"]).filter(isIdentifier),
    authorizations: [
      ...new Set(list(raw["authorizations"]).flatMap((item) => (typeof item === "string" ? [at(item, url)] : []))),
    ],
    finalize: at(text(raw["finalize"], operation, "finalize"), url),
    ...(typeof expires === "string" ? { expires } : {}),
    ...(typeof certificate === "string" && certificate !== "" ? { certificate: at(certificate, url) } : {}),
    ...(typeof profile === "string" ? { profile } : {}),
    ...(typeof replaces === "string" ? { replaces } : {}),
    ...(problem === undefined ? {} : { error: problem }),
  };
}

/** RFC 8555 §7.1.4. */
export function readAuthorization(x: unknown, url: string, operation: string): Authorization {
  const raw = object(x, operation, "an authorization");
  const { identifier, expires } = raw;
  if (!isIdentifier(identifier)) throw malformedAnswer(operation, "the authorization has no identifier");
  // Some servers keep the "*." there although §7.1.4 forbids it.
  const starred = identifier.value.startsWith("*.");
  return {
    url,
    identifier: starred ? { ...identifier, value: identifier.value.slice(2) } : identifier,
    wildcard: raw["wildcard"] === true || starred,
    status: state(raw["status"], authorizationStates, operation, "authorization"),
    challenges: list(raw["challenges"]).flatMap((item) => {
      const challenge = readChallenge(item, url);
      return challenge === undefined ? [] : [challenge];
    }),
    ...(typeof expires === "string" ? { expires } : {}),
  };
}

/** RFC 8555 §7.1.5; undefined for what has no type, address or known status. `base` is where it was found. */
export function readChallenge(x: unknown, base: string): AcmeChallenge | undefined {
  if (!isRaw(x)) return undefined;
  const { type, url, token, validated } = x;
  const status = challengeStates.find((name) => name === x["status"]);
  if (typeof type !== "string" || typeof url !== "string" || status === undefined) return undefined;
  const problem = readProblem(x["error"]);
  return {
    ...x,
    type,
    url: at(url, base),
    status,
    ...(typeof token === "string" ? { token } : {}),
    ...(typeof validated === "string" ? { validated } : {}),
    ...(problem === undefined ? {} : { error: problem }),
  };
}

function readMeta(x: unknown): NonNullable<Directory["meta"]> {
  if (!isRaw(x)) return {};
  const { termsOfService, website, caaIdentities, externalAccountRequired, profiles } = x;
  return {
    ...(typeof termsOfService === "string" ? { termsOfService } : {}),
    ...(typeof website === "string" ? { website } : {}),
    ...(Array.isArray(caaIdentities)
      ? { caaIdentities: caaIdentities.filter((item): item is string => typeof item === "string") }
      : {}),
    ...(typeof externalAccountRequired === "boolean" ? { externalAccountRequired } : {}),
    ...(isRaw(profiles)
      ? {
          profiles: Object.fromEntries(
            Object.entries(profiles).map(([name, about]) => [name, typeof about === "string" ? about : ""]),
          ),
        }
      : {}),
  };
}

/** Relative to where it was found, as in the directory. An absolute one stays to the letter, for it is what gets signed. */
function at(url: string, base: string): string {
  return URL.canParse(url) || !URL.canParse(url, base) ? url : new URL(url, base).href;
}

function state<const S extends string>(x: unknown, known: readonly S[], operation: string, what: string): S {
  const found = known.find((name) => name === x);
  if (found === undefined) throw malformedAnswer(operation, `the ${what} has the unknown status ${JSON.stringify(x)}`);
  return found;
}

function object(x: unknown, operation: string, what: string): Raw {
  if (!isRaw(x)) throw malformedAnswer(operation, `the CA did not answer with ${what}`);
  return x;
}

function text(x: unknown, operation: string, member: string): string {
  if (typeof x !== "string") throw malformedAnswer(operation, `the CA's answer lacks "${member}"`);
  return x;
}

function list(x: unknown): readonly unknown[] {
  return Array.isArray(x) ? (x as readonly unknown[]) : [];
}

function isRaw(x: unknown): x is Raw {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

function isIdentifier(x: unknown): x is AcmeIdentifier {
  return isRaw(x) && typeof x["type"] === "string" && typeof x["value"] === "string";
}
