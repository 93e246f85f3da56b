import { type Clock, systemClock } from "../../core/clock.ts";
import { AbortedError, ConfigError, type ConfigIssue, Dns01Error } from "../../core/errors.ts";
import type { Observer } from "../../core/events.ts";
import { nearest } from "../../core/nearest.ts";
import type { Provider } from "../../core/provider.ts";
import type { DnsSettings } from "../../issuer/network.ts";
import { loadPublicSuffixes } from "../../issuer/suffixes.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import type { Registry } from "../../providers.ts";
import type { ChallengeAnswer, ChallengeRequest, SolveCall, Solving } from "../challenge.ts";
import { type Environment, namesCredentials } from "./ambient.ts";
import { createBreaker } from "./breaker.ts";
import { createConnections } from "./connections.ts";
import type { AllowedEndpoint } from "./endpoints.ts";
import type { ChallengeFacts, SolveObserver } from "./events.ts";
import { createGate } from "./gate.ts";
import { inIssuerWords } from "./issuer-words.ts";
import { createJobs } from "./jobs.ts";
import { failureOf } from "./message.ts";
import type { PolicyFile } from "./policy.ts";
import { createPresented } from "./presented.ts";
import { readQuestion } from "./question.ts";
import { createWork, type Withdrawn } from "./work.ts";

export interface SolvingOptions {
  readonly registry: Registry;
  /** Ids or aliases of the providers that are served. Default: all but memory and those that act on this machine. */
  readonly providers?: readonly string[] | undefined;
  /** Without it Issuers that refer to Secrets are refused. */
  readonly kubernetes?: KubernetesApi | undefined;
  /** Hosts that Issuers may name besides the services' own. */
  readonly allowedEndpoints?: readonly AllowedEndpoint[] | undefined;
  /** False: nameservers for dynamic updates have to be allowed as well. Default true. */
  readonly anyNameserver?: boolean | undefined;
  readonly policy?: PolicyFile | undefined;
  /** Whether Present waits for the nameservers where the Issuer does not say. Default false. */
  readonly propagationGate?: boolean | undefined;
  /** How the gate finds and asks nameservers. Default: a walk from the root, port 53. */
  readonly dns?: DnsSettings | undefined;
  /** Longest time until a call is answered. Default 25,000. */
  readonly callTimeoutMs?: number | undefined;
  /** dns01's own environment, for Issuers that may use ambient credentials and name none. Default: nothing is read. */
  readonly env?: Environment | undefined;
  readonly clock?: Clock | undefined;
  readonly now?: (() => Date) | undefined;
  readonly observe?: SolveObserver | undefined;
  readonly fetch?: typeof fetch | undefined;
}

const usualDns: DnsSettings = {
  resolvers: [],
  servers: [],
  mode: "walk",
  port: 53,
  propagation: { mode: "authoritative", timeoutMs: 300_000 },
};

/** Solves challenges as cert-manager asks for them, with the engine of the command line. Throws ConfigError. */
export async function createSolving(options: SolvingOptions): Promise<Solving> {
  const { clock = systemClock, now = () => new Date(), observe = () => {}, callTimeoutMs = 25_000 } = options;
  const { dns = usualDns } = options;
  const served = await servedBy(options.registry, options.providers);
  const isPublicSuffix = await loadPublicSuffixes();
  const observer: Observer = (event, trace) => observe({ type: "engine", correlationId: trace ?? "", event });
  const connections = createConnections({
    clock,
    observer,
    // What a slow service answers after the call is over is picked up by the next one.
    requestTimeoutMs: 2 * callTimeoutMs,
    isPublicSuffix,
    fetch: options.fetch,
  });
  const jobs = createJobs({ clock, callTimeoutMs, jobTimeoutMs: 4 * callTimeoutMs + dns.propagation.timeoutMs });
  const work = createWork({
    rules: { allowed: options.allowedEndpoints ?? [], anyNameserver: options.anyNameserver },
    kubernetes: options.kubernetes,
    policy: options.policy,
    propagationGate: options.propagationGate ?? false,
    env: options.env ?? {},
    callTimeoutMs,
    clock,
    now,
    observer,
    observe,
    connections,
    jobs,
    presented: createPresented(clock),
    breaker: createBreaker(clock),
    gate: createGate({ dns, clock, observer }),
  });

  const answer = async (request: ChallengeRequest, call: SolveCall): Promise<ChallengeAnswer> => {
    const startedAt = clock.now();
    const provider = served.get(call.solver);
    const withdrawn = provider === undefined ? await withdrawnAs(call.solver, options.registry) : undefined;
    const facts = factsOf(request, call, provider?.id ?? withdrawn?.id ?? "unknown");
    observe({ type: "challenge.start", ...facts });
    const end = () => ({ type: "challenge.end", durationMs: clock.now() - startedAt, ...facts }) as const;
    try {
      const question = questionOf(provider?.id ?? call.solver, request, isPublicSuffix);
      if (question !== undefined) {
        if (provider === undefined) work.refuse(question, unserved(call.solver, served), withdrawn, facts);
        else await work.solve(provider, question, call, facts);
      }
      observe({ ...end(), code: "OK", retryable: false });
      return { success: true };
    } catch (thrown) {
      const left = call.signal.aborted && thrown === call.signal.reason;
      const error: unknown = left ? new AbortedError("the caller went away before the answer") : thrown;
      const inWords = provider && wordsFor(provider, request);
      const about = { provider: provider?.id ?? call.solver, owner: facts.owner, value: request.key, inWords };
      const failure = failureOf(error, about);
      const known = Dns01Error.is(error) ? error : undefined;
      const outcome = {
        code: known?.code ?? ("UNKNOWN" as const),
        retryable: known?.retryable ?? false,
        message: failure.message,
        said: known === undefined || failure.message.includes(known.message) ? undefined : known.message,
        details: known?.details,
        requestId: known?.requestId,
      };
      observe({ ...end(), ...outcome });
      return failure;
    }
  };

  return {
    solvers: () => [...served.keys()].sort(),
    solve: answer,
    async close() {
      await jobs.close();
      connections.close();
    },
  };
}

/** With credentials of the pod's environment it is the operator who reads, and the variables are the right words. */
function wordsFor(provider: Provider, { allowAmbientCredentials, config }: ChallengeRequest) {
  if (allowAmbientCredentials && !namesCredentials(provider, config)) return undefined;
  return (text: string) => inIssuerWords(provider, text);
}

/** Undefined: a clean-up of what Present can only have refused. It would never end, and keep its Challenge for ever. */
function questionOf(...asked: Parameters<typeof readQuestion>): ReturnType<typeof readQuestion> | undefined {
  try {
    return readQuestion(...asked);
  } catch (error) {
    if (asked[1].action === "CleanUp" && error instanceof ConfigError) return undefined;
    throw error;
  }
}

function factsOf(request: ChallengeRequest, call: SolveCall, provider: string): ChallengeFacts {
  return {
    correlationId: call.correlationId,
    action: request.action,
    provider,
    namespace: cut(request.resourceNamespace),
    dnsName: cut(request.dnsName),
    owner: bare(request.resolvedFQDN),
    zoneHint: bare(request.resolvedZone),
  };
}

function bare(name: string): string {
  return cut(name.replace(/\.$/, "").toLowerCase());
}

/** For the log: names are not that long, but whatever was sent is. */
function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** The form of a plugin's id. */
const idForm = /^[a-z0-9-]{1,40}$/;

/** Returns what a name that is not served may have stood for; undefined: no provider ever had it. */
async function withdrawnAs(solver: string, registry: Registry): Promise<Withdrawn | undefined> {
  try {
    const { id } = await registry.load(solver);
    return { id, flags: `--provider ${id}` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The id stays out of `id`: it becomes a label of metrics, and Issuers' authors choose it.
    return idForm.test(solver) ? { flags: `--provider ${solver} --plugin FILE` } : undefined;
  }
}

function unserved(solver: string, served: ReadonlyMap<string, Provider>): ConfigError {
  const near = nearest(solver, served.keys());
  const meant = near === undefined ? `there are ${[...served.keys()].sort().join(", ")}` : `did you mean ${near}?`;
  return new ConfigError([{ path: "solverName", message: `there is no solver "${solver.slice(0, 60)}"; ${meant}` }]);
}

/** Providers by the names of their solvers: id and aliases. */
async function servedBy(
  registry: Registry,
  wanted: readonly string[] | undefined,
): Promise<ReadonlyMap<string, Provider>> {
  const issues: ConfigIssue[] = [];
  const chosen: Provider[] = [];
  if (wanted === undefined) {
    const all = await registry.all();
    chosen.push(...all.filter(({ id, traits }) => id !== "memory" && traits.localOnly !== true));
  }
  for (const name of wanted ?? []) {
    try {
      const provider = await registry.load(name);
      if (provider.traits.localOnly !== true) chosen.push(provider);
      else issues.push({ path: "--providers", message: `${provider.id} acts on this machine and is never served` });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues.map(({ message }) => ({ path: "--providers", message })));
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
  const served = new Map<string, Provider>();
  for (const provider of chosen) for (const alias of provider.aliases ?? []) served.set(alias, provider);
  for (const provider of chosen) served.set(provider.id, provider);
  return served;
}
