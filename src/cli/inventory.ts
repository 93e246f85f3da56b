import { type DeclaredCertificate, readDeclared } from "../config/certificates.ts";
import { Dns01Error } from "../core/errors.ts";
import { certificateState, type KnownState } from "../issuer/certificate-state.ts";
import { inParallel } from "../issuer/in-parallel.ts";
import type { DeployedVersion, RenewalState, StoredCertificate } from "../issuer/ports.ts";
import type { Store } from "../store/index.ts";
import { type CommandInput, failOn } from "./command.ts";
import { type NextRenewal, nextRenewal } from "./next-renewal.ts";

/** Each holds several files open, and a process may have no more than some hundreds. */
const readsAtOnce = 16;
const dayMs = 86_400_000;

/** One certificate that is declared or stored. */
export interface InventoryEntry extends KnownState {
  readonly name: string;
  readonly domains: readonly string[];
  readonly isDeclared: boolean;
  /** Undefined when it was never issued. */
  readonly issued:
    | { readonly stored: StoredCertificate; readonly renewal: NextRenewal; readonly daysLeft: number }
    | undefined;
  readonly deployed: DeployedVersion | undefined;
}

/** What the configuration file declares. A file with faults does not hide what is stored: they are logged. */
export async function declaredIn(
  input: Pick<CommandInput, "issues" | "flags" | "loadConfig" | "observer">,
): Promise<{ readonly declared: ReadonlyMap<string, DeclaredCertificate>; readonly isWhole: boolean }> {
  const config = await input.loadConfig();
  const isMissing = (path: string) => path === "--config" && input.flags.source("config") !== "default";
  failOn(input.issues.filter((issue) => isMissing(issue.path) || !config.issues.includes(issue)));
  for (const { path, message } of config.issues) {
    const text = `${path}: ${message}. Certificates that it declares may be missing here`;
    input.observer({ type: "log", level: "warn", text });
  }
  const declared = await readDeclared(config);
  return { declared: new Map(declared.map((one) => [one.name, one])), isWhole: config.issues.length === 0 };
}

/** Reads one certificate. Throws Dns01Error when it is damaged. */
export async function readEntry(
  store: Store,
  name: string,
  declared: DeclaredCertificate | undefined,
  now: Date,
): Promise<InventoryEntry> {
  const stored = await store.certificates.load(name);
  const [kept, deployed] = await Promise.all([store.renewals.load(name), store.certificates.loadDeployed(name)]);
  const known = certificateState({ stored, renewal: kept, deployed, declared }, now.getTime());
  return {
    ...known,
    name,
    domains: stored?.meta.domains ?? declared?.domains ?? [],
    isDeclared: declared !== undefined,
    issued: stored === undefined ? undefined : issuedOf(stored, kept, now),
    deployed,
  };
}

function issuedOf(stored: StoredCertificate, kept: RenewalState | undefined, now: Date) {
  const { meta } = stored;
  const daysLeft = Math.floor((Date.parse(meta.notAfter) - now.getTime()) / dayMs);
  return { stored, renewal: nextRenewal(meta, kept, now), daysLeft };
}

/** Reads all that are declared or stored, the one that is due first before the others; a damaged one hides no other. */
export async function readInventory(
  store: Store,
  declared: ReadonlyMap<string, DeclaredCertificate>,
  now: Date,
): Promise<{
  readonly entries: readonly InventoryEntry[];
  readonly faults: readonly { readonly name: string; readonly fault: string }[];
}> {
  const names = [...new Set([...(await store.certificates.names()), ...declared.keys()])].sort();
  const faults: { readonly name: string; readonly fault: string }[] = [];
  const read = await inParallel(names, readsAtOnce, async (name) => {
    try {
      return await readEntry(store, name, declared.get(name), now);
    } catch (error) {
      if (!Dns01Error.is(error)) throw error;
      faults.push({ name, fault: error.message });
      return undefined;
    }
  });
  // Deleted since its name was read, where it is not declared either.
  const entries = read.filter((one) => one !== undefined && (one.issued !== undefined || one.isDeclared));
  const at = (one: InventoryEntry) => (one.issued === undefined ? "" : (one.issued.renewal.at ?? "z"));
  const sorted = entries.filter((one) => one !== undefined).toSorted((a, b) => at(a).localeCompare(at(b)));
  return { entries: sorted, faults: faults.toSorted((a, b) => a.name.localeCompare(b.name)) };
}

/** The members of an entry in the JSON of `list` and `show`. */
export function entryDocument({
  name,
  domains,
  isDeclared,
  state,
  lastError,
  deployError,
  issued,
  deployed,
}: InventoryEntry) {
  const more = {
    state,
    declared: isDeclared,
    ...(deployed === undefined || deployed.at === ""
      ? {}
      : { deployed: { version: deployed.version, at: deployed.at } }),
    ...(deployError === undefined ? {} : { deployError }),
  };
  if (issued === undefined)
    return { name, domains, ...more, ...(lastError === undefined ? {} : { renewal: { lastError } }) };
  const { stored, renewal, daysLeft } = issued;
  const { meta, files } = stored;
  return { ...meta, renewAfter: renewal.at ?? meta.renewAfter, renewal, files, daysLeft, ...more };
}
