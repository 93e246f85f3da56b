import type { Clock } from "../core/clock.ts";
import { type DomainName, parentOf, rootName } from "../core/name.ts";
import { AskError, DiscoveryError } from "./discovery-error.ts";
import { toDiscoveryError } from "./discovery-messages.ts";
import { createShared, rootTask, type Shared, type Task } from "./discovery-tasks.ts";
import type { Exchange } from "./exchange.ts";
import type { RecordType } from "./message.ts";
import type { Delegation, Discovery, Nameserver } from "./types.ts";
import { askAny, type Health, serverPeers } from "./walk-ask.ts";
import { keepMs } from "./walk-node.ts";
import { outcomeOf } from "./walk-outcome.ts";

export interface FixedOptions {
  readonly servers: readonly Nameserver[];
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly health: Health;
}

/** Exactly these servers, whatever the delegation says (hidden primaries, labs): only the zone is asked for. */
export function createFixedDiscovery(options: FixedOptions): Discovery {
  const { clock, servers } = options;
  const places: Shared<Delegation> = createShared(() => clock.now());

  const ask = async (task: Task, name: DomainName, type: RecordType) => {
    const { value } = await askAny(serverPeers(servers, options.exchange, options.health, clock.random), {
      name,
      type,
      zone: rootName,
      read: ({ message }) => {
        const outcome = outcomeOf(message, rootName, name, type);
        // A referral leads to servers that were not named.
        return outcome.kind === "referral"
          ? { kind: "failed", failure: "lame", said: `refers to the servers of ${outcome.zone}` }
          : outcome;
      },
      clock,
      signal: task.signal,
      budget: task.budget,
    });
    return value;
  };

  /** The SOA in the answer about the name; where an alias or the like hides it, that of the first ancestor that has one. */
  const zoneOf = async (task: Task, name: DomainName): Promise<DomainName> => {
    for (let at: DomainName | undefined = name; at !== undefined && at !== rootName; at = parentOf(at)) {
      const outcome = await ask(task, at, "SOA");
      if (outcome.kind === "found" && (await isApex(task, at))) return at;
      if (outcome.kind === "nothing" && outcome.soa !== undefined) return outcome.soa;
    }
    throw new DiscoveryError("no-delegation", `none of the given nameservers tells the zone of ${name}`, [], {
      fqdn: name,
    });
  };

  /** Some services answer SOA at every name; an apex has NS too. */
  const isApex = async (task: Task, name: DomainName) => (await ask(task, name, "NS")).kind === "found";

  return {
    async delegationOf(name, signal) {
      const task = rootTask(signal, 120);
      try {
        return await places.get(name, task, async (t) => {
          const zone = await zoneOf(t, name);
          return { value: { zone, servers, unresolved: [], warnings: [] }, keepMs: keepMs(300) };
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof AskError)) throw toDiscoveryError(name, error);
        throw notServed(name, error);
      }
    },
    forget: (zone) => places.forget((_, delegation) => delegation === undefined || delegation.zone === zone),
  };
}

function notServed(name: DomainName, error: AskError): DiscoveryError {
  const lame = error.failures.every((f) => f.kind === "lame");
  const what = lame ? `none of the given nameservers serves ${name}` : `no given nameserver answers about ${name}`;
  return new DiscoveryError(lame ? "no-delegation" : "temporary", `${what}: ${error.message}`, error.failures, {
    fqdn: name,
    hint: "Check the addresses given as nameservers (--nameserver), or leave them out to have the delegated ones found.",
    cause: error,
  });
}
