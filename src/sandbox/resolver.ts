import type { DomainName } from "../core/name.ts";
import type { Question, ResourceRecord } from "../dns/message.ts";
import { answerQuestion, type Reply } from "./nameserver-answer.ts";
import type { Random } from "./random.ts";
import { targetOf, type Zone } from "./zone.ts";

/** A nameserver as the resolver sees it, without sockets or weather. */
export interface ResolverServer {
  readonly address: string;
  readonly zones: () => ReadonlyMap<DomainName, Zone>;
}

const maxSteps = 32;

/**
 * Answers as a recursive resolver without a cache: from the parent down, at each cut one of the servers by chance, so
 * that a server that lags behind is sometimes the one that is asked.
 */
export function resolve(
  question: Question,
  root: ResolverServer,
  servers: readonly ResolverServer[],
  random: Random,
): Reply {
  return walk(question, { root, servers, random, steps: 0 });
}

interface Walk {
  readonly root: ResolverServer;
  readonly servers: readonly ResolverServer[];
  readonly random: Random;
  steps: number;
}

function walk(question: Question, state: Walk): Reply {
  const chain: ResourceRecord[] = [];
  let server = state.root;
  let name = question.name;
  for (;;) {
    state.steps += 1;
    if (state.steps > maxSteps) return failed;
    const reply = answerQuestion(server.zones(), { ...question, name });
    if (reply.rcode === "REFUSED") return failed;
    if (!reply.authoritative) {
      const next = delegated(reply, state);
      if (next === undefined) return failed;
      server = next;
      continue;
    }
    const target = question.type === "CNAME" || question.type === "ANY" ? undefined : openTarget(reply, name);
    chain.push(...reply.answers);
    if (target === undefined) return { ...reply, authoritative: false, answers: chain };
    name = target;
    server = state.root;
  }
}

/** The end of an alias chain that this reply leaves open. */
function openTarget(reply: Reply, name: DomainName): DomainName | undefined {
  // With an SOA, or data at its end, the server has said all there is.
  if (reply.rcode !== "NOERROR" || reply.authorities.some((r) => r.type === "SOA")) return undefined;
  let at = name;
  const seen = new Set<DomainName>();
  for (;;) {
    const alias = reply.answers.find((r) => r.name === at && r.type === "CNAME");
    const target = targetOf(alias);
    if (target === undefined) break;
    // A loop: going on with it ends at the limit of steps.
    if (seen.has(at)) return at;
    seen.add(at);
    at = target;
  }
  return at === name || reply.answers.some((r) => r.name === at) ? undefined : at;
}

function delegated(reply: Reply, state: Walk): ResolverServer | undefined {
  const hosts = reply.authorities.flatMap((r) => (r.type === "NS" ? (targetOf(r) ?? []) : []));
  const addresses = hosts.flatMap((host) => {
    const glued = addressesAt(reply.additionals, host);
    if (glued.length > 0) return glued;
    return (["A", "AAAA"] as const).flatMap((type) => {
      return addressesAt(walk({ name: host, type, class: "IN" }, state).answers, host);
    });
  });
  return state.random.pick([state.root, ...state.servers].filter((s) => addresses.includes(s.address)));
}

function addressesAt(records: readonly ResourceRecord[], host: DomainName): readonly string[] {
  return records.flatMap((r) => (r.name === host && "address" in r ? [r.address] : []));
}

const failed: Reply = { rcode: "SERVFAIL", authoritative: false, answers: [], authorities: [], additionals: [] };
