import type { KubernetesError } from "./error.ts";

/** A Secret as far as solvers need it. */
export interface SecretData {
  readonly resourceVersion: string;
  readonly data: Readonly<Record<string, Uint8Array>>;
}

export interface ConfigMapData {
  readonly resourceVersion: string;
  readonly data: Readonly<Record<string, string>>;
}

export interface AccessReview {
  readonly user: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly resource?: {
    readonly verb: string;
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
  };
  readonly nonResource?: { readonly path: string; readonly verb: string };
}

export interface AccessDecision {
  readonly allowed: boolean;
  readonly reason?: string | undefined;
}

/**
 * The API server, as far as dns01 talks to it. Everything throws KubernetesError: `status` 401, 403, 404, 409 … as the
 * server answered, undefined when it could not be reached.
 */
export interface KubernetesApi {
  readSecret(namespace: string, name: string, signal: AbortSignal): Promise<SecretData>;
  readConfigMap(namespace: string, name: string, signal: AbortSignal): Promise<ConfigMapData>;
  /**
   * Calls back with every state of one ConfigMap (undefined while there is none), the present one first, until the signal
   * fires. Connects again by itself, for ever; `onTrouble` hears of each failure in between.
   */
  watchConfigMap(
    namespace: string,
    name: string,
    onChange: (current: ConfigMapData | undefined) => void,
    signal: AbortSignal,
    onTrouble?: (error: KubernetesError) => void,
  ): void;
  reviewAccess(review: AccessReview, signal: AbortSignal): Promise<AccessDecision>;
  /** Any object or list as JSON, for checks: `get("/apis/cert-manager.io/v1/clusterissuers", signal)`. */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  /** Never rejects: an Event that could not be written is a line in the log. */
  createEvent(event: KubernetesEvent, signal: AbortSignal): Promise<void>;
}

/** An APIService's condition Available, as the API server sees it. */
export interface ApiServiceState {
  readonly available: boolean;
  /** The API server's word for why, and what it says. */
  readonly reason: string;
  readonly message: string;
}

/** Apart from KubernetesApi, since nothing depends on it: who lacks the right goes without. */
export interface ApiServiceWatcher {
  /**
   * Calls back with every state of one APIService (undefined while there is none) until the signal fires. `onTrouble`
   * hears of each failure; a refusal is asked about again after a long while.
   */
  watchApiService(
    name: string,
    onChange: (current: ApiServiceState | undefined) => void,
    signal: AbortSignal,
    onTrouble: (error: KubernetesError) => void,
  ): void;
}

/** events.k8s.io/v1, about one object. */
export interface KubernetesEvent {
  readonly namespace: string;
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}
