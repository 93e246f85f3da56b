import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Observer } from "../core/events.ts";
import type { CertificateFiles, CertificateMeta } from "../issuer/ports.ts";

/** How much of the output is kept for the error, and how many lines go to the log. */
const OUTPUT_LIMIT = 2_000;
const LINE_LIMIT = 200;
const LAST_WORDS_MS = 200;
/** What a timer of Node can hold: with more it fires at once. */
const LONGEST_MS = 2 ** 31 - 1;
/** Between the request to end and the end by force. */
const GRACE_MS = 2_000;

export interface HookDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly observer: Observer;
  /** Masks secrets: knows those that were read, whatever the variables they came from are called. */
  readonly redact: (text: string) => string;
}

/** What went wrong, and the end of what the command said. */
export interface HookFault {
  readonly text: string;
  readonly output: string;
}

/**
 * Runs a command by `sh -c`, in a process group of its own; answers what went wrong, or undefined. When the signal fires
 * or time is up, the whole group is ended. Throws the signal's reason.
 */
export async function runHook(
  hook: { readonly command: string; readonly timeoutMs: number },
  certificate: { readonly meta: CertificateMeta; readonly files: CertificateFiles },
  deps: HookDeps,
): Promise<HookFault | undefined> {
  deps.signal.throwIfAborted();
  const { meta, files } = certificate;
  const child = spawn("sh", ["-c", hook.command], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...withoutSecrets(deps.env, deps.redact),
      DNS01_NAME: meta.name,
      DNS01_DOMAINS: meta.domains.join(" "),
      DNS01_DIR: files.fullchain.replace(/[/\\][^/\\]*$/, ""),
      DNS01_FULLCHAIN: files.fullchain,
      DNS01_PRIVKEY: files.privkey ?? "",
      DNS01_PFX: files.pfx ?? "",
    },
  });
  const output = collect(child, deps);
  const isLate = { yes: false };
  let ending: Promise<void> | undefined;
  const stop = () => {
    ending ??= endGroup(child);
  };
  const timer = setTimeout(
    () => {
      isLate.yes = true;
      stop();
    },
    Math.min(hook.timeoutMs, LONGEST_MS),
  );
  deps.signal.addEventListener("abort", stop, { once: true });
  try {
    const fault = await ended(child);
    output.flush();
    deps.signal.throwIfAborted();
    const text = isLate.yes ? `did not end within ${inWords(hook.timeoutMs)}` : fault;
    return text === undefined ? undefined : { text, output: output.tail() };
  } finally {
    clearTimeout(timer);
    deps.signal.removeEventListener("abort", stop);
    // The shell may go at once, and what it has started not: nobody is left to end it later.
    await ending;
    // What the hook left in the background may hold the pipes for as long as it likes.
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

/** Passes lines on to the log as they come. */
function collect(
  child: ReturnType<typeof spawn>,
  { observer, redact }: Pick<HookDeps, "observer" | "redact">,
): { readonly flush: () => void; readonly tail: () => string } {
  let tail = "";
  let open = "";
  let lines = 0;
  const say = (line: string) => {
    if (line.trim() === "" || lines > LINE_LIMIT) return;
    lines += 1;
    const text = lines > LINE_LIMIT ? "(more is not shown)" : line.trimEnd();
    observer({ type: "log", level: "info", text: `hook: ${text}` });
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      // Masked before it is cut: half a secret is not recognised later.
      tail = redact(`${tail}${chunk}`).slice(-OUTPUT_LIMIT);
      const parts = `${open}${chunk}`.split("\n");
      open = redact(parts.pop() ?? "").slice(-OUTPUT_LIMIT);
      for (const line of parts) say(line);
    });
  }
  return {
    flush: () => {
      say(open);
      open = "";
    },
    tail: () => tail.trim(),
  };
}

/** Its end, and what it still had to say: `close` waits for everybody who has the pipes, so not for long. */
function ended(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be run: ${error.message}`));
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

/** Ends the command with all that it started; over when none of it is there any more. */
async function endGroup({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return;
  const signal = (name: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-pid, name);
    } catch {
      return false;
    }
  };
  signal("SIGTERM");
  for (const since = performance.now(); signal(0); await sleep(20)) {
    if (performance.now() - since < GRACE_MS) continue;
    signal("SIGKILL");
    return;
  }
}

/** A hook gets the environment it was started in, but no credential of a DNS service or a CA (R64). */
function withoutSecrets(env: HookDeps["env"], redact: HookDeps["redact"]): Record<string, string | undefined> {
  // The last two are Huawei Cloud's key pair and acme-dns' accounts with their passwords.
  const named = /(SECRET|TOKEN|PASSWORD|HMAC|API_?KEY|ACCESS_KEY|_SDK_[AS]K|ACME_?DNS_ACCOUNTS)/i;
  // Only what is a secret as a whole: a short one may stand in PATH by chance.
  const isSecret = (value = "") => value.trim() !== "***" && redact(value.trim()) === "***";
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => !named.test(name) && !isSecret(value)));
}

function inWords(ms: number): string {
  return ms >= 60_000 && ms % 60_000 === 0 ? `${ms / 60_000} m` : `${ms / 1_000} s`;
}
