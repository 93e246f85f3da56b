import type { Clock } from "../../core/clock.ts";
import type { Observer } from "../../core/events.ts";
import type { Redactor } from "../../core/redact.ts";
import type { DnsSettings } from "../../issuer/network.ts";
import type { DnsDeps } from "../../issuer/request.ts";
import type { KubernetesConnection } from "../../kubernetes/client.ts";
import type { Registry } from "../../providers.ts";
import type { AllowedEndpoint } from "../solve/endpoints.ts";
import type { ValidateRules } from "../validate/issuer.ts";
import type { Finding } from "./finding.ts";

/** A ServiceAccount; its user name is `system:serviceaccount:NAMESPACE:NAME`. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

export interface CheckSettings {
  readonly groups: readonly string[];
  /** The user did not give `groups`: further groups whose APIServices lead to the same Service count too. */
  readonly findGroups?: boolean | undefined;
  /** Where dns01 runs, if the APIService does not say it. */
  readonly namespace?: string | undefined;
  readonly webhookAccount?: Account | undefined;
  readonly certManagerAccount?: Account | undefined;
  readonly clusterResourceNamespace?: string | undefined;
  /** "NAME" or "NAMESPACE/NAME". */
  readonly issuer?: string | undefined;
  readonly domain?: string | undefined;
  readonly write: boolean;
  readonly allowedEndpoints: readonly AllowedEndpoint[];
  readonly anyNameserver: boolean;
  readonly gate: boolean;
  readonly dns: DnsSettings;
  /** Whether this process runs in a pod of the cluster. */
  readonly inCluster: boolean;
}

export interface CheckDeps {
  readonly kube: KubernetesConnection;
  readonly registry: Registry;
  readonly settings: CheckSettings;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** A random value of 43 characters, as a challenge has. */
  readonly randomValue: () => string;
}

/** What several checks want to know; each asked once. */
export interface Context extends CheckDeps {
  readonly services: () => Promise<readonly ServiceRef[]>;
  readonly webhook: () => Promise<WebhookFacts>;
  readonly certManager: () => Promise<CertManagerFacts>;
  readonly rules: () => Promise<ValidateRules>;
  readonly issuers: () => Promise<IssuersFacts>;
  /** One for all checks: what it learns about nameservers that cannot be reached takes seconds. */
  readonly network: () => Promise<DnsDeps>;
}

export interface ServiceRef extends Account {
  readonly port: number;
}

/** dns01 as its Deployment starts it; what could not be seen is undefined. */
export interface WebhookFacts {
  readonly account: Account | undefined;
  readonly deployment: string | undefined;
  /** Values of its flags; undefined where there is no Deployment to look at. */
  readonly flags: ReadonlyMap<string, readonly string[]> | undefined;
  /** Solver names that it serves, by its own discovery document. */
  readonly served: readonly string[] | undefined;
}

export interface CertManagerFacts {
  readonly account: Account;
  /** "its Deployment", "--cert-manager-service-account" or "the usual one". */
  readonly source: string;
  /** What its Deployment says, where that could be seen. */
  readonly running: Account | undefined;
  readonly clusterResourceNamespace: string;
}

export interface IssuerFacts {
  readonly kind: "Issuer" | "ClusterIssuer";
  readonly namespace: string | undefined;
  readonly name: string;
  /** "ClusterIssuer letsencrypt", "Issuer shop/letsencrypt" */
  readonly title: string;
  readonly object: Readonly<Record<string, unknown>>;
  /** Where its Secrets are read. */
  readonly secretNamespace: string;
}

export interface IssuersFacts {
  readonly issuers: readonly IssuerFacts[];
  /** What could not be listed. */
  readonly findings: readonly Finding[];
}

export interface Check {
  readonly id: string;
  run(context: Context): Promise<readonly Finding[]>;
}

export function userOf({ namespace, name }: Account): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

export function groupsOf({ namespace }: Account): readonly string[] {
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
}

export function accountText({ namespace, name }: Account): string {
  return `${namespace}/${name}`;
}
