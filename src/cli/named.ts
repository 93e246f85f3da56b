import { ConfigError } from "../core/errors.ts";
import { parseIdentifier } from "../core/name.ts";
import { nearest } from "../core/nearest.ts";
import type { CertificateStore } from "../issuer/ports.ts";

/** The name a certificate is stored under, of what the user typed. Throws ConfigError naming the nearest. */
export async function storedName(certificates: CertificateStore, typed: string): Promise<string> {
  return nameAmong(await certificates.names(), typed);
}

/** The same for a certificate that is one of `names`. */
export function nameAmong(names: readonly string[], typed: string): string {
  const found = [typed, asStored(typed)].find((name) => names.includes(name));
  if (found !== undefined) return found;
  const near = nearest(typed, names);
  const known = names.length === 0 ? "none is stored" : `known: ${names.join(", ")}`;
  const message = `no certificate "${typed}"${near === undefined ? `; ${known}` : `; did you mean "${near}"?`}`;
  throw new ConfigError([{ path: "NAME", message }]);
}

/** Certificates are named by A-labels, people type what they read. */
function asStored(name: string): string {
  try {
    return parseIdentifier(name).text;
  } catch {
    return name;
  }
}
