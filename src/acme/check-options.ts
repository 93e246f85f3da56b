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

/** Throws ConfigError unless every certificate in `pem` can be read: OpenSSL would leave out silently what it cannot. */
export function checkRoots(pem: string, path = "--ca-root") {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new ConfigError([{ path, message: "holds no certificate in PEM form" }]);
  for (const [i, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw new ConfigError([{ path, message: `certificate ${i + 1} cannot be read` }], { cause });
    }
  }
}
