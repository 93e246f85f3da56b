import { AbortedError, type Dns01Error, type ErrorCode } from "../core/errors.ts";

/** Exit status by error code; documented in docs/errors.md. */
const statusByCode: Readonly<Record<ErrorCode, number>> = {
  UNKNOWN: 1,
  CONFIG: 2,
  AUTH: 3,
  ZONE_NOT_FOUND: 3,
  REJECTED: 3,
  CONFLICT: 4,
  RATE_LIMITED: 4,
  TRANSIENT: 4,
  NOT_PROPAGATED: 4,
  LOCKED: 4,
  ACME: 5,
  HOOK: 7,
  ABORTED: 130,
};

export type InterruptedBy = "SIGHUP" | "SIGINT" | "SIGTERM";

const statusBySignal: Readonly<Record<InterruptedBy, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** The user or the system asked the process to stop. */
export class InterruptError extends AbortedError {
  readonly by: InterruptedBy;
  readonly exitStatus: number;

  constructor(by: InterruptedBy, hint = "Run the same command again.") {
    super(`stopped by ${by}`, { hint });
    this.by = by;
    this.exitStatus = statusBySignal[by];
  }
}

export function exitStatusOf(error: Dns01Error): number {
  return error instanceof InterruptError ? error.exitStatus : (statusByCode[error.code] ?? 1);
}
