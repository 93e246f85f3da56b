import { type Clock, systemClock } from "../core/clock.ts";
import { type Observer, silent } from "../core/events.ts";
import { type DomainName, isWithin, parentOf } from "../core/name.ts";
import { AskError, DiscoveryError } from "./discovery-error.ts";
import { toDiscoveryError } from "./discovery-messages.ts";
import type { Budget } from "./discovery-tasks.ts";
import type { Exchange } from "./exchange.ts";
import type { Delegation, Discovery, Nameserver, Placement, Warning } from "./types.ts";
import { type Asked, askAny, createHealth, type Health, labelOf, serverPeers } from "./walk-ask.ts";
import { type Outcome, outcomeOf, randomChild } from "./walk-outcome.ts";

export interface PlaceOptions {
  readonly discovery: Discovery;
  readonly exchange: Exchange;
  /**
   * Whether the value goes to the end of the alias chain. "auto" (default): yes, but not through an alias that a wildcard
   * made up; true: through those as well; false: never.
   */
  readonly follow?: boolean | "auto" | undefined;
  readonly clock?: Clock | undefined;
  readonly observer?: Observer | undefined;
  readonly signal: AbortSignal;
}

/** Aliases followed from one challenge name. */
const mostHops = 8;

interface Asking {
  readonly options: PlaceOptions;
  readonly clock: Clock;
  readonly health: Health;
  readonly budget: Budget;
}

/**
 * Where the value for `fqdn` has to be written: there, or at the end of its CNAME and DNAME chain, found at authoritative
 * servers only (propagation.md §5.3). The end need not exist yet, but its zone must. Throws DiscoveryError.
 */
export async function placeChallenge(fqdn: DomainName, options: PlaceOptions): Promise<Placement> {
  const asking: Asking = {
    options,
    clock: options.clock ?? systemClock,
    health: createHealth(),
    budget: { left: 120 },
  };
  const observer = options.observer ?? silent;
  const chain: DomainName[] = [fqdn];
  const warnings: Warning[] = [];
  const seen = new Set<string>([fqdn]);
  for (;;) {
    const owner = chain.at(-1) ?? fqdn;
    const delegation = await delegationAt(chain, owner, options);
    const end = (): Placement => ({
      fqdn,
      owner,
      aliases: chain.length > 1 ? chain : [],
      delegation,
      warnings,
    });
    if (options.follow === false) return end();
    const hop = await aliasAt(asking, owner, delegation, chain);
    if (hop.warning !== undefined) warnings.push(hop.warning);
    if (hop.target === undefined) return end();
    observer({ type: "log", level: "debug", text: `${owner} is an alias of ${hop.target}` });
    chain.push(hop.target);
    if (seen.has(hop.target)) throw aliasError(fqdn, chain, "goes round in a circle");
    seen.add(hop.target);
    if (chain.length > mostHops + 1) throw aliasError(fqdn, chain, `has more than ${mostHops} steps`);
    if (hop.target.length > 253) throw aliasError(fqdn, chain, "leads to a name that is too long");
  }
}

interface Hop {
  readonly target?: DomainName;
  readonly warning?: Warning;
}

async function aliasAt(
  asking: Asking,
  owner: DomainName,
  delegation: Delegation,
  chain: readonly DomainName[],
): Promise<Hop> {
  const { options } = asking;
  let asked: Asked<Outcome>;
  let zone = delegation;
  try {
    asked = await ask(asking, zone, zone.servers, owner);
    if (asked.value.kind === "referral") {
      // Cut further down since it was looked up, or there is an older server among them.
      options.discovery.forget(zone.zone);
      zone = await delegationAt(chain, owner, options);
      asked = await ask(asking, zone, zone.servers, owner);
    }
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    options.signal.throwIfAborted();
    const unheard = delegation.warnings.some((w) => w.code === "W_UNREACHABLE" || w.code === "W_INTERCEPTED");
    if (unheard && (error.unreachable || error.intercepted)) return { warning: unchecked(owner, delegation) };
    throw inChain(chain, toDiscoveryError(owner, error));
  }
  const { value } = asked;
  if (value.kind !== "alias") return {};
  const { target } = value;
  if (options.follow === true || value.dname !== undefined) return { target };
  const server = zone.servers.find((s) => asked.peer.is(s));
  if (!(await isSynthesised(asking, zone, server, owner, target, chain))) return { target };
  return { warning: wildcardCname(owner, target) };
}

/** Whether a name beside `owner` that nobody made leads to the same target: then a wildcard made both (RFC 4592). */
async function isSynthesised(
  asking: Asking,
  delegation: Delegation,
  server: Nameserver | undefined,
  owner: DomainName,
  target: DomainName,
  chain: readonly DomainName[],
): Promise<boolean> {
  const parent = parentOf(owner);
  // Nothing beside the apex belongs to this zone.
  if (parent === undefined || !isWithin(parent, delegation.zone)) return false;
  // The one that answered first: the question is how it came to that answer.
  const servers =
    server === undefined ? delegation.servers : [server, ...delegation.servers.filter((s) => s !== server)];
  try {
    const { value } = await ask(asking, delegation, servers, randomChild(parent, asking.clock.random));
    return value.kind === "alias" && value.target === target;
  } catch (error) {
    throw error instanceof AskError ? inChain(chain, toDiscoveryError(owner, error)) : error;
  }
}

function ask(
  asking: Asking,
  delegation: Delegation,
  servers: readonly Nameserver[],
  name: DomainName,
): Promise<Asked<Outcome>> {
  const { clock, health, options, budget } = asking;
  return askAny<Outcome>(serverPeers(servers, options.exchange, health, clock.random), {
    name,
    type: "CNAME",
    zone: delegation.zone,
    read: ({ message }) => {
      const outcome = outcomeOf(message, delegation.zone, name, "CNAME");
      const record = outcome.kind === "found" ? outcome.records[0] : undefined;
      if (record === undefined || !("target" in record)) return outcome;
      const dname = message.answers.find((r) => r.type === "DNAME" && r.name !== name && isWithin(name, r.name));
      return { kind: "alias", target: record.target, dname: dname?.name };
    },
    clock,
    signal: options.signal,
    budget,
  });
}

async function delegationAt(
  chain: readonly DomainName[],
  owner: DomainName,
  options: PlaceOptions,
): Promise<Delegation> {
  try {
    return await options.discovery.delegationOf(owner, options.signal);
  } catch (error) {
    throw inChain(chain, error);
  }
}

/** Says how we came to the name that the error is about. */
function inChain(chain: readonly DomainName[], error: unknown): unknown {
  if (chain.length < 2 || !(error instanceof DiscoveryError)) return error;
  return new DiscoveryError(
    error.fault === "no-delegation" ? "alias" : error.fault,
    `the challenge name is an alias (${chain.join(" → ")}), and there: ${error.message}`,
    error.asked,
    {
      fqdn: chain[0],
      zone: error.zone,
      aliases: chain,
      hint:
        error.fault === "no-delegation"
          ? `Correct the CNAME of ${chain.at(-2)}, or have the zone of its target delegated.`
          : error.hint,
      cause: error,
    },
  );
}

function aliasError(fqdn: DomainName, chain: readonly DomainName[], what: string): DiscoveryError {
  return new DiscoveryError("alias", `the alias chain of ${fqdn} ${what}: ${chain.join(" → ")}`, [], {
    fqdn,
    aliases: chain,
    hint: "Correct the CNAME records so that the chain ends at a name in a zone you can write to.",
  });
}

function wildcardCname(owner: DomainName, target: DomainName): Warning {
  return {
    code: "W_WILDCARD_CNAME",
    text:
      `${owner} is an alias of ${target} only because of a wildcard CNAME beside it; the alias is not followed, and the value ` +
      `is written at ${owner} itself, where it hides the wildcard`,
  };
}

function unchecked(owner: DomainName, delegation: Delegation): Warning {
  const who = delegation.servers.slice(0, 3).map(labelOf).join(", ");
  return {
    code: "W_ALIAS_UNCHECKED",
    text: `whether ${owner} is an alias is unknown, as none of its nameservers (${who}) answers from here; it is taken for none`,
  };
}
