import type { KeyType } from "../acme/key-types.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { type Identifier, parseIdentifier } from "../core/name.ts";
import { sameSet } from "./order.ts";
import type { CertificateMeta } from "./ports.ts";
import type { IssueRequest, OrderGate } from "./request.ts";

/** What the caller allows to happen to the names and the key type of the stored certificate. */
export interface Replacing {
  /** Keep the stored names beside those of the order, and the stored key type where none was chosen. */
  readonly expand: boolean;
  readonly replace: boolean;
  /** The key type, or the request with its key, was given. It is no default that happens to differ. */
  readonly isKeyChosen: boolean;
  /** What the caller calls all this. */
  readonly words: {
    readonly domains: string;
    readonly keyType: string;
    readonly expand: string;
    readonly replace: string;
    /** What else may be meant, as a sentence. */
    readonly besides?: string | undefined;
  };
  /** Asks the user, where one can answer; undefined: neither. */
  readonly ask?: ((change: Change) => Promise<"expand" | "replace" | undefined>) | undefined;
}

/** How the order differs from the stored certificate of the same name. */
export interface Change {
  readonly name: string;
  readonly stored: { readonly names: readonly string[]; readonly key: string };
  readonly wanted: { readonly names: readonly string[]; readonly key: string };
  readonly isOfNames: boolean;
  readonly isOfKey: boolean;
}

export interface Approved {
  readonly identifiers: readonly Identifier[];
  readonly keyType: KeyType;
  /** `gate`, which refuses besides to replace what another process has stored since the approval. */
  guard(gate: OrderGate): OrderGate;
}

type Wanted = Pick<IssueRequest, "name" | "identifiers" | "keyType" | "csr" | "dryRun">;

/**
 * Returns what to order so that the stored certificate of this name loses no name, and its key no type, unless that was
 * said or the user agrees. Throws ConfigError naming both otherwise. A dry run replaces nothing, and needs no approval.
 */
export async function approve(
  wanted: Wanted,
  stored: CertificateMeta | undefined,
  replacing: Replacing,
): Promise<Approved> {
  const change = wanted.dryRun && !replacing.expand ? undefined : changeOf(wanted, stored, replacing);
  const given = replacing.replace ? "replace" : replacing.expand ? "expand" : undefined;
  const choice = change === undefined ? "replace" : (given ?? (await replacing.ask?.(change)));
  if (change !== undefined && choice === undefined) throw refusal(change, replacing);
  const order = choice === "expand" && stored !== undefined ? expanded(wanted, stored, replacing) : wanted;
  return {
    identifiers: order.identifiers,
    keyType: order.keyType,
    guard: (gate) => async (request, now, work) => {
      const isApproved = replacing.replace || request.dryRun || isAlike(stored, now?.meta);
      const late = isApproved ? undefined : changeOf(request, now?.meta, replacing);
      if (late !== undefined) throw refusal(late, replacing);
      return await gate(request, now, work);
    },
  };
}

function changeOf(
  { name, identifiers, keyType, csr }: Omit<Wanted, "dryRun">,
  stored: CertificateMeta | undefined,
  { isKeyChosen }: Replacing,
): Change | undefined {
  if (stored === undefined) return undefined;
  const wanted = { names: identifiers.map((i) => i.text), key: csr === undefined ? keyType : ofRequest };
  const before = { names: stored.domains, key: stored.csr === true ? ofRequest : stored.keyType };
  const isOfNames = !sameSet(before.names, wanted.names);
  const isOfKey = !isKeyChosen && before.key !== wanted.key;
  return isOfNames || isOfKey ? { name, stored: before, wanted, isOfNames, isOfKey } : undefined;
}

/** A renewal in between changes nothing of what was approved. */
function isAlike(before: CertificateMeta | undefined, now: CertificateMeta | undefined): boolean {
  if (before === undefined || now === undefined) return now === undefined;
  return sameSet(before.domains, now.domains) && before.keyType === now.keyType && before.csr === now.csr;
}

const ofRequest = "a key of your own (CSR)";

function expanded(wanted: Wanted, stored: CertificateMeta, { words, isKeyChosen }: Replacing) {
  if (stored.csr === true && wanted.csr === undefined) {
    const message = `cannot add names to ${wanted.name}, which was made with a certificate request of yours`;
    throw new ConfigError([{ path: words.expand, message }], {
      hint: `Make a request with all names, or use ${words.replace}.`,
    });
  }
  const before = stored.domains.map((domain) => parseIdentifier(domain, `meta.json of ${stored.name}`));
  const known = new Set<string>(stored.domains);
  return {
    identifiers: [...before, ...wanted.identifiers.filter(({ text }) => !known.has(text))],
    keyType: isKeyChosen ? wanted.keyType : (stored.keyType as KeyType),
  };
}

function refusal({ name, stored, wanted, isOfNames, isOfKey }: Change, { words }: Replacing): ConfigError {
  const issues: ConfigIssue[] = [];
  if (isOfNames) {
    const message = `the stored certificate ${name} is for ${stored.names.join(", ")}; this order is for ${wanted.names.join(", ")}`;
    issues.push({ path: words.domains, message });
  }
  if (isOfKey) {
    const message = `is missing: the key of the stored certificate ${name} is ${stored.key}; this order is for ${wanted.key}`;
    issues.push({ path: words.keyType, message });
  }
  const keep = isOfNames
    ? `Use ${words.expand} to keep the stored names${isOfKey ? " and key type" : ""} and add the others`
    : stored.key === ofRequest
      ? "Order it with its request to keep the key"
      : `Set ${words.keyType} to ${stored.key} to keep it`;
  const hint = `${keep}, or ${words.replace} to order exactly what was asked for.`;
  const { besides } = words;
  return new ConfigError(issues, { operation: "issue", hint: besides === undefined ? hint : `${hint} ${besides}` });
}
