import type { Agent } from "node:http";

/** How to reach one API server as one user. */
export interface Access {
  /** Without a final slash; may have a path. */
  readonly server: string;
  /** The namespace that goes without saying: of the kubeconfig's context, or the pod's own. */
  readonly namespace: string | undefined;
  /** Connection and credentials of the next request. Rejects with an error whose message holds no secret. */
  credentials(signal: AbortSignal): Promise<Credentials>;
  /** The server said 401: what is remembered is not good any more. Returns whether asking again is worth while. */
  forget(): boolean;
  close(): void;
}

export interface Credentials {
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
}
