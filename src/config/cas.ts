import { rootsFault } from "../acme/check-options.ts";
import { type Ca, cas, findCa } from "../acme/directories.ts";
import type { KeyType } from "../acme/key-types.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { attempt, readInput } from "./attempt.ts";
import type { Path } from "./document.ts";
import { readEab, readFileEab } from "./eab.ts";
import type { LoadedConfig } from "./load.ts";
import type { ConfigFile } from "./schema.ts";
import { isGivenOutside, placeOf, type Sources } from "./settings.ts";

/** One CA, and what is asked of it. */
export interface PlannedCa {
  readonly ca: Ca;
  /** PEM trusted besides the system's roots. */
  readonly rootPem: string | undefined;
  /** "mailto:…" */
  readonly contact: readonly string[];
  readonly eab: { readonly kid: string; readonly hmacKey: string } | undefined;
  readonly profile: string | undefined;
  /** Fail, rather than go on without the profile, when the CA no longer has it. */
  readonly profileRequired: boolean;
  readonly preferredChain: string | undefined;
  readonly keyType: KeyType | undefined;
}

export interface ReadCas {
  /** The one to use first, and those to go over to when it cannot serve. Empty only beside issues. */
  readonly cas: readonly PlannedCa[];
  readonly issues: readonly ConfigIssue[];
  /** The CA a certificate names for itself. Faults are added to `issues`. */
  readonly named: (text: string, place: string, issues: ConfigIssue[]) => PlannedCa | undefined;
  /** The CA of a directory's address that was used before. */
  readonly of: (directoryUrl: string) => PlannedCa;
}

/** What the file says of one CA: `acme` itself, or one of its `fallback`. */
export interface CaEntry {
  readonly path: Path;
  readonly values: Omit<NonNullable<ConfigFile["acme"]>, "fallback">;
}

/** The CAs of the file, the first one first. */
export function caEntries({ config }: LoadedConfig): readonly CaEntry[] {
  const { fallback = [], ...first } = config.acme ?? {};
  return [
    { path: ["acme"], values: first },
    ...fallback.flatMap((values, index) =>
      values === undefined ? [] : [{ path: ["acme", "fallback", index], values }],
    ),
  ];
}

/**
 * The CA of flags, environment and file, and the file's further ones; all faults are returned and nothing is called.
 * `flags` have to be those that fall back to the file (file-flags.ts).
 */
export async function readCas(sources: Sources): Promise<ReadCas> {
  const { flags, config } = sources;
  const issues: ConfigIssue[] = [];
  const entries = caEntries(config);
  const path = placeOf(flags, "ca");
  const ca = attempt(issues, () => findCa(flags.text("ca") ?? "letsencrypt", path));
  const isAsked = isGivenOutside(flags, "ca");
  const entry = entryOf(entries, ca, isAsked);
  const email = readEmail(flags.text("email"), flags.source("email") ?? "--email", issues);
  const common = { email, keyType: flags.text("key-type") as KeyType | undefined };
  const first = {
    rootPem: await readPem(flags.text("ca-root"), flags.source("ca-root") ?? "--ca-root", sources, issues),
    eab: await readEab(entry, ca, sources, issues),
    contact: email === undefined ? [] : [`mailto:${email}`],
    profile: flags.text("profile"),
    profileRequired: entry?.values.profileRequired ?? false,
    preferredChain: flags.text("preferred-chain"),
    keyType: common.keyType,
  };
  const used = ca === undefined ? [] : [{ ca, ...first, entry }];
  const others = await Promise.all(
    entries
      .filter((other) => other !== entry)
      .map(async (other) => ({ entry: other, planned: await readEntry(other, common, sources, issues) })),
  );
  const further = others.flatMap(({ planned, entry: other }) =>
    planned === undefined ? [] : [{ ...planned, entry: other }],
  );
  const known = (url: string): PlannedCa | undefined =>
    [...used, ...further].find(({ ca: one }) => one.directoryUrl === url || one.rsaDirectoryUrl === url);
  issues.push(
    ...twice([...used, ...further], config),
    ...(flags.text("email") === undefined ? withoutEmail([...used, ...further], config) : []),
  );
  return {
    // Who asks for one CA, is not sent to another.
    cas: [...used, ...(isAsked ? [] : further)].map(({ entry: _, ...planned }) => planned),
    issues,
    named(text, place, faults) {
      const wanted = attempt(faults, () => findCa(text, place));
      if (wanted === undefined) return undefined;
      return known(wanted.directoryUrl) ?? { ...bare(common), ca: wanted };
    },
    of: (url) => {
      const rootPem = isGivenOutside(flags, "ca-root") ? first.rootPem : undefined;
      const ca = Object.values(cas).find((one) => one.directoryUrl === url || one.rsaDirectoryUrl === url);
      return (
        known(url) ?? { ...bare(common), rootPem, ca: ca ?? { directoryUrl: url, needsEab: false, freeWildcard: true } }
      );
    },
  };
}

function withoutEmail(
  all: readonly (Pick<PlannedCa, "ca" | "contact"> & { readonly entry: CaEntry | undefined })[],
  { file, place }: LoadedConfig,
): readonly ConfigIssue[] {
  return all
    .filter(({ ca, contact }) => ca.needsEmail === true && contact.length === 0)
    .map(({ ca, entry }) => ({
      path: file === undefined || entry === undefined ? "--email" : place([...entry.path, "email"]),
      message: `is missing: ${ca.id} refuses certificates of accounts without`,
    }));
}

function twice(
  all: readonly { readonly ca: Ca; readonly entry: CaEntry | undefined }[],
  { place }: LoadedConfig,
): readonly ConfigIssue[] {
  return all.flatMap(({ ca, entry }, index) => {
    const isKnown = all.slice(0, index).some((before) => before.ca.directoryUrl === ca.directoryUrl);
    if (!isKnown || entry === undefined) return [];
    return [
      {
        path: place([...entry.path, "ca"]),
        message: `${ca.id ?? ca.directoryUrl} is named already; name each CA once`,
      },
    ];
  });
}

/** The file's words on the CA that is used: a flag may name another than `acme.ca`, which then has its own. */
function entryOf(entries: readonly CaEntry[], ca: Ca | undefined, isAsked: boolean): CaEntry | undefined {
  return entries.find(({ values }, index) => {
    if (values.ca === undefined) return index === 0 && !isAsked;
    try {
      return findCa(values.ca).directoryUrl === ca?.directoryUrl;
    } catch {
      return false;
    }
  });
}

interface Common {
  readonly email: string | undefined;
  readonly keyType: KeyType | undefined;
}

function bare({ email, keyType }: Common): Omit<PlannedCa, "ca"> {
  return {
    rootPem: undefined,
    contact: email === undefined ? [] : [`mailto:${email}`],
    eab: undefined,
    profile: undefined,
    profileRequired: false,
    preferredChain: undefined,
    keyType,
  };
}

async function readEntry(
  { path, values }: CaEntry,
  common: Common,
  sources: Sources,
  issues: ConfigIssue[],
): Promise<PlannedCa | undefined> {
  const { config } = sources;
  const at = (key: string) => config.place([...path, key]);
  const ca = values.ca === undefined ? undefined : attempt(issues, () => findCa(values.ca ?? "", at("ca")));
  const email = values.email === undefined ? common.email : readEmail(values.email, at("email"), issues);
  const root = values.caRoot === undefined ? undefined : config.resolve(values.caRoot);
  const planned = {
    ...bare({ ...common, email }),
    rootPem: await readPem(root, at("caRoot"), sources, issues),
    eab: await readFileEab({ path, values }, ca, sources, issues),
    profile: values.profile,
    profileRequired: values.profileRequired ?? false,
    preferredChain: values.preferredChain,
    keyType: values.keyType ?? common.keyType,
  };
  return ca === undefined ? undefined : { ca, ...planned };
}

function readEmail(email: string | undefined, path: string, issues: ConfigIssue[]): string | undefined {
  if (email === undefined || /^[^\s@,:]+@[^\s@,]+$/.test(email)) return email;
  const bare = /^mailto:/i.test(email) ? ": write it without mailto:" : "";
  issues.push({ path, message: `"${email}" is no mail address${bare}` });
  return undefined;
}

async function readPem(
  path: string | undefined,
  at: string,
  { filesRead }: Sources,
  issues: ConfigIssue[],
): Promise<string | undefined> {
  if (path !== undefined) filesRead?.add(path);
  const text = path === undefined ? undefined : await readInput(path, at, issues);
  if (text === undefined) return undefined;
  const pem = text.toString("latin1");
  const fault = rootsFault(pem);
  if (fault === undefined) return pem;
  issues.push({ path: at, message: `${path} ${fault}` });
  return undefined;
}

/** Some CAs have a directory of their own for RSA keys; a trial goes to the staging one where there is one. */
export function directoryFor(ca: Ca, keyType: string, dryRun: boolean): string {
  const usual = keyType.startsWith("rsa") ? (ca.rsaDirectoryUrl ?? ca.directoryUrl) : ca.directoryUrl;
  return dryRun ? (ca.staging ?? usual) : usual;
}
