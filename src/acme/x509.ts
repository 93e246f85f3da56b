import { webcrypto } from "node:crypto";

/** Imported when it is first needed: it is larger than the rest of an issuance. */
export async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto);
  return x509;
}
