import { expect } from "vitest";
import { fieldsOf } from "../../../src/core/fields.ts";
import type { DomainName } from "../../../src/core/name.ts";
import type { Provider } from "../../../src/core/provider.ts";
import type { KubernetesApi, SecretData } from "../../../src/kubernetes/api.ts";
import { KubernetesError } from "../../../src/kubernetes/error.ts";
import { createRegistry } from "../../../src/providers.ts";
import type { ChallengeAnswer, ChallengeRequest, Solving } from "../../../src/webhook/challenge.ts";
import { parseAllowedEndpoints } from "../../../src/webhook/solve/endpoints.ts";
import type { SolveEvent } from "../../../src/webhook/solve/events.ts";
import { createSolving, type SolvingOptions } from "../../../src/webhook/solve/solving.ts";
import { createFastClock } from "../../fakes/fast-clock.ts";

/** Secrets of a cluster, and what of them may be read. */
export interface Cluster {
  readonly api: KubernetesApi;
  put(namespace: string, name: string, data: Readonly<Record<string, string>>): void;
  remove(namespace: string, name?: string): void;
  /** From now on Secrets of this namespace may not be read. */
  forbid(namespace: string): void;
  /** Every Secret that was asked for: "namespace/name". */
  readonly asked: string[];
  /** From now on the API server answers with this status; undefined: not at all. */
  fail(status: number | undefined | "no"): void;
}

export function createCluster(): Cluster {
  const secrets = new Map<string, SecretData>();
  const forbidden = new Set<string>();
  const asked: string[] = [];
  let version = 1;
  let failure: number | undefined | "no" = "no";
  const none = () => Promise.reject(new Error("not asked for by solving"));
  return {
    asked,
    api: {
      async readSecret(namespace, name, signal) {
        signal.throwIfAborted();
        asked.push(`${namespace}/${name}`);
        if (failure !== "no")
          throw new KubernetesError("get secret: no answer", failure === undefined ? {} : { status: failure });
        if (forbidden.has(namespace)) {
          const user = "system:serviceaccount:dns01:dns01-webhook";
          throw new KubernetesError(
            `get secret ${namespace}/${name}: secrets "${name}" is forbidden: User "${user}" cannot get resource "secrets" in API group "" in the namespace "${namespace}"`,
            { status: 403, reason: "Forbidden" },
          );
        }
        const secret = secrets.get(`${namespace}/${name}`);
        if (secret !== undefined) return secret;
        throw new KubernetesError(`get secret ${namespace}/${name}: secrets "${name}" not found`, {
          status: 404,
          reason: "NotFound",
        });
      },
      readConfigMap: none,
      watchConfigMap: () => {},
      reviewAccess: none,
      get: none,
      createEvent: none,
    },
    put(namespace, name, data) {
      const bytes = Object.entries(data).map(([key, text]) => [key, new TextEncoder().encode(text)] as const);
      secrets.set(`${namespace}/${name}`, { resourceVersion: String(version++), data: Object.fromEntries(bytes) });
    },
    remove(namespace, name) {
      for (const key of [...secrets.keys()])
        if (name === undefined ? key.startsWith(`${namespace}/`) : key === `${namespace}/${name}`) secrets.delete(key);
    },
    forbid: (namespace) => void forbidden.add(namespace),
    fail(status) {
      failure = status;
    },
  };
}

/** One replica of the webhook. */
export interface Replica {
  readonly solving: Solving;
  readonly events: readonly SolveEvent[];
  present(asked: Partial<ChallengeRequest>, signal?: AbortSignal): Promise<ChallengeAnswer>;
  cleanUp(asked: Partial<ChallengeRequest>, signal?: AbortSignal): Promise<ChallengeAnswer>;
  eventsOf<T extends SolveEvent["type"]>(type: T): readonly Extract<SolveEvent, { type: T }>[];
}

export interface ReplicaOptions extends Partial<Omit<SolvingOptions, "providers" | "allowedEndpoints" | "kubernetes">> {
  readonly solver: string;
  readonly config?: unknown;
  readonly cluster?: Cluster | undefined;
  readonly allowed?: readonly string[];
}

export const namespace = "team-a";

/** A replica that serves these providers; requests are completed as cert-manager sends them. */
export async function startReplica(providers: readonly Provider[], options: ReplicaOptions): Promise<Replica> {
  const { solver, config, cluster, allowed = fakesIn(config), ...more } = options;
  const events: SolveEvent[] = [];
  let calls = 0;
  const solving = await createSolving({
    registry: createRegistry(Object.fromEntries(providers.map((p) => [p.id, async () => ({ default: p })]))),
    providers: providers.filter(({ traits }) => traits.localOnly !== true).map(({ id }) => id),
    kubernetes: cluster?.api,
    allowedEndpoints: parseAllowedEndpoints(allowed),
    clock: createFastClock(20),
    // A minute of a machine that may be busy.
    callTimeoutMs: 1_200_000,
    observe: (event) => void events.push(event),
    ...more,
  });
  const ask = (
    action: "Present" | "CleanUp",
    asked: Partial<ChallengeRequest>,
    signal = new AbortController().signal,
  ) => {
    const dnsName = asked.dnsName ?? "example.com";
    const request: ChallengeRequest = {
      uid: "",
      action,
      type: "dns-01",
      dnsName,
      key: "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM",
      resourceNamespace: namespace,
      resolvedFQDN: `_acme-challenge.${dnsName}.`,
      resolvedZone: "example.com.",
      allowAmbientCredentials: false,
      config,
      ...asked,
    };
    return solving.solve(request, { solver, correlationId: `call-${++calls}`, signal });
  };
  return {
    solving,
    events,
    present: (asked, signal) => ask("Present", asked, signal),
    cleanUp: (asked, signal) => ask("CleanUp", asked, signal),
    eventsOf: <T extends SolveEvent["type"]>(type: T) =>
      events.filter((event): event is Extract<SolveEvent, { type: T }> => event.type === type),
  };
}

/** Addresses of fakes, as --allowed-endpoint takes them. */
function fakesIn(config: unknown): readonly string[] {
  return JSON.stringify(config ?? {}).match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [];
}

/** A fake's configuration as an Issuer has it: secrets in the Secret "credentials" of the namespace. */
export function asIssuer(
  provider: Provider,
  given: Readonly<Record<string, unknown>>,
  cluster: Cluster,
  where = namespace,
): Readonly<Record<string, unknown>> {
  const config: Record<string, unknown> = {};
  const data: Record<string, string> = {};
  for (const field of fieldsOf(provider)) {
    const value = given[field.name];
    if (value === undefined) continue;
    if (!field.secret) config[field.name] = value;
    else {
      // As `echo … | base64` and files leave it.
      data[field.name] = `${String(value)}\n`;
      config[field.references[0] ?? ""] = { name: "credentials", key: field.name };
    }
  }
  if (Object.keys(data).length > 0) cluster.put(where, "credentials", data);
  return config;
}

export function messageOf(answer: ChallengeAnswer): string {
  if (answer.success) throw new Error("a failure was expected");
  expect(answer.message).not.toMatch(/[\r\n]/);
  expect(answer.message.length).toBeLessThanOrEqual(300);
  return answer.message;
}

export const ok: ChallengeAnswer = { success: true };

export function name(text: string): DomainName {
  return text as DomainName;
}
