import { readFileSync } from "node:fs";
import { constants } from "node:os";
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
export function listenForInterrupts(lastWords: (error: InterruptError) => void): Interrupt {
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
  const names: readonly InterruptedBy[] = ["SIGINT", "SIGTERM", ...(isHangUpIgnored() ? [] : ["SIGHUP" as const])];
  for (const name of names) process.on(name, handler);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of names) process.off(name, handler);
    },
  };
}

/** `nohup` asks by an ignored signal not to be stopped by it, and a handler of ours would undo that. */
function isHangUpIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGHUP - 1))) !== 0n;
  } catch {
    return false;
  }
}
