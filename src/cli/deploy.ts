import { spawn } from "node:child_process";
import { copyFile, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HookError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { CertificateFiles } from "../issuer/ports.ts";
import type { IssueResult } from "../issuer/request.ts";

const HOOK_TIMEOUT_MS = 120_000;
const OUTPUT_LIMIT = 4_000;

/** Copies the certificate's files into a directory, each by an atomic rename; the key is 0600 from its creation. */
export async function copyTo(dir: string, files: CertificateFiles): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    for (const [kind, path] of Object.entries(files)) {
      const target = join(dir, `${kind}.pem`);
      const fresh = `${target}.${process.pid}.new`;
      if (kind === "privkey") {
        await rm(fresh, { force: true });
        const file = await open(fresh, "wx", 0o600);
        await file.writeFile(await readFile(path));
        await file.close();
      } else await copyFile(path, fresh);
      await rename(fresh, target);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HookError(`the certificate is stored, but could not be copied to ${dir}: ${reason}`, {
      operation: "copy",
      hint: "Make the directory given by --out writable and run the same command again: nothing is ordered twice.",
      cause: error,
    });
  }
}

/** Runs the hook by `sh -c`; answers what went wrong, or undefined. */
export async function runDeployHook(
  command: string,
  result: IssueResult,
  deps: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal;
    readonly observer: Observer;
  },
): Promise<string | undefined> {
  const fullchain = result.files?.fullchain ?? "";
  const signal = AbortSignal.any([deps.signal, AbortSignal.timeout(HOOK_TIMEOUT_MS)]);
  return await new Promise((resolve) => {
    const child = spawn("sh", ["-c", command], {
      signal,
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
    child.on("error", (error) => {
      const late = deps.signal.aborted
        ? "was stopped"
        : signal.aborted
          ? "did not end within 2 minutes"
          : `could not run: ${error.message}`;
      resolve(`deploy hook ${late}: ${command}`);
    });
    child.on("close", (status, by) => {
      if (output.trim() !== "") deps.observer({ type: "log", level: "info", text: `hook: ${output.trim()}` });
      resolve(status === 0 ? undefined : `deploy hook failed with ${by ?? `status ${status}`}: ${command}`);
    });
  });
}

/** A hook gets the environment it was started in, but no credential of a DNS service or a CA (R64). */
function withoutSecrets(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const secret = /(SECRET|TOKEN|PASSWORD|HMAC|API_?KEY|ACCESS_KEY)/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.test(name)));
}
