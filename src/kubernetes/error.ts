/** An answer of the API server that is no success, or none at all (`status` undefined). */
export class KubernetesError extends Error {
  override readonly name = "KubernetesError";
  readonly status: number | undefined;
  /** Machine-readable reason of the Status object: NotFound, Forbidden, Conflict. */
  readonly reason: string | undefined;

  constructor(message: string, options: { status?: number; reason?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.status = options.status;
    this.reason = options.reason;
  }
}
