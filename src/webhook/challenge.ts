import type { Stop } from "../core/lazy-signal.ts";
/** One challenge as cert-manager asks for it (`webhook.acme.cert-manager.io/v1alpha1` ChallengePayload, field `request`). */
export interface ChallengeRequest {
  /** To be echoed; empty from cert-manager. */
  readonly uid: string;
  readonly action: "Present" | "CleanUp";
  readonly type: string;
  /** The name that is validated, without `*.`. */
  readonly dnsName: string;
  /** The finished TXT value. */
  readonly key: string;
  /** Where Secret references of `config` are resolved: the only namespace they may point into. */
  readonly resourceNamespace: string;
  /** Where the value is written, with a trailing dot. */
  readonly resolvedFQDN: string;
  /** cert-manager's idea of the zone, with a trailing dot: a hint. */
  readonly resolvedZone: string;
  readonly allowAmbientCredentials: boolean;
  /** Whatever the Issuer's author wrote; undefined when there is none. Untrusted. */
  readonly config: unknown;
}

/** What the answer says. `message` is one line, without secrets, and byte-equal for equal causes. */
export type ChallengeAnswer =
  | { readonly success: true }
  | { readonly success: false; readonly code: string; readonly reason: string; readonly message: string };

export interface SolveCall {
  /** The solver's name, which is the provider's id or one of its aliases. */
  readonly solver: string;
  /** In every log line of the call. */
  readonly correlationId: string;
  /** Fires when the caller went away or the server gives up. */
  readonly signal: Stop;
}

/** What stands behind the HTTP server. `solve` never throws. */
export interface Solving {
  /** Names of the solvers served, sorted. */
  solvers(): readonly string[];
  solve(request: ChallengeRequest, call: SolveCall): Promise<ChallengeAnswer>;
  /** Ends what still runs for nobody; resolves when nothing is left. */
  close(): Promise<void>;
}
