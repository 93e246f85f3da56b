import { createPrivateKey, X509Certificate } from "node:crypto";
import { ConfigError } from "../core/errors.ts";

/** Throws ConfigError unless `pem` is a private key of a kind that CAs take for accounts (P-521 and Ed25519 are not). */
export function checkKey(pem: string) {
  let type: string | undefined;
  try {
    const key = createPrivateKey(pem);
    type = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType;
  } catch (cause) {
    throw new ConfigError([{ path: "account key", message: "is not a private key in PEM form" }], { cause });
  }
  if (type !== "prime256v1" && type !== "secp384r1" && type !== "rsa") {
    const message = `is of type ${type}, which CAs do not take for accounts; use P-256, P-384 or RSA`;
    throw new ConfigError([{ path: "account key", message }]);
  }
}

/** Throws ConfigError unless every certificate in `pem` can be read. */
export function checkRoots(pem: string, path = "--ca-root") {
  const message = rootsFault(pem);
  if (message !== undefined) throw new ConfigError([{ path, message }]);
}

/** What is wrong with PEM certificates, in words that follow a file's name: OpenSSL would leave out silently what it cannot read. */
export function rootsFault(pem: string): string | undefined {
  const [, ...parts] = pem.split("-----BEGIN CERTIFICATE-----");
  if (parts.length === 0) return "holds no certificate in PEM form";
  const bad = parts.findIndex((part) => !isCertificate(`-----BEGIN CERTIFICATE-----${part}`));
  return bad === -1 ? undefined : `holds a certificate that cannot be read (number ${bad + 1} of ${parts.length})`;
}

/** Whatever stands behind it. */
function isCertificate(text: string): boolean {
  const [block] = /^-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(text) ?? [];
  if (block === undefined) return false;
  try {
    new X509Certificate(block);
    return true;
  } catch {
    return false;
  }
}
