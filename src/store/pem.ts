import { createPrivateKey, X509Certificate } from "node:crypto";

/** With exactly one line end at its end; "" stays "". */
export function withLineEnd(pem: string): string {
  const trimmed = pem.trimEnd();
  return trimmed === "" ? "" : `${trimmed}\n`;
}

/**
 * What is wrong with a certificate, its key and the serial that its record gives, or undefined when they belong together.
 * Says nothing of the key itself.
 */
export function pairFault(cert: string, privkey: string | undefined, serial: string): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return "the certificate cannot be parsed";
  }
  if (plainSerial(certificate.serialNumber) !== plainSerial(serial))
    return `meta.json is about the certificate ${serial}, but cert.pem is ${certificate.serialNumber}`;
  if (privkey === undefined) return undefined;
  try {
    return certificate.checkPrivateKey(createPrivateKey(privkey))
      ? undefined
      : "the private key does not belong to the certificate";
  } catch {
    return "the private key cannot be parsed";
  }
}

function plainSerial(serial: string): string {
  return serial.toUpperCase().replace(/^0+/, "");
}

export function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    return false;
  }
}
