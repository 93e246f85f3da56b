import { setImmediate } from "node:timers/promises";
import { readCsr } from "../acme/csr.ts";
import type { KeyType } from "../acme/key-types.ts";
import { parseDuration } from "../core/duration.ts";
import type { ConfigIssue } from "../core/errors.ts";
import type { Identifier } from "../core/name.ts";
import { readDomains } from "../issuer/domains.ts";
import { sameSet } from "../issuer/order.ts";
import { issuesOf, readInput } from "./attempt.ts";
import type { PlannedCa, ReadCas } from "./cas.ts";
import { createClashes } from "./clashes.ts";
import type { Path } from "./document.ts";
import type { LoadedConfig } from "./load.ts";
import { createOwners, type Owners } from "./owners.ts";
import type { ConfigFile } from "./schema.ts";
import { readSecret } from "./secrets.ts";
import { isGivenOutside, type Settings, type Sources } from "./settings.ts";
import { isCovered, type ReadRoutes } from "./solvers.ts";

/** A certificate the file declares, checked. */
export interface PlannedCertificate {
  readonly name: string;
  /** "dns01.yaml:12 certificates[0]" */
  readonly place: string;
  /** In the user's order; unique. */
  readonly identifiers: readonly Identifier[];
  /** The CA to use, then those to go over to; profile and chain are theirs, with the certificate's own words on top. */
  readonly cas: readonly (PlannedCa & { readonly keyType: KeyType })[];
  /** At the first CA. */
  readonly keyType: KeyType;
  readonly reuseKey: boolean;
  /** DER; the key of its request stays with the user. */
  readonly csr: Uint8Array | undefined;
  readonly deployment: Deployment;
}

/** Of a hook's time. */
export const noTime = "leaves the hook no time";

/** What follows a new certificate. */
export interface Deployment {
  readonly out:
    | {
        /** Absolute. */
        readonly dir: string;
        readonly owner: string | undefined;
        readonly group: string | undefined;
        /** Of privkey.pem and certificate.pfx. */
        readonly mode: number;
      }
    | undefined;
  readonly pfx: { readonly password: string; readonly legacy: boolean } | undefined;
  readonly hook: { readonly command: string; readonly timeoutMs: number } | undefined;
}

type Entry = NonNullable<NonNullable<ConfigFile["certificates"]>[number]>;

/** The certificates of the file that are sound; every fault of each, and of one beside another. Nothing is called. */
export async function readCertificates(
  sources: Sources,
  cas: ReadCas,
  zones: ReadRoutes["zones"],
): Promise<{ readonly certificates: readonly PlannedCertificate[]; readonly issues: readonly ConfigIssue[] }> {
  const { config } = sources;
  const issues: ConfigIssue[] = [];
  const certificates: PlannedCertificate[] = [];
  const clash = createClashes(config.issues);
  const owners = createOwners();
  for (const [index, entry] of (config.config.certificates ?? []).entries()) {
    // Thousands of entries take seconds: whoever reloads has other work under way.
    if (index % 64 === 63) await setImmediate();
    if (entry === undefined) continue;
    const faultsBefore = issues.length;
    const planned = await readCertificate(entry, index, { sources, cas, issues, owners });
    if (planned === undefined) continue;
    const own = issues.slice(faultsBefore);
    const taken = clash(planned, index, entry.name !== undefined, own);
    if (taken !== undefined) issues.push({ path: planned.place, message: taken });
    if (zones !== undefined) issues.push(...uncovered(planned, zones));
    if (own.length === 0) certificates.push(planned);
  }
  return { certificates, issues };
}

/** What `list` and `show` need of a certificate that the file declares. */
export interface DeclaredCertificate {
  readonly name: string;
  readonly domains: readonly string[];
  readonly hasHook: boolean;
  /** Copies, a PKCS #12 file or a hook. */
  readonly isDeployed: boolean;
}

/** Reads what the file declares, without its CAs, solvers and secrets. Entries without a valid name are left out. */
export async function readDeclared(config: LoadedConfig): Promise<readonly DeclaredCertificate[]> {
  const declared: DeclaredCertificate[] = [];
  for (const [index, entry] of (config.config.certificates ?? []).entries()) {
    if (entry === undefined) continue;
    const at = (...path: Path) => config.place(["certificates", index, ...path]);
    const csr = await readRequest(entry, index, { config }, []);
    const domains = (await readNames(entry, csr?.domains, at, [], config.issues)).map(({ text }) => text);
    const name = entry.name ?? domains[0];
    if (name === undefined) continue;
    const hasHook = entry.deploy?.command !== undefined;
    declared.push({
      name,
      domains,
      hasHook,
      isDeployed: hasHook || entry.out !== undefined || entry.pfx !== undefined,
    });
  }
  return declared;
}

interface Reading {
  readonly sources: Sources;
  readonly cas: ReadCas;
  readonly issues: ConfigIssue[];
  readonly owners: Owners;
}

/** As much of an entry as is sound; undefined when it has no names. */
async function readCertificate(
  entry: Entry,
  index: number,
  { sources, cas, issues, owners }: Reading,
): Promise<PlannedCertificate | undefined> {
  const { config } = sources;
  const at = (...path: Path) => config.place(["certificates", index, ...path]);
  const csr = await readRequest(entry, index, sources, issues);
  const identifiers = await readNames(entry, csr?.domains, at, issues, config.issues);
  const name = entry.name ?? identifiers[0]?.text;
  if (entry.name !== undefined && (/[\p{Cc}\p{Cf}]/u.test(entry.name) || entry.name.trim() !== entry.name)) {
    issues.push({ path: at("name"), message: "has control characters, or white space around it" });
  }
  const keyOfRequest = "is the request's: its key is yours, and dns01 never sees it; leave it out";
  if (entry.csr !== undefined && entry.keyType !== undefined)
    issues.push({ path: at("keyType"), message: keyOfRequest });
  if (entry.csr !== undefined && entry.reuseKey === true) issues.push({ path: at("reuseKey"), message: keyOfRequest });
  if (entry.csr !== undefined && entry.pfx !== undefined) {
    issues.push({
      path: at("pfx"),
      message: "needs the private key, and with csr that is yours; leave one of them out",
    });
  }
  const own = entry.ca === undefined ? undefined : cas.named(entry.ca, at("ca"), issues);
  const isOther = entry.ca !== undefined && !isGivenOutside(sources.flags, "ca");
  const chosen = !isOther ? cas.cas : own === undefined ? [] : [own];
  const keyTypeAt = (ca: PlannedCa | undefined): KeyType =>
    csr?.keyType ?? outside(sources.flags, "key-type", entry.keyType) ?? ca?.keyType ?? "ec256";
  const deployment = await readDeployment(entry, index, { sources, issues, owners });
  if (name === undefined || identifiers.length === 0) return undefined;
  return {
    name,
    place: at(),
    identifiers,
    cas: chosen.map((ca, rank) => ({
      ...(rank === 0 ? withOwnWords(ca, entry, sources.flags) : ca),
      keyType: keyTypeAt(ca),
    })),
    keyType: keyTypeAt(chosen[0]),
    reuseKey: entry.reuseKey ?? false,
    csr: csr?.der,
    deployment,
  };
}

/** A certificate's profile and chain are names of its first CA: another one has others. */
function withOwnWords(ca: PlannedCa, entry: Entry, flags: Settings): PlannedCa {
  return {
    ...ca,
    profile: outside(flags, "profile", entry.profile) ?? ca.profile,
    profileRequired: entry.profileRequired ?? ca.profileRequired,
    preferredChain: outside(flags, "preferred-chain", entry.preferredChain) ?? ca.preferredChain,
  };
}

/** The certificate's own word, unless a flag or its environment form has one: then that is in the CA's already. */
function outside<T>(flags: Settings, flag: string, own: T | undefined): T | undefined {
  return isGivenOutside(flags, flag) ? undefined : own;
}

async function readRequest(
  entry: Entry,
  index: number,
  { config, filesRead }: Pick<Sources, "config" | "filesRead">,
  issues: ConfigIssue[],
) {
  if (entry.csr === undefined) return undefined;
  const path = config.place(["certificates", index, "csr"]);
  const file = config.resolve(entry.csr);
  filesRead?.add(file);
  const bytes = await readInput(file, path, issues);
  if (bytes === undefined) return undefined;
  return await readCsr(bytes, path).catch((error: unknown) => {
    issues.push(...issuesOf(error));
    return undefined;
  });
}

async function readNames(
  entry: Entry,
  requested: readonly string[] | undefined,
  at: (...path: Path) => string,
  issues: ConfigIssue[],
  faultsOfFile: readonly ConfigIssue[],
): Promise<readonly Identifier[]> {
  const own = (entry.domains ?? []).flatMap((text, d) =>
    text === undefined ? [] : [{ text, path: at("domains", d) }],
  );
  if (entry.domains === undefined && entry.csr === undefined) {
    const path = at("domains");
    const told = faultsOfFile.some((i) => i.path === path || i.path.startsWith(`${path}[`));
    if (!told) issues.push({ path, message: "is missing: name at least one" });
    return [];
  }
  if (own.length === 0) return (await readDomains(requested ?? [], at("csr"))).identifiers;
  // One by one for the line of each; then together for what they are to each other.
  const each = await Promise.all(own.map(({ text, path }) => readDomains([text], path)));
  const alone = each.flatMap((one) => one.issues);
  issues.push(...alone);
  const sound = own.filter((_, d) => each[d]?.issues.length === 0).map(({ text }) => text);
  const read = await readDomains(sound, at("domains"));
  issues.push(...read.issues);
  if (requested !== undefined && alone.length === 0) {
    const wanted = read.identifiers.map((i) => i.text);
    if (!sameSet(requested, wanted)) {
      const message = `is for ${requested.join(", ")}, but domains says ${wanted.join(", ")}; they must be the same`;
      issues.push({ path: at("csr"), message });
    }
  }
  return read.identifiers;
}

async function readDeployment(
  entry: Entry,
  index: number,
  { sources, issues, owners }: Pick<Reading, "sources" | "issues" | "owners">,
): Promise<Deployment> {
  const { out, pfx, deploy } = entry;
  const { dir, owner, group, mode } = typeof out === "string" ? { dir: out } : { ...out };
  await owners.user(owner, sources.config.place(["certificates", index, "out", "owner"]), issues);
  await owners.group(group, sources.config.place(["certificates", index, "out", "group"]), issues);
  if (deploy?.timeout !== undefined && parseDuration(deploy.timeout) === 0) {
    issues.push({ path: sources.config.place(["certificates", index, "deploy", "timeout"]), message: noTime });
  }
  const path = ["certificates", index, "pfx", "password"];
  const password = pfx?.password === undefined ? undefined : await readSecret(pfx.password, path, sources, issues);
  return {
    out:
      dir === undefined
        ? undefined
        : { dir: sources.config.resolve(dir), owner, group, mode: Number.parseInt(mode ?? "0600", 8) },
    pfx: password === undefined ? undefined : { password, legacy: pfx?.legacy ?? false },
    hook:
      deploy?.command === undefined
        ? undefined
        : { command: deploy.command, timeoutMs: parseDuration(deploy.timeout ?? "5m") ?? 300_000 },
  };
}

function uncovered(certificate: PlannedCertificate, solvers: NonNullable<ReadRoutes["zones"]>): readonly ConfigIssue[] {
  return certificate.identifiers
    .filter(({ base }) => !isCovered(solvers, base))
    .map(({ text }) => ({
      path: certificate.place,
      message: `no solver is for ${text}; add its zone to one of them (also where its challenge name is an alias into another zone), or a solver without zones`,
    }));
}
