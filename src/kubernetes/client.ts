import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import type { Access } from "./access.ts";
import type { AccessDecision, AccessReview, ApiServiceWatcher, KubernetesApi } from "./api.ts";
import { inClusterAccess, inClusterServer } from "./in-cluster.ts";
import {
  apiServiceOf,
  configMapOf,
  decisionOf,
  eventObject,
  reviewedAttributes,
  reviewSpec,
  secretOf,
} from "./objects.ts";
import { createRequests } from "./requests.ts";
import { watchObject } from "./watch.ts";

export interface KubernetesOptions {
  /** A file. Default: KUBECONFIG, else the pod's service account, else ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** A context of it that is not the current one. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly observer?: Observer;
  readonly clock?: Clock;
  /** Longest time for one answer. Default 10,000. */
  readonly timeoutMs?: number;
  /** Default "dns01". */
  readonly userAgent?: string;
  /** For tests: where the service account is mounted. */
  readonly serviceAccountDir?: string;
}

export interface KubernetesConnection extends KubernetesApi, ApiServiceWatcher {
  /** Address of the API server. */
  readonly server: string;
  /** The context's or the pod's namespace. */
  readonly namespace: string | undefined;
  /** What this user himself may do. */
  reviewOwnAccess(asked: Pick<AccessReview, "resource" | "nonResource">, signal: AbortSignal): Promise<AccessDecision>;
  /** Closes idle connections; to be called last. */
  close(): void;
}

/** Finds the cluster and how to log in. Throws ConfigError; nothing is asked of the cluster yet. */
export async function connectKubernetes(options: KubernetesOptions): Promise<KubernetesConnection> {
  const { observer = silent, clock = systemClock, timeoutMs = 10_000, userAgent = "dns01" } = options;
  const access = await accessOf(options);
  const requests = createRequests({ access, clock, timeoutMs, userAgent });
  const review = async (kind: string, spec: unknown, signal: AbortSignal): Promise<AccessDecision> => {
    const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
    const path = `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`;
    // It changes nothing, so it may be sent again.
    const request = { what: `create ${kind}`, method: "POST", path, body, repeatable: true } as const;
    return decisionOf(await requests.json(request, signal));
  };

  return {
    server: access.server,
    namespace: access.namespace,
    async readSecret(namespace, name, signal) {
      const path = objectPath("secrets", namespace, name);
      return secretOf(await requests.json({ what: `get secret ${namespace}/${name}`, path }, signal));
    },
    async readConfigMap(namespace, name, signal) {
      const path = objectPath("configmaps", namespace, name);
      return configMapOf(await requests.json({ what: `get configmap ${namespace}/${name}`, path }, signal));
    },
    watchConfigMap(namespace, name, onChange, signal, onTrouble) {
      const watched = {
        collection: objectPath("configmaps", namespace),
        name,
        what: `configmap ${namespace}/${name}`,
        onChange: (object: unknown) => onChange(object === undefined ? undefined : configMapOf(object)),
        onTrouble: onTrouble ?? (() => {}),
      };
      void watchObject(watched, { requests, clock, observer, signal });
    },
    watchApiService(name, onChange, signal, onTrouble) {
      const watched = {
        collection: "/apis/apiregistration.k8s.io/v1/apiservices",
        name,
        what: `apiservice ${name}`,
        onChange: (object: unknown) => onChange(object === undefined ? undefined : apiServiceOf(object)),
        onTrouble,
        refusedPauseMs: 10 * 60_000,
      };
      // Whoever watches it tells what is worth telling.
      void watchObject(watched, { requests, clock, observer: silent, signal });
    },
    reviewAccess: (asked, signal) => review("SubjectAccessReview", reviewSpec(asked), signal),
    reviewOwnAccess: (asked, signal) => review("SelfSubjectAccessReview", reviewedAttributes(asked), signal),
    get: (path, signal) => requests.json({ what: `get ${path}`, path }, signal),
    async createEvent(event, signal) {
      const body = eventObject(event, hostname(), new Date(), randomBytes(8).toString("hex"));
      const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(event.namespace)}/events`;
      try {
        await requests.json({ what: `create event in ${event.namespace}`, method: "POST", path, body }, signal);
      } catch (error) {
        observer({ type: "log", level: "warn", text: thrownText(error), fields: { reason: event.reason } });
      }
    },
    close: () => access.close(),
  };
}

function objectPath(resource: string, namespace: string, name?: string): string {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${resource}`;
  return name === undefined ? collection : `${collection}/${encodeURIComponent(name)}`;
}

/** The order in which controllers look for a cluster. */
async function accessOf({ kubeconfig, context, env, clock, serviceAccountDir }: KubernetesOptions): Promise<Access> {
  const common = { context, ...(clock === undefined ? {} : { clock }) };
  const open = async (file: string, source: string) => {
    const { kubeconfigAccess } = await import("./kubeconfig.ts");
    return await kubeconfigAccess({ file, source, ...common });
  };
  if (kubeconfig !== undefined) return await open(kubeconfig, "--kubeconfig");
  const named = env["KUBECONFIG"] ?? "";
  if (named !== "") return await open(named, "KUBECONFIG");
  const server = inClusterServer(env);
  if (server !== undefined && context === undefined) {
    return await inClusterAccess(server, { env, serviceAccountDir }).catch((cause: unknown) => {
      const message = `this is a pod without a service account token (${thrownText(cause)}): set automountServiceAccountToken`;
      throw new ConfigError([{ path: "--kubeconfig", message }], { cause });
    });
  }
  const usual = join(env["HOME"] ?? homedir(), ".kube", "config");
  if (existsSync(usual)) return await open(usual, "--kubeconfig");
  const message = `is missing: there is no KUBECONFIG, this is no pod (KUBERNETES_SERVICE_HOST), and ${usual} does not exist`;
  throw new ConfigError([{ path: "--kubeconfig", message }]);
}
