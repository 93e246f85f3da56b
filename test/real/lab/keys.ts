import { randomBytes } from "node:crypto";

export const algorithms = ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type Algorithm = (typeof algorithms)[number];

/** A TSIG key that both primaries know. */
export interface LabKey {
  readonly name: string;
  readonly algorithm: Algorithm;
  /** Base64, as in the servers' configuration. */
  readonly secret: string;
}

/** One fresh key per algorithm. */
export function makeKeys(): Readonly<Record<Algorithm, LabKey>> {
  const key = (algorithm: Algorithm): LabKey => ({
    name: `lab-${algorithm.slice("hmac-".length)}`,
    algorithm,
    secret: randomBytes(40).toString("base64"),
  });
  return {
    "hmac-sha1": key("hmac-sha1"),
    "hmac-sha224": key("hmac-sha224"),
    "hmac-sha256": key("hmac-sha256"),
    "hmac-sha384": key("hmac-sha384"),
    "hmac-sha512": key("hmac-sha512"),
  };
}
