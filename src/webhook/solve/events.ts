import type { ErrorCode } from "../../core/errors.ts";
import type { Dns01Event } from "../../core/events.ts";
import type { ServerVerdict, Verdict } from "../../dns/types.ts";

/** Which call something belongs to; empty for what happens outside of calls. */
interface OfCall {
  readonly correlationId: string;
}

/** One call of cert-manager, in every event about it. */
export interface ChallengeFacts extends OfCall {
  readonly action: "Present" | "CleanUp";
  /** The provider's id; "unknown" for a solver that dns01 does not know. */
  readonly provider: string;
  readonly namespace: string;
  readonly dnsName: string;
  readonly owner: string;
  /** cert-manager's idea of the zone. */
  readonly zoneHint: string;
}

/** What the webhook tells while it solves; logs and metrics are made of it. No event holds a secret. */
export type SolveEvent =
  | ({ readonly type: "challenge.start" } & ChallengeFacts)
  | ({ readonly type: "challenge.end"; readonly durationMs: number } & ChallengeFacts & Outcome)
  /** The same call still runs: this one waits for its result. `with` is that call's correlation id. */
  | ({ readonly type: "challenge.joined"; readonly with: string } & OfCall)
  /** The call was answered, its work goes on; or such work has ended with this code. */
  | ({ readonly type: "background"; readonly state: "begun" | ErrorCode | "OK"; readonly provider: string } & OfCall)
  /** The operator's policy forbids it; nothing was called. */
  | ({ readonly type: "denied"; readonly message: string } & ChallengeFacts)
  /** A value that may still be in DNS and that nobody will take out: the call ended all the same. */
  | ({
      readonly type: "leftover";
      readonly value: string;
      readonly at: string;
      readonly reason: string;
      /** The command that takes it out. */
      readonly cure: string;
    } & ChallengeFacts)
  /** After repeated refusals of these credentials for this zone nothing is asked for a while. */
  | ({ readonly type: "breaker"; readonly state: "open" | "closed"; readonly provider: string } & OfCall)
  /** How long the nameservers took to agree, server by server; `lagMs` when all did. */
  | ({
      readonly type: "propagation";
      readonly provider: string;
      readonly owner: string;
      readonly status: Verdict["status"];
      readonly lagMs: number | undefined;
      readonly servers: readonly ServerVerdict[];
      readonly explanation: string;
    } & OfCall)
  /** What the engine tells: API calls, retries, zones, values. */
  | ({ readonly type: "engine"; readonly event: Dns01Event } & OfCall);

export interface Outcome {
  readonly code: ErrorCode | "OK";
  /** False for what will fail again until somebody changes something. */
  readonly retryable: boolean;
  /** As it was answered. */
  readonly message?: string | undefined;
  /** What failed in full, with the times and ids that the answer leaves out; undefined where the answer has it all. */
  readonly said?: string | undefined;
  /** Everything the answer had no room for. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The provider's own name for the request that failed. */
  readonly requestId?: string | undefined;
}

export type SolveObserver = (event: SolveEvent) => void;
