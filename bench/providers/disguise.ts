import { generateKeyPairSync } from "node:crypto";
import { PublicKey } from "@peculiar/x509";
import { makePki } from "../../src/sandbox/ca-pki.ts";
import { seededRandom } from "../../src/sandbox/random.ts";

/** A certificate in the names of others, for a client that is told to trust its root and knows no other address. */
export interface Disguise {
  readonly cert: string;
  readonly key: string;
  readonly rootPem: string;
}

export async function makeDisguise(names: readonly string[]): Promise<Disguise> {
  const now = new Date();
  const { rootPem, issue } = await makePki(now, seededRandom(1));
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leaf = await issue({
    names,
    publicKey: new PublicKey(publicKey.export({ type: "spki", format: "der" })),
    commonName: undefined,
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: new Date(now.getTime() + 86_400_000),
  });
  return { cert: leaf.chains[0] ?? "", key: String(privateKey.export({ type: "pkcs8", format: "pem" })), rootPem };
}
