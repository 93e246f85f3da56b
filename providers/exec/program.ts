import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { onAbort } from "../../src/index.ts";

/** How a program ended: with a status, or by a signal. */
export interface Ended {
  readonly status: number | null;
  readonly killedBy: NodeJS.Signals | null;
}

/** From the polite signal to the other one, in milliseconds. */
const graceMs = 1000;
/** For what a program left behind in the background and that still holds its output, in milliseconds. */
const outputMs = 500;
const mostOutput = 64 * 1024;

/**
 * Runs a program without a shell, with the caller's environment and nothing to read, and waits for its end. When the
 * signal fires, the program and all it has started get SIGTERM, and SIGKILL a second later; this rejects at once.
 * `onLine` is told what it writes, up to 64 KiB. Rejects with spawn's error when it cannot be started.
 */
export function runProgram(
  path: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<Ended> {
  const { signal, onLine } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    // A group of its own: a script's children have to end with it, and Ctrl-C is for dns01 to deal with.
    const child = spawn(path, args, { shell: false, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let killer: NodeJS.Timeout | undefined;
    let drain: NodeJS.Timeout | undefined;
    const kill = (how: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, how);
      } catch {
        // It has ended in the meantime.
      }
    };
    const release = onAbort(signal, () => {
      kill("SIGTERM");
      killer = setTimeout(() => kill("SIGKILL"), graceMs);
      reject(signal.reason);
    });
    const letGo = () => {
      release();
      clearTimeout(killer);
      clearTimeout(drain);
    };
    lines(child.stdout, onLine);
    lines(child.stderr, onLine);
    child.on("error", (error) => {
      letGo();
      reject(error);
    });
    child.on("exit", () => {
      drain = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, outputMs);
    });
    child.on("close", (status, killedBy) => {
      // What was abandoned may have left children that ignore the polite signal.
      if (signal.aborted) kill("SIGKILL");
      letGo();
      resolve({ status, killedBy });
    });
  });
}

function lines(stream: Readable, onLine: (line: string) => void): void {
  let pending = "";
  let seen = 0;
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    if (seen > mostOutput) return;
    seen += text.length;
    const parts = (pending + text).split(/\r?\n/);
    pending = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") onLine(part);
    if (seen <= mostOutput) return;
    pending = "";
    onLine("(the rest of the output is left out)");
  });
  stream.on("close", () => {
    if (pending.trim() !== "") onLine(pending);
  });
  stream.on("error", () => {});
}
