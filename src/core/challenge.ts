import { childOf, type DomainName } from "./name.ts";

/** What has to be in DNS, and where. */
export interface Challenge {
  /** The challenge name, before any alias is followed. */
  readonly fqdn: DomainName;
  /** The TXT value: base64url of SHA-256 over the key authorization (RFC 8555 §8.4). */
  readonly value: string;
}

/** Where DNS-01 looks for `base` ("example.com" also for "*.example.com"): RFC 8555 §8.4. */
export function challengeName(base: DomainName): DomainName {
  return childOf("_acme-challenge", base);
}
