import type { Ca } from "../acme/directories.ts";
import { checkEab } from "../acme/eab.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { attempt, readSecretInput } from "./attempt.ts";
import type { Path } from "./document.ts";
import { warnOfReaders } from "./provider-fields.ts";
import { readSecret } from "./secrets.ts";
import { isGivenOutside, type Sources } from "./settings.ts";

interface EabEntry {
  readonly path: Path;
  readonly values: { readonly eab?: { readonly kid?: string | undefined; readonly hmacKey?: unknown } | undefined };
}

/**
 * From flags and environment (the HMAC key from a file named by the flag or by DNS01_EAB_HMAC_KEY_FILE, or from
 * DNS01_EAB_HMAC_KEY), else what the file says of this CA.
 */
export async function readEab(
  entry: EabEntry | undefined,
  ca: Ca | undefined,
  sources: Sources,
  issues: ConfigIssue[],
) {
  const { flags, env, redactor } = sources;
  // Empty is unset, as with every other variable that stands for a flag.
  const inline = env["DNS01_EAB_HMAC_KEY"] || undefined;
  const fromEnv = env["DNS01_EAB_HMAC_KEY_FILE"] || undefined;
  if (inline !== undefined && fromEnv !== undefined) {
    issues.push({ path: "DNS01_EAB_HMAC_KEY", message: "and DNS01_EAB_HMAC_KEY_FILE are both set; keep one" });
    return undefined;
  }
  const file = flags.text("eab-hmac-key");
  const path = file ?? fromEnv;
  if (path === undefined && inline === undefined) {
    if (!isGivenOutside(flags, "eab-kid"))
      return entry === undefined ? undefined : await readFileEab(entry, ca, sources, issues);
    const message = "is missing: give --eab-hmac-key FILE, DNS01_EAB_HMAC_KEY or DNS01_EAB_HMAC_KEY_FILE";
    issues.push({ path: "--eab-hmac-key", message });
    return undefined;
  }
  const kid = flags.text("eab-kid");
  if (kid === undefined) {
    issues.push({ path: "--eab-kid", message: "is missing: the HMAC key needs its key id" });
    return undefined;
  }
  const fromFlag = file === undefined ? undefined : "--eab-hmac-key";
  const at = fromFlag ?? (fromEnv === undefined ? "DNS01_EAB_HMAC_KEY" : "DNS01_EAB_HMAC_KEY_FILE");
  const key = path === undefined ? inline : (await readSecretInput(path, at, issues))?.toString("utf8");
  if (key === undefined) return undefined;
  if (path !== undefined) await warnOfReaders(path, sources.observer);
  redactor.add(key.trim());
  const places = { kid: flags.source("eab-kid") ?? "--eab-kid", hmacKey: at };
  return checked({ kid, hmacKey: key.trim() }, places, issues);
}

/** As the file gives it for one CA. It is used once: with an account at the CA, its source may be gone. */
export async function readFileEab(
  { path, values }: EabEntry,
  ca: Ca | undefined,
  sources: Sources,
  issues: ConfigIssue[],
) {
  const { kid, hmacKey } = values.eab ?? {};
  if (kid === undefined || hmacKey === undefined) return undefined;
  const keyPath = [...path, "eab", "hmacKey"];
  const absent: ConfigIssue[] = [];
  const key = await readSecret(hmacKey, keyPath, sources, issues, absent);
  if (absent.length > 0 && !(await isRegistered(ca, sources))) {
    const where = ca === undefined ? "" : `, and no account is registered at ${ca.id ?? ca.directoryUrl} yet`;
    issues.push(...absent.map(({ path: at, message }) => ({ path: at, message: `${message}${where}` })));
  }
  if (key === undefined) return undefined;
  const place = sources.config.place(keyPath);
  return checked({ kid, hmacKey: key.trim() }, { kid: place, hmacKey: place }, issues);
}

async function isRegistered(ca: Ca | undefined, sources: Sources): Promise<boolean> {
  for (const url of [ca?.directoryUrl, ca?.rsaDirectoryUrl])
    if (url !== undefined && (await sources.isRegistered?.(url)) === true) return true;
  return false;
}

function checked(
  eab: { kid: string; hmacKey: string },
  places: { kid: string; hmacKey: string },
  issues: ConfigIssue[],
) {
  return attempt(issues, () => {
    checkEab(eab, places);
    return eab;
  });
}
