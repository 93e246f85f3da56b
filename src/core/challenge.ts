import { childOf, type DomainName } from "./name.ts";

/** Where DNS-01 looks for `base` ("example.com" also for "*.example.com"): RFC 8555 §8.4. */
export function challengeName(base: DomainName): DomainName {
  return childOf("_acme-challenge", base);
}
