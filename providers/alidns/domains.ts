import { z } from "../../src/index.ts";

export const domainAnswer = z.object({ DomainName: z.string() });
const domainList = z.object({ Domains: z.object({ Domain: z.array(z.object({ DomainName: z.string() })) }) });

/** Names in a page of DescribeDomains. */
export function domainNames(answer: unknown): readonly string[] {
  return domainList.parse(answer).Domains.Domain.map(({ DomainName }) => DomainName);
}
