import type { Clock } from "../core/clock.ts";
import { type DomainName, isWithin, parentOf, selfAndParents } from "../core/name.ts";
import { AskError } from "./discovery-error.ts";
import { createShared, type Shared, type Task } from "./discovery-tasks.ts";
import type { Exchange } from "./exchange.ts";
import type { RecordType } from "./message.ts";
import type { Nameserver } from "./types.ts";
import { askAny, type Health, serverPeers } from "./walk-ask.ts";
import {
  firstAddresses,
  type Heard,
  isBelow,
  keepMs,
  stepsTo,
  uniqueServers,
  unlessStopped,
  vouches,
  type ZoneNode,
} from "./walk-node.ts";
import { nsTargets, type Outcome, outcomeOf, randomChild } from "./walk-outcome.ts";

export interface WalkOptions {
  readonly exchange: Exchange;
  readonly clock: Clock;
  /** Port of the authoritative servers that are found. */
  readonly port: number;
  readonly health: Health;
  /** Addresses of a nameserver's name; rejects when they could not be found out. */
  readonly lookUpHost: (task: Task, host: DomainName) => Promise<readonly string[]>;
}

export interface Walk {
  /** Asks the servers of a zone, RD=0. Rejects with AskError when none gave a usable answer. */
  ask(task: Task, node: ZoneNode, name: DomainName, type: RecordType): Promise<Heard>;
  /** From a zone down to the one that holds `name`: the last cut, and what its servers say about `name`, `type`. */
  descend(task: Task, from: ZoneNode, name: DomainName, type: RecordType): Promise<{ node: ZoneNode; heard: Heard }>;
  /** The deepest zone on the way to `name` that is known and fresh. */
  known(name: DomainName): ZoneNode | undefined;
  forget(zone: DomainName): void;
}

/** RFC 1034 §5.3.3 with minimised names (RFC 9156), as propagation.md §5.2 wants it. */
export function createWalk(options: WalkOptions): Walk {
  const { clock, health } = options;
  const now = () => clock.now();
  const cuts: Shared<ZoneNode> = createShared(now);
  const answers: Shared<Heard> = createShared(now);
  const wider: Shared<readonly Nameserver[]> = createShared(now);
  const genuine: Shared<{ readonly apex: boolean }> = createShared(now);

  const askServers = async (
    task: Task,
    node: ZoneNode,
    servers: readonly Nameserver[],
    name: DomainName,
    type: RecordType,
  ): Promise<Heard> => {
    const atRoot = node.origin === "hints";
    const peers = serverPeers(servers, options.exchange, health, clock.random);
    const asked = await askAny(peers, {
      name,
      type,
      zone: node.zone,
      read: (answer) => outcomeOf(answer.message, node.zone, name, type),
      clock,
      signal: task.signal,
      budget: task.budget,
      // The first to be asked and the likeliest to be unreachable as a whole: find out soon.
      ...(atRoot ? { patienceMs: 400, rounds: 1, width: 5 } : {}),
      ...(node.origin === "resolver" ? { rounds: 1 } : {}),
    });
    return { outcome: asked.value, server: servers.find((s) => asked.peer.is(s)) };
  };

  /** Addresses of the nameservers that came without glue; wanted only when those with glue do not answer. */
  const others = (task: Task, node: ZoneNode) =>
    wider.get(node.zone, task, async (t) => {
      const rest = node.names.filter((n) => !node.servers.some((s) => s.name === n));
      const found = await Promise.all(rest.map((n) => addresses(t, n).catch(unlessStopped(t, []))));
      return { value: found.flat(), keepMs: keepMs(node.ttlSeconds) };
    });

  const ask = (task: Task, node: ZoneNode, name: DomainName, type: RecordType): Promise<Heard> =>
    answers.get(`${node.zone} ${name} ${type}`, task, async (t) => {
      try {
        return { value: await askServers(t, node, node.servers, name, type), keepMs: 0 };
      } catch (error) {
        if (!(error instanceof AskError) || node.origin === "hints" || node.origin === "fixed") throw error;
        const more = await others(t, node);
        if (more.length === 0) throw error;
        return { value: await askServers(t, node, more, name, type), keepMs: 0 };
      }
    });

  const addresses = async (task: Task, host: DomainName): Promise<readonly Nameserver[]> =>
    (await options.lookUpHost(task, host)).map((address) => ({ name: host, address, port: options.port }));

  const enter = (task: Task, referral: Extract<Outcome, { kind: "referral" }>): Promise<ZoneNode> =>
    cuts.get(referral.zone, task, async (t) => {
      const { zone, names, ttlSeconds } = referral;
      const glue = referral.glue.filter((g) => names.includes(g.name));
      const fromGlue = glue.map(({ name, address }) => ({ name, address, port: options.port }));
      const servers = fromGlue.length > 0 ? fromGlue : await firstAddresses(t, zone, names, addresses);
      return { value: { zone, names, glue, servers, ttlSeconds, origin: "referral" }, keepMs: keepMs(ttlSeconds) };
    });

  /**
   * A server of `parent` answers for a zone below it as well, so there was no referral. Undefined when there is no such
   * zone: some services answer NS or SOA at every name.
   */
  const enterApex = async (
    task: Task,
    parent: ZoneNode,
    zone: DomainName,
    heard: Heard,
  ): Promise<ZoneNode | undefined> => {
    const known = cuts.peek(zone);
    if (known !== undefined) return known;
    if (heard.outcome.kind !== "found") return undefined;
    const { records, additional, ttlSeconds } = heard.outcome;
    const names = nsTargets(records);
    const glue = additional.filter((a) => names.includes(a.name) && isWithin(a.name, parent.zone));
    const answering = heard.server ?? parent.servers[0];
    const servers = uniqueServers([
      ...(answering === undefined ? [] : [answering]),
      ...glue.map(({ name, address }) => ({ name, address, port: options.port })),
    ]);
    const node: ZoneNode = { zone, names, glue, servers, ttlSeconds, origin: "apex" };
    const { apex } = await genuine.get(zone, task, async (t) => {
      const probe = await ask(t, { ...parent, servers }, randomChild(zone, clock.random), "NS").catch(
        unlessStopped(t, undefined),
      );
      return { value: { apex: probe === undefined || vouches(probe.outcome, zone) }, keepMs: keepMs(ttlSeconds) };
    });
    if (!apex) return undefined;
    return cuts.get(zone, task, async () => ({ value: node, keepMs: keepMs(ttlSeconds) }));
  };

  const descend: Walk["descend"] = async (task, from, name, type) => {
    const steps = stepsTo(name);
    let node = from;
    let index = 0;
    for (;;) {
      while (index < steps.length - 1 && !isBelow(steps[index] ?? name, node.zone)) index++;
      const step = steps[index] ?? name;
      const last = index >= steps.length - 1;
      const heard = await question(task, node, step, last ? type : "NS", last);
      const below = heard === undefined ? undefined : await next(task, node, step, heard, last && type === "NS");
      if (below !== undefined) {
        node = below;
        // The zone's own name was asked for, and answered by one of its servers: there is nothing further down.
        if (heard !== undefined && node.zone === name && heard.outcome.kind === "found") return { node, heard };
        continue;
      }
      if (last && heard !== undefined) return { node, heard };
      // Nothing exists below a name that does not (RFC 8020); the full name decides, as some servers say so wrongly.
      const jump = heard?.outcome.kind === "nothing" && heard.outcome.nxdomain;
      index = jump ? steps.length - 1 : index + 1;
    }
  };

  /** Undefined for a label in the middle that the servers fail on: passed over towards the full name, never upwards. */
  const question = async (
    task: Task,
    node: ZoneNode,
    name: DomainName,
    type: RecordType,
    last: boolean,
  ): Promise<Heard | undefined> => {
    try {
      return await ask(task, node, name, type);
    } catch (error) {
      if (!(error instanceof AskError) || error.unreachable || node.origin === "hints") throw error;
      if (!last) return undefined;
      if (type !== "NS") throw error;
      // Load balancers exist that fail on NS and answer what the CA will ask.
      return ask(task, node, name, "TXT").catch((second: unknown) => {
        throw second instanceof AskError ? error : second;
      });
    }
  };

  /** The zone below that the answer shows, if any. */
  const next = async (
    task: Task,
    node: ZoneNode,
    step: DomainName,
    heard: Heard,
    checkParent: boolean,
  ): Promise<ZoneNode | undefined> => {
    const { outcome } = heard;
    if (outcome.kind === "referral") return enter(task, outcome);
    if (outcome.kind === "found" && outcome.records[0]?.type === "NS" && step !== node.zone) {
      return enterApex(task, node, step, heard);
    }
    if (outcome.kind === "nothing" && outcome.soa !== undefined) {
      return outcome.soa !== step && isBelow(outcome.soa, node.zone) ? apexAt(task, node, outcome.soa) : undefined;
    }
    const parent = parentOf(step);
    // No SOA to tell the zone by, and the name one label up was not asked about.
    if (!checkParent || parent === undefined || step === node.zone || !isBelow(parent, node.zone)) return undefined;
    return apexAt(task, node, parent);
  };

  const apexAt = async (task: Task, node: ZoneNode, zone: DomainName): Promise<ZoneNode | undefined> => {
    const heard = await ask(task, node, zone, "NS").catch(unlessStopped(task, undefined));
    if (heard?.outcome.kind === "referral") return enter(task, heard.outcome);
    return heard === undefined ? undefined : enterApex(task, node, zone, heard);
  };

  return {
    ask,
    descend,
    known: (name) => {
      for (const zone of selfAndParents(name)) {
        const node = cuts.peek(zone);
        if (node !== undefined) return node;
      }
      return undefined;
    },
    forget: (zone) => {
      const at = (key: string) => isWithin(key as DomainName, zone);
      cuts.forget(at);
      wider.forget(at);
      genuine.forget(at);
      answers.forget((key) => isWithin(key.split(" ")[0] as DomainName, zone));
    },
  };
}
