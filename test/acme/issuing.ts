import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

export interface Issuing {
  /** PEM chain for a CSR (DER): leaf and intermediate. */
  issue(csr: Uint8Array): Promise<string>;
  readonly rootName: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A root, an intermediate, and leaves for whatever is asked. */
export async function startIssuing(
  rootName = "Scripted Root",
  lifetimeDays = 90,
  /** Names that nobody ordered. */
  extra: readonly x509.JsonGeneralName[] = [],
): Promise<Issuing> {
  x509.cryptoProvider.set(webcrypto);
  const rootKeys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
  const notAfter = new Date(notBefore.getTime() + lifetimeDays * 86_400_000);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${rootName}`,
    keys: rootKeys,
    signingAlgorithm: algorithm,
    notBefore,
    notAfter,
  });
  const intermediate = await x509.X509CertificateGenerator.create({
    subject: `CN=Intermediate of ${rootName}`,
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: algorithm,
    notBefore,
    notAfter,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return {
    rootName,
    async issue(csr) {
      const request = new x509.Pkcs10CertificateRequest(new Uint8Array(csr));
      const san = request.extensions.find((e) => e instanceof x509.SubjectAlternativeNameExtension);
      if (san === undefined || !(await request.verify())) throw new Error("bad CSR");
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: "0abc12",
        issuer: intermediate.subject,
        publicKey: request.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        notBefore,
        notAfter,
        extensions: [named(san, extra), await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)],
      });
      return `${leaf.toString("pem")}\n${intermediate.toString("pem")}\n`;
    },
  };
}

function named(san: x509.SubjectAlternativeNameExtension, extra: readonly x509.JsonGeneralName[]) {
  return new x509.SubjectAlternativeNameExtension([...san.names.toJSON(), ...extra]);
}
