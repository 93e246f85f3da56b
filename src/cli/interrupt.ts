import { InterruptError, type InterruptedBy } from "./exit.ts";

/** Closer together than this, two signals are one wish: a wrapper and a terminal that both pass on a Ctrl-C. */
const SAME_WISH_MS = 1_000;

export interface Interrupt {
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP (a terminal that was closed) asks for an orderly end; a later one ends the process
 * at once, after `lastWords`.
 */
export function listenForInterrupts(
  lastWords: (error: InterruptError) => void,
  names: readonly InterruptedBy[],
): Interrupt {
  const controller = new AbortController();
  let firstAt = 0;
  const handler = (name: NodeJS.Signals) => {
    const error = new InterruptError(name as InterruptedBy);
    if (!controller.signal.aborted) {
      firstAt = performance.now();
      controller.abort(error);
    } else if (performance.now() - firstAt >= SAME_WISH_MS) {
      lastWords(error);
      process.exit(error.exitStatus);
    }
  };
  // Under nohup too: Node has reset what it asked for, so that the process would end at once without a handler.
  for (const name of names) process.on(name, handler);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of names) process.off(name, handler);
    },
  };
}
