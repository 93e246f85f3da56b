import { findCa } from "../acme/directories.ts";
import type { KeyType } from "../acme/key-types.ts";
import { ConfigError } from "../core/errors.ts";
import { openBudget } from "../issuer/budget-use.ts";
import { readDomains } from "../issuer/domains.ts";
import { issue as issueCertificate } from "../issuer/issue.ts";
import { createOrderGate } from "../issuer/order-gate.ts";
import { approve } from "../issuer/replacing.ts";
import type { IssueResult } from "../issuer/request.ts";
import { collect, type EngineOptions, openEngine } from "./engine.ts";
import { checkOptions } from "./options.ts";
import { inOptionWords, optionWords } from "./wording.ts";

export interface IssueOptions extends EngineOptions {
  /** Names to certify, wildcards too; the first one names the certificate unless `name` does. */
  readonly domains: readonly string[];
  readonly name?: string;
  /** CA by id, or its directory's address. Default "letsencrypt". */
  readonly ca?: string;
  readonly email?: string;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly keyType?: KeyType;
  readonly profile?: string;
  readonly preferredChain?: string;
  readonly reuseKey?: boolean;
  readonly force?: boolean;
  /** Keep the names of the stored certificate, and its key type unless one is given, and add those of `domains`. */
  readonly expand?: boolean;
  /** Order exactly these names and this key type, whatever the stored certificate has. */
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

/**
 * Gets one certificate and stores it below `stateDir`; the engine of `dns01 issue`. A stored certificate of the same
 * names that is not yet due is returned with `reused: true`. One whose names, or whose key type for want of `keyType`,
 * would change is a ConfigError, unless `expand` or `replace` is true. Throws Dns01Error; ConfigError before any call.
 *
 * @example
 * const { files } = await issue({
 *   domains: ["example.com", "*.example.com"],
 *   solvers: [{ provider: "rfc2136", config: { nameserver: "192.0.2.53" } }],
 *   stateDir: "./state",
 * });
 */
export async function issue(options: IssueOptions): Promise<IssueResult> {
  const result = await inOptionWords(run(options));
  return { ...result, warnings: result.warnings.map((one) => ({ ...one, text: optionWords(one.text) })) };
}

async function run(options: IssueOptions): Promise<IssueResult> {
  const { sound, issues } = checkOptions("issue", options);
  const domains = await readDomains(
    (sound.domains ?? []).filter((name) => name !== undefined),
    "domains",
  );
  issues.push(...domains.issues);
  if (sound.expand === true && sound.replace === true)
    issues.push({ path: "expand", message: "and replace exclude each other: give one of them" });
  const ca = collect(issues, () => findCa(sound.ca ?? "letsencrypt", "ca"));
  const { store, deps, propagation, provider } = await openEngine(options, sound, "issue", issues);
  const first = domains.identifiers[0];
  if (ca === undefined || first === undefined) throw new ConfigError(issues);
  const { dryRun = false, keyType = "ec256", expand = false, replace = false } = options;
  const name = options.name ?? first.text;
  const wanted = { name, identifiers: domains.identifiers, keyType, csr: undefined, dryRun };
  const stored = await store.certificates.load(name);
  const isKeyChosen = options.keyType !== undefined;
  const approved = await approve(wanted, stored?.meta, { expand, replace, isKeyChosen, words });
  const gate = createOrderGate(await openBudget(store.budget, deps), deps);
  return await issueCertificate(
    {
      name,
      identifiers: approved.identifiers,
      ca: {
        directoryUrl: dryRun ? (ca.staging ?? ca.directoryUrl) : ca.directoryUrl,
        rootPem: options.caRoot,
        contact: options.email === undefined ? [] : [`mailto:${options.email}`],
        eab: options.eab,
      },
      keyType: approved.keyType,
      profile: options.profile,
      preferredChain: options.preferredChain,
      reuseKey: options.reuseKey ?? false,
      force: options.force ?? false,
      dryRun,
      propagation,
      provider,
    },
    { ...deps, gate: approved.guard(gate) },
  );
}

const words = { domains: "domains", keyType: "keyType", expand: "expand: true", replace: "replace: true" };
