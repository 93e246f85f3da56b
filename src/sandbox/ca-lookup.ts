import { type DomainName, isWithin, rootName } from "../core/name.ts";
import { type Endpoint, type Exchange, ExchangeError } from "../dns/exchange.ts";
import type { Message, RecordType } from "../dns/message.ts";
import { targetOf } from "./zone.ts";

/** What one authoritative server says, at the end of the way through delegations and aliases. */
export interface View {
  /** "ns2.example.test (127.0.0.2)". */
  readonly server: string;
  readonly zone: DomainName;
  /** The name asked about: the end of the alias chain. */
  readonly owner: DomainName;
  readonly message: Message;
}

/** No server of a zone gave a usable answer. */
export class LookupError extends Error {}

export interface Network {
  readonly exchange: Exchange;
  /** Servers of the root zone. */
  readonly roots: readonly Endpoint[];
  /** Port of every other authoritative server. */
  readonly port: number;
}

/** One resolver's run: asks every authoritative server, as if each could be the one that a perspective of the CA picks. */
export interface Lookup {
  /** Answers to one question from every server that may be asked it. Throws LookupError or the signal's reason. */
  everywhere(name: DomainName, type: RecordType): Promise<readonly View[]>;
}

interface Server extends Endpoint {
  readonly name: string;
}

interface Job {
  readonly name: DomainName;
  readonly type: RecordType;
  readonly zone: DomainName;
  readonly servers: readonly Server[];
  /** The questions that led here: referrals, aliases, and names of nameservers. */
  readonly path: readonly string[];
}

const maxSteps = 24;
const tries = 4;

export function makeLookup(network: Network, signal: AbortSignal): Lookup {
  const roots = network.roots.map((r) => ({ ...r, name: "root" }));
  const known = new Map<string, Promise<readonly View[]>>();
  const fromRoot = (name: DomainName, type: RecordType, path: readonly string[]) =>
    once({ name, type, zone: rootName, servers: roots, path });

  /**
   * Servers that lead on to the same place share the question there. Only work with the same way behind it is shared:
   * otherwise two names that need each other would wait for each other.
   */
  async function once(before: Job): Promise<readonly View[]> {
    const step = `${before.name} ${before.type} ${before.zone} ${before.servers.map((s) => s.address).sort()}`;
    const job = { ...before, path: [...before.path, step] };
    if (before.path.includes(step)) throw new LookupError(`aliases or delegations of ${job.name} lead in a circle`);
    if (job.path.length > maxSteps) throw new LookupError(`aliases or delegations of ${job.name} have no end`);
    const key = job.path.join("\n");
    const running = known.get(key) ?? visit(job);
    known.set(key, running);
    return running;
  }

  async function visit(job: Job): Promise<readonly View[]> {
    const results = await Promise.all(job.servers.map((server) => askPatiently(job, server)));
    const failures = results.flatMap((r) => ("failure" in r ? [r.failure] : []));
    const answered = results.flatMap((r) => ("message" in r ? [r] : []));
    // A resolver passes over a server that fails and takes what another one says, so only wrong data counts.
    if (answered.length === 0) {
      throw new LookupError(`no nameserver of ${job.zone} answers for ${job.name}: ${failures.join("; ")}`);
    }
    const views = await Promise.all(answered.map(({ server, message }) => follow(job, server, message)));
    return views.flat();
  }

  async function follow(job: Job, server: Server, message: Message): Promise<readonly View[]> {
    const alias = message.answers.find((r) => r.name === job.name && r.type === "CNAME");
    const target = job.type === "CNAME" ? undefined : targetOf(alias);
    if (target !== undefined) return fromRoot(target, job.type, job.path);
    const cut = message.authoritative ? undefined : cutBelow(job, message);
    if (cut === undefined)
      return [{ server: `${server.name} (${server.address})`, zone: job.zone, owner: job.name, message }];
    const servers = await addressesOf(message, cut, job.path);
    return once({ ...job, zone: cut, servers });
  }

  async function addressesOf(message: Message, cut: DomainName, path: readonly string[]): Promise<readonly Server[]> {
    const hosts = message.authorities.flatMap((r) => (r.type === "NS" && r.name === cut ? (targetOf(r) ?? []) : []));
    const found = await Promise.all(
      hosts.map(async (host): Promise<readonly Server[]> => {
        const glued = addressesIn(message, host);
        if (glued.length > 0 || isWithin(host, cut))
          return glued.map((address) => ({ name: host, address, port: network.port }));
        const views = await Promise.all(
          (["A", "AAAA"] as const).map((type) => fromRoot(host, type, path).catch(() => [])),
        );
        const addresses = new Set(views.flat().flatMap((v) => addressesIn(v.message, v.owner)));
        signal.throwIfAborted();
        return [...addresses].map((address) => ({ name: host, address, port: network.port }));
      }),
    );
    const servers = found.flat();
    if (servers.length === 0) throw new LookupError(`no nameserver of ${cut} has an address`);
    return servers;
  }

  async function askPatiently(
    job: Job,
    server: Server,
  ): Promise<{ readonly server: Server; readonly message: Message } | { readonly failure: string }> {
    let failure = "";
    for (let attempt = 0; attempt < tries; attempt++) {
      try {
        const answer = await network.exchange({ name: job.name, type: job.type, signal }, server);
        const { message } = answer;
        const isUsable = message.rcode === "NOERROR" || message.rcode === "NXDOMAIN";
        const isLame = isUsable && !message.authoritative && cutBelow(job, message) === undefined;
        if (isUsable && !isLame) return { server, message };
        failure = isLame ? "is not authoritative" : message.rcode;
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        // The exchange has tried UDP and TCP several times already.
        return { failure: `${server.name} (${server.address}) ${error.message}` };
      }
    }
    return { failure: `${server.name} (${server.address}) ${failure}` };
  }

  return { everywhere: (name, type) => fromRoot(name, type, []) };
}

/** The zone below the present one that a referral leads to; undefined when it leads nowhere useful. */
function cutBelow(job: Job, message: Message): DomainName | undefined {
  const cut = message.authorities.find((r) => r.type === "NS")?.name;
  const isDeeper = cut !== undefined && cut !== job.zone && isWithin(cut, job.zone) && isWithin(job.name, cut);
  return isDeeper ? cut : undefined;
}

function addressesIn(message: Message, host: DomainName): readonly string[] {
  return [...message.answers, ...message.additionals].flatMap((r) =>
    r.name === host && "address" in r ? [r.address] : [],
  );
}
