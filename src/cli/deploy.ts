import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HookError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { CertificateFiles } from "../issuer/ports.ts";
import type { IssueResult } from "../issuer/request.ts";

const HOOK_TIMEOUT_MS = 120_000;
const OUTPUT_LIMIT = 4_000;
const LAST_WORDS_MS = 200;

/**
 * Copies the certificate's files into a directory. All are written beside their targets first and then renamed, so that
 * a directory that cannot take one of them keeps its old set; the key is 0600 from its creation.
 */
export async function copyTo(dir: string, files: CertificateFiles): Promise<void> {
  const copies = Object.entries(files).map(([kind, source]) => {
    const target = join(dir, `${kind}.pem`);
    return { source, target, fresh: `${target}.${process.pid}.new`, mode: kind === "privkey" ? 0o600 : 0o644 };
  });
  try {
    await mkdir(dir, { recursive: true });
    for (const { target } of copies) await refuseFolder(target);
    for (const { source, fresh, mode } of copies) {
      await rm(fresh, { force: true });
      const file = await open(fresh, "wx", mode);
      try {
        await file.writeFile(await readFile(source));
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const { fresh, target } of copies) await rename(fresh, target);
  } catch (error) {
    await Promise.allSettled(copies.map(({ fresh }) => rm(fresh, { force: true })));
    const reason = error instanceof Error ? error.message : String(error);
    throw new HookError(`the certificate is stored, but could not be copied to ${dir}: ${reason}`, {
      operation: "copy",
      hint: "Make the directory given by --out writable and run the same command again: nothing is ordered twice.",
      cause: error,
    });
  }
}

async function refuseFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw new Error(`${path} is a directory`);
}

/**
 * Runs the hook by `sh -c`, in a process group of its own; answers what went wrong, or undefined. When the signal fires
 * or time is up, the whole group is ended. Throws the signal's reason.
 */
export async function runDeployHook(
  command: string,
  result: IssueResult,
  deps: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal;
    readonly observer: Observer;
    readonly timeoutMs?: number;
  },
): Promise<string | undefined> {
  deps.signal.throwIfAborted();
  const fullchain = result.files?.fullchain ?? "";
  const timeoutMs = deps.timeoutMs ?? HOOK_TIMEOUT_MS;
  const child = spawn("sh", ["-c", command], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...withoutSecrets(deps.env),
      DNS01_NAME: result.name,
      DNS01_DOMAINS: result.domains.join(" "),
      DNS01_DIR: fullchain.replace(/[/\\][^/\\]*$/, ""),
      DNS01_FULLCHAIN: fullchain,
      DNS01_PRIVKEY: result.files?.privkey ?? "",
    },
  });
  let output = "";
  const collect = (chunk: Buffer) => {
    output = `${output}${chunk.toString("utf8")}`.slice(-OUTPUT_LIMIT);
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const isLate = { yes: false };
  const stop = () => endGroup(child);
  const timer = setTimeout(() => {
    isLate.yes = true;
    stop();
  }, timeoutMs);
  deps.signal.addEventListener("abort", stop, { once: true });
  try {
    const fault = await ended(child);
    if (output.trim() !== "") deps.observer({ type: "log", level: "info", text: `hook: ${output.trim()}` });
    deps.signal.throwIfAborted();
    if (isLate.yes) return `deploy hook did not end within ${timeoutMs / 1_000} s: ${command}`;
    return fault === undefined ? undefined : `deploy hook ${fault}: ${command}`;
  } finally {
    clearTimeout(timer);
    deps.signal.removeEventListener("abort", stop);
    // What the hook left in the background may hold the pipes for as long as it likes.
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

/** Its end, and what it still had to say: `close` waits for everybody who has the pipes, so not for long. */
function ended(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not run: ${error.message}`));
    child.once("exit", (status, by) => {
      const fault = status === 0 ? undefined : `failed with ${by ?? `status ${status}`}`;
      const settle = () => {
        clearTimeout(patience);
        resolve(fault);
      };
      const patience = setTimeout(settle, LAST_WORDS_MS);
      child.once("close", settle);
    });
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const [signal, afterMs] of [["SIGTERM", 0] as const, ["SIGKILL", 2_000] as const]) {
    const timer = setTimeout(() => {
      try {
        process.kill(-(child.pid ?? 0), signal);
      } catch {
        // Gone already.
      }
    }, afterMs);
    if (afterMs > 0) timer.unref();
  }
}

/** A hook gets the environment it was started in, but no credential of a DNS service or a CA (R64). */
function withoutSecrets(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const secret = /(SECRET|TOKEN|PASSWORD|HMAC|API_?KEY|ACCESS_KEY)/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.test(name)));
}
