import type { DomainName } from "../core/name.ts";
import { AskError, DiscoveryError, describeFailures } from "./discovery-error.ts";
import { CycleError } from "./discovery-tasks.ts";
import { labelOf } from "./walk-ask.ts";
import type { Heard, ZoneNode } from "./walk-node.ts";

/** The name ends at the root or a public suffix: nobody was given what lies below. */
export function noDelegation(name: DomainName, node: ZoneNode, heard: Heard): DiscoveryError {
  const who = heard.server === undefined ? "its servers" : labelOf(heard.server);
  const zone = node.zone === "." ? "the root" : node.zone;
  const said =
    heard.outcome.kind === "nothing" && heard.outcome.nxdomain
      ? "says that the name does not exist"
      : "shows no delegation";
  return new DiscoveryError(
    "no-delegation",
    `${name} belongs to no zone: ${who} of ${zone} ${said}, and nothing is delegated on the way`,
    [],
    {
      fqdn: name,
      zone: node.zone,
      hint:
        "Check the spelling, and that the domain is registered and its nameservers are set. For a private zone give a resolver " +
        "that knows it (--resolver) or its nameservers (--nameserver).",
    },
  );
}

/** What went wrong while looking for `name`, as the one error that callers know. Others are returned as they are. */
export function toDiscoveryError(name: DomainName, error: unknown): unknown {
  if (error instanceof CycleError) {
    return new DiscoveryError(
      "no-delegation",
      `the nameservers of ${name} depend on each other: ${error.message}`,
      [],
      {
        fqdn: name,
        details: { cyclic: true },
        cause: error,
      },
    );
  }
  if (!(error instanceof AskError)) return error;
  const zone = error.zone === "." ? "the root" : error.zone;
  // A resolver that refuses us says nothing of the zone.
  if (zone !== undefined && error.failures.length > 0 && error.failures.every((f) => f.kind === "lame")) {
    return new DiscoveryError(
      "no-delegation",
      `none of the nameservers of ${zone} that were asked serves it (${describeFailures(error.failures)})`,
      error.failures,
      {
        fqdn: name,
        zone: error.zone,
        hint: `Make the nameservers serve ${zone}, or correct its delegation.`,
        cause: error,
      },
    );
  }
  const whom =
    zone === undefined ? "no resolver gave a usable answer" : `no nameserver of ${zone} gave a usable answer`;
  return new DiscoveryError(
    "temporary",
    `cannot find the nameservers of ${name}: ${whom} about ${error.message}`,
    error.failures,
    {
      fqdn: name,
      zone: error.zone,
      hint:
        zone === undefined
          ? "Ask another resolver (--resolver), or name the nameservers (--nameserver)."
          : "Try again later; if port 53 is closed here, give a resolver (--resolver).",
      cause: error,
    },
  );
}
