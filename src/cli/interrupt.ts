import { InterruptError, type InterruptedBy } from "./exit.ts";

/** Closer together than this, two signals are one wish: a wrapper and a terminal that both pass on a Ctrl-C. */
const SAME_WISH_MS = 1_000;

export interface Interrupt {
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP (a terminal that was closed) asks for an orderly end. A later one ends the process
 * at once, after `lastWords`, by the signal itself: `process.exit` waits for every thread, and one may hang in a file
 * system that does not answer.
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
      // First, so that a third one ends it even while the last words find a full pipe.
      for (const one of names) process.removeAllListeners(one);
      lastWords(error);
      if (process.platform !== "win32") process.kill(process.pid, name);
      // The first process of a container is immune to its own signals.
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
