/** The outside world of a command; tests hand in their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Sink;
  readonly stderr: Sink & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  /** Fires at SIGINT or SIGTERM; its reason is an InterruptError. */
  readonly signal: AbortSignal;
}

export interface Sink {
  write(text: string): unknown;
}
