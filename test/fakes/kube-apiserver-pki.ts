import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** A certificate and its key, PEM. */
export interface KeyPairPem {
  readonly cert: string;
  readonly key: string;
}

export interface KubeCa {
  readonly pem: string;
  server(names: readonly string[]): Promise<KeyPairPem>;
  /** As kubeadm makes them for users: CN is the user, each O a group. */
  client(user: string, groups: readonly string[]): Promise<KeyPairPem>;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const usage = x509.KeyUsageFlags;
const extended = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

export async function makeKubeCa(name = "kubernetes"): Promise<KubeCa> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await newKeys();
  const validity = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 30 * 86_400_000) };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(usage.digitalSignature | usage.keyEncipherment | usage.keyCertSign, true),
    ],
  });
  const issue = async (subject: x509.JsonName, purpose: string, extensions: readonly x509.Extension[]) => {
    const own = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity,
      serialNumber: `01${randomBytes(8).toString("hex")}`,
      subject,
      issuer: ca.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.KeyUsagesExtension(usage.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([purpose]),
        ...extensions,
      ],
    });
    const der = await webcrypto.subtle.exportKey("pkcs8", own.privateKey);
    return { cert: `${certificate.toString("pem")}\n`, key: `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n` };
  };
  return {
    pem: `${ca.toString("pem")}\n`,
    server: (names) => {
      const alternatives = names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? "ip" : "dns", value }) as const);
      return issue([{ CN: ["kube-apiserver"] }], extended.server, [
        new x509.SubjectAlternativeNameExtension(alternatives),
      ]);
    },
    client: (user, groups) => issue([...groups.map((group) => ({ O: [group] })), { CN: [user] }], extended.client, []),
  };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}
