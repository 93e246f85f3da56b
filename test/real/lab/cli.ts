import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Algorithm } from "./keys.ts";
import type { Lab } from "./lab.ts";

/** The built command line; `npm run build` makes it. DNS01_TEST_CLI names another copy, an installed one for example. */
export const cliFile = process.env["DNS01_TEST_CLI"] ?? builtCli(fileURLToPath(import.meta.url));

/** What package.json above `path` calls `dns01`: this module runs from its source and, in the benchmarks, compiled. */
function builtCli(path: string): string {
  const up = dirname(path);
  const manifest = join(up, "package.json");
  if (existsSync(manifest)) {
    const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly bin: { readonly dns01: string } };
    return join(up, bin.dns01);
  }
  if (up === path) throw new Error("no package.json above the lab");
  return builtCli(up);
}

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

export interface Running {
  readonly child: ChildProcess;
  /** What came so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly done: Promise<Finished>;
}

export type Env = Readonly<Record<string, string | undefined>>;

const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts `dns01 …args` as users do, with nothing of this process's environment but PATH. */
export function startCli(args: readonly string[], env: Env, cwd = process.cwd()): Running {
  if (!existsSync(cliFile)) throw new Error(`${cliFile} is missing: run npm run build first`);
  const begun = performance.now();
  const child = spawn(process.execPath, [cliFile, ...args], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: cwd, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  }
  const done = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      children.delete(child);
      resolve({ status, signal, ...text, elapsedMs: performance.now() - begun });
    });
  });
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, done };
}

/** Runs it to its end. */
export function cli(args: readonly string[], env: Env, cwd?: string): Promise<Finished> {
  return startCli(args, env, cwd).done;
}

/** Environment for the lab: CA, resolver, port and the provider's credentials; every call has a new state directory. */
export function labEnv(
  lab: Lab,
  options: { readonly ca?: string; readonly state?: string; readonly algorithm?: Algorithm } = {},
): Record<string, string> {
  const key = lab.keys[options.algorithm ?? "hmac-sha256"];
  const primary = lab.publicAt("knot");
  return {
    DNS01_CA: options.ca ?? lab.ca.directory,
    DNS01_CA_ROOT: lab.ca.apiRootFile,
    DNS01_RESOLVER: `${lab.resolver.address}:${lab.resolver.port}`,
    DNS01_DNS_PORT: String(lab.port),
    DNS01_STATE: options.state ?? newState(lab),
    RFC2136_NAMESERVER: `${primary.address}:${primary.port}`,
    RFC2136_TSIG_KEY_NAME: key.name,
    RFC2136_TSIG_SECRET: key.secret,
    RFC2136_TSIG_ALGORITHM: key.algorithm,
  };
}

export function newState(lab: Lab): string {
  return join(mkdtempSync(join(lab.dir, "state-")), "state");
}

/** Arguments of an issuance of `domains` with the result as JSON. */
export function issueArgs(domains: readonly string[], ...more: readonly string[]): readonly string[] {
  return ["issue", "-p", "rfc2136", "--json", ...domains.flatMap((domain) => ["-d", domain]), ...more];
}
