import type { PublicKey } from "@peculiar/x509";
import { calculateJwkThumbprint, exportJWK, importSPKI } from "jose";

/** RFC 7638 thumbprint of a certificate's or CSR's key; undefined for a kind of key that accounts cannot have. */
export async function calculateSpkiThumbprint(key: PublicKey): Promise<string | undefined> {
  const { algorithm } = key;
  const curve = "namedCurve" in algorithm ? algorithm.namedCurve : undefined;
  const alg =
    "modulusLength" in algorithm ? "RS256" : curve === "P-256" ? "ES256" : curve === "P-384" ? "ES384" : undefined;
  if (alg === undefined) return undefined;
  return calculateJwkThumbprint(await exportJWK(await importSPKI(key.toString("pem"), alg, { extractable: true })));
}
