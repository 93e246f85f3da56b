import { createRenewalInfoClient, type RenewalInfoClient } from "../acme/ari.ts";
import { createAcmeConnector } from "../acme/connector.ts";
import { findCa } from "../acme/directories.ts";
import type { KeyType } from "../acme/key-types.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { openBudget } from "../issuer/budget-use.ts";
import { readDomains } from "../issuer/domains.ts";
import type { UpkeepEvent } from "../issuer/kept.ts";
import { reconcile } from "../issuer/reconcile.ts";
import { shareRouter } from "../issuer/shared-router.ts";
import { createWatch, type WatchTarget } from "../issuer/watch.ts";
import { collect, type Engine, type EngineOptions, openEngine, userAgent } from "./engine.ts";
import { harmless } from "./listener.ts";
import { checkOptions } from "./options.ts";
import { inOptionWords, rewordError } from "./wording.ts";

/** A certificate that shall be there at all times. */
export interface WatchedCertificate {
  /** Names to certify, wildcards too; the first one names the certificate unless `name` does. */
  readonly domains: readonly string[];
  readonly name?: string;
  /** CAs by id, or their directories' addresses: the one to use, then those to go over to. Default "letsencrypt". */
  readonly cas?: readonly string[];
  readonly email?: string;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly keyType?: KeyType;
  readonly profile?: string;
  readonly preferredChain?: string;
  readonly reuseKey?: boolean;
}

export interface WatchOptions extends EngineOptions {
  readonly certificates: readonly WatchedCertificate[];
  /** Certificates worked on at once; default 4. */
  readonly parallel?: number;
  /** Orders a second at one CA; default 1. */
  readonly ordersPerSecond?: number;
  /** What becomes of each certificate. */
  readonly onEvent?: (event: UpkeepEvent) => void;
}

/**
 * Issues these certificates and keeps them valid; the engine of `dns01 run`. Ends when `signal` fires, with what stands
 * in DNS taken out first. Throws ConfigError before any call, and LockedError when another one works in `stateDir`.
 *
 * @example
 * await watch({
 *   certificates: [{ domains: ["example.com", "*.example.com"] }],
 *   solvers,
 *   stateDir: "./state",
 *   onEvent: (event) => event.type === "renewed" && reloadServer(event.name),
 *   signal,
 * });
 */
export async function watch(options: WatchOptions): Promise<void> {
  const { sound, issues } = checkOptions("watch", options);
  const wanted = await readAll(sound.certificates ?? [], issues);
  const engine = await inOptionWords(openEngine(options, sound, "watch", issues));
  try {
    await inOptionWords(keep(wanted, options, engine));
  } catch (error) {
    // Asked to end before it had begun: an end like any other.
    if (!engine.deps.signal.aborted || error !== engine.deps.signal.reason) throw error;
  }
}

async function keep(wanted: readonly Wanted[], options: WatchOptions, engine: Engine): Promise<void> {
  const { store, deps } = engine;
  const release = await store.lockRun({ signal: deps.signal, timeoutMs: 0 });
  const connector = createAcmeConnector({ observer: deps.observer, clock: deps.clock, userAgent });
  const clients = new Map<string, RenewalInfoClient>();
  const renewalInfo = (directoryUrl: string) => {
    const known = clients.get(directoryUrl);
    if (known !== undefined) return known;
    const { observer } = deps;
    const fresh = createRenewalInfoClient({ directoryUrl, caRoot: options.caRoot, userAgent, observer });
    clients.set(directoryUrl, fresh);
    return fresh;
  };
  try {
    for (const w of await reconcile("", deps)) deps.observer({ type: "warning", ...w });
    const kept = createWatch({
      ...deps,
      connectAcme: connector.connect,
      renewals: store.renewals,
      budget: await openBudget(store.budget, deps),
      renewalInfo,
      parallel: options.parallel ?? 4,
      ordersPerSecond: options.ordersPerSecond ?? 1,
      observerFor: () => deps.observer,
      onEvent: harmless("onEvent", (event) => {
        if ("error" in event) rewordError(event.error);
        return options.onEvent?.(event);
      }),
      diskFault: store.fault,
      onFault: (name, error) => deps.observer({ type: "log", level: "warn", text: `${name}: ${String(error)}` }),
    });
    const solvers = shareRouter(deps.solvers, { clock: deps.clock });
    kept.set(wanted.map((one) => targetOf(one, options, engine, solvers)));
    await kept.run();
  } finally {
    for (const client of clients.values()) client.close();
    connector.close();
    await release();
  }
}

interface Wanted {
  readonly certificate: WatchedCertificate;
  readonly name: string;
  readonly identifiers: Awaited<ReturnType<typeof readDomains>>["identifiers"];
  readonly cas: readonly string[];
}

async function readAll(
  certificates: readonly (WatchedCertificate | undefined)[],
  issues: ConfigIssue[],
): Promise<readonly Wanted[]> {
  const all: Wanted[] = [];
  for (const [index, certificate] of certificates.entries()) {
    if (certificate === undefined) continue;
    const at = `certificates[${index}]`;
    const { identifiers, issues: faults } = await readDomains(certificate.domains, `${at}.domains`);
    issues.push(...faults);
    const cas = (certificate.cas ?? ["letsencrypt"]).flatMap((text, c) => {
      const ca = collect(issues, () => findCa(text, `${at}.cas[${c}]`));
      const isRsa = certificate.keyType?.startsWith("rsa") === true;
      return ca === undefined ? [] : [isRsa ? (ca.rsaDirectoryUrl ?? ca.directoryUrl) : ca.directoryUrl];
    });
    const name = certificate.name ?? identifiers[0]?.text;
    if (name === undefined) continue;
    if (all.some((other) => other.name === name))
      issues.push({ path: at, message: `the name "${name}" is taken by another one; give it a name of its own` });
    all.push({ certificate, name, identifiers, cas });
  }
  return all;
}

function targetOf(
  { certificate, name, identifiers, cas }: Wanted,
  { caRoot }: WatchOptions,
  { deps, propagation, provider }: Engine,
  solvers: ReturnType<typeof shareRouter>,
): WatchTarget {
  const { email, eab, keyType = "ec256", profile, preferredChain, reuseKey = false } = certificate;
  return {
    name,
    names: identifiers.map((i) => i.text),
    cas,
    wanted: { keyType, profile },
    prepare: async (directoryUrl) => ({
      request: {
        name,
        identifiers,
        ca: { directoryUrl, rootPem: caRoot, contact: email === undefined ? [] : [`mailto:${email}`], eab },
        keyType,
        // A profile is a name of its own CA's.
        profile: directoryUrl === cas[0] ? profile : undefined,
        profileOptional: true,
        preferredChain,
        reuseKey,
        force: false,
        dryRun: false,
        propagation,
        provider,
      },
      solvers,
      dns: deps.dns,
    }),
  };
}
