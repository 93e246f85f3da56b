import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { ConfigError } from "../core/errors.ts";
import { InterruptError } from "./exit.ts";

/**
 * Runs a command on this process's own terminal and files. Signals meant for it are passed on; resolves with its exit
 * status, 128 + n when a signal ended it. Throws ConfigError when there is no such command.
 */
export async function runInSandbox(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const [file = "", ...args] = itself(command);
  const child = spawn(file, args, { env, stdio: "inherit" });
  const onAbort = () => passOn(child, signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await exitStatus(child, command[0] ?? "");
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** "dns01" inside a sandbox is this very program, installed or not. */
function itself([first = "", ...args]: readonly string[]): readonly string[] {
  const main = process.argv[1];
  return first === "dns01" && main !== undefined ? [process.execPath, main, ...args] : [first, ...args];
}

function passOn(child: ChildProcess, reason: unknown): void {
  const by = reason instanceof InterruptError ? reason.by : "SIGTERM";
  // Ctrl-C on a terminal reaches the whole process group: passing it on would look like a second one.
  if (by === "SIGINT" && process.stdin.isTTY === true) return;
  child.kill(by);
}

function exitStatus(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      const message = `cannot be run: ${cause.message}`;
      reject(
        new ConfigError([{ path: name, message }], { cause, hint: "What follows -- is a command and its arguments." }),
      );
    });
    child.once("close", (code, by) => resolve(code ?? 128 + (by === null ? 0 : constants.signals[by])));
  });
}
