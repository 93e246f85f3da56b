import type { DomainName } from "../core/name.ts";
import { type AskError, describeFailures } from "./discovery-error.ts";
import type { Delegation, Warning } from "./types.ts";

/** The zone's servers are known through a resolver and did not answer. */
export function unreachable(zone: DomainName, error: AskError): Warning {
  return error.intercepted
    ? {
        code: "W_INTERCEPTED",
        text:
          `something on the way answers in place of the nameservers of ${zone} (a router or provider that intercepts ` +
          `port 53): ${describeFailures(error.failures)}`,
      }
    : {
        code: "W_UNREACHABLE",
        text: `no nameserver of ${zone} answers from here, perhaps because port 53 is closed: ${describeFailures(error.failures)}`,
      };
}

/** The machine's resolver sees other nameservers than the Internet does. */
export function splitHorizon(delegation: Delegation, names: readonly DomainName[]): readonly Warning[] {
  const ours = new Set([...delegation.servers.map((s) => s.name), ...delegation.unresolved]);
  if (names.some((n) => ours.has(n))) return [];
  const theirs = names.length === 0 ? "knows no such zone" : `has ${names.join(", ")}`;
  return [
    {
      code: "W_SPLIT_HORIZON",
      text:
        `the system's resolver ${theirs} for ${delegation.zone}, the public delegation has ${[...ours].join(", ")}: there is an ` +
        "inside view of this zone; the public one is used, as the CA sees that (--resolver decides otherwise)",
    },
  ];
}

/** Nameservers nobody outside can reach, by a resolver that nobody chose. */
export function privateView(delegation: Delegation): readonly Warning[] {
  if (!delegation.servers.every((s) => isPrivate(s.address))) return [];
  return [
    {
      code: "W_SPLIT_HORIZON",
      text:
        `the system's resolver has only private addresses for the nameservers of ${delegation.zone}: this is an inside view, ` +
        "and a public CA sees another one; give a public resolver (--resolver)",
    },
  ];
}

/** RFC 1918, 3927, 4193, 4291 and loopback. */
function isPrivate(address: string): boolean {
  if (address.includes(":")) return /^(::1$|f[cd]|fe[89ab])/i.test(address);
  const [a = 0, b = 0] = address.split(".").map(Number);
  return (
    a === 10 || a === 127 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254)
  );
}

/** Resolvers that failed while another answered. */
export function resolverTrouble(failed: ReadonlyMap<string, string>): readonly Warning[] {
  return [...failed].map(([server, said]) => ({
    code: "W_RESOLVER",
    text: `${server} did not answer usefully (${said}); another one was asked`,
    server,
  }));
}
