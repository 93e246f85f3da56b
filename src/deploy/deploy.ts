import { dirname, join } from "node:path";
import { HookError } from "../core/errors.ts";
import { thrownText } from "../core/thrown.ts";
import type { CertificateFiles, CertificateStore, DeployedVersion, StoredCertificate } from "../issuer/ports.ts";
import { areCopied, type Copies, copyFiles, readIfFile } from "./copies.ts";
import { type HookDeps, runHook } from "./hook.ts";
import { makePfx, opens, type PfxOptions } from "./pfx.ts";

const linesInError = 10;

/** What follows a new certificate, in this order. */
export interface Deployment {
  readonly pfx: PfxOptions | undefined;
  readonly out: Copies | undefined;
  readonly hook: { readonly command: string; readonly timeoutMs: number } | undefined;
}

export interface DeployDeps extends HookDeps {
  readonly certificates: CertificateStore;
  readonly now: () => Date;
  /** For the details of a failure: what the caller has to say about the certificate. */
  readonly result?: unknown;
}

export interface Deployed {
  /** With the PKCS #12 file where one was asked for. */
  readonly files: CertificateFiles;
  /** Whether the hook ran now; false when it had run for this version before, or there is none. */
  readonly hookRan: boolean;
}

/**
 * Brings the stored certificate to where it is used: PKCS #12 file, copies, hook. What is done already is not done again,
 * so this may be called after every run: a hook that failed, or that a crash prevented, is made up for, always with the
 * current version. Throws HookError, or the signal's reason; undefined when there is no such certificate.
 */
export async function deployStored(
  name: string,
  deployment: Deployment,
  deps: DeployDeps,
): Promise<Deployed | undefined> {
  const { certificates, signal, observer } = deps;
  const seen = await certificates.load(name);
  if (seen === undefined) return undefined;
  const state = await stateOf(seen, deployment, deps);
  if (state.isDone && !state.isFailing) return { files: state.files, hookRan: false };
  // Whoever holds the lock decides which version is the current one, until the hook has ended.
  const release = await certificates.lock(name, {
    signal,
    onWait: (holder) => observer({ type: "lock.wait", name, holder }),
  });
  try {
    const stored = await certificates.load(name);
    return stored === undefined ? undefined : await deployNoted(stored, deployment, deps);
  } finally {
    await release();
  }
}

/** For `list` and `show`: what failed is noted beside the version until it succeeds. */
async function deployNoted(stored: StoredCertificate, deployment: Deployment, deps: DeployDeps): Promise<Deployed> {
  const { certificates } = deps;
  const { name } = stored.meta;
  try {
    const deployed = await deployLocked(stored, deployment, deps);
    const { failure, ...done } = (await certificates.loadDeployed(name)) ?? {};
    if (failure !== undefined) await certificates.saveDeployed(name, { ...never, ...done });
    return deployed;
  } catch (error) {
    if (error instanceof HookError) await noteFailure(stored, error, deps);
    throw error;
  }
}

const never: DeployedVersion = { version: "", at: "" };

/** A disk that does not take it must not hide why the deployment failed. */
async function noteFailure({ meta, version }: StoredCertificate, error: HookError, deps: DeployDeps): Promise<void> {
  const { certificates, observer } = deps;
  try {
    const before = (await certificates.loadDeployed(meta.name)) ?? never;
    const count = before.failure?.version === version ? before.failure.count + 1 : 1;
    const { code, message } = error;
    const failure = { version, at: deps.now().toISOString(), code, message, count };
    await certificates.saveDeployed(meta.name, { ...before, failure });
  } catch (cause) {
    observer({ type: "log", level: "warn", text: `the failed deployment is not recorded: ${thrownText(cause)}` });
  }
}

async function deployLocked(stored: StoredCertificate, deployment: Deployment, deps: DeployDeps): Promise<Deployed> {
  const { out, hook, pfx } = deployment;
  const state = await stateOf(stored, deployment, deps);
  const { files } = state;
  if (pfx !== undefined && !state.hasPfx) await writePfx(stored, pfx, deps);
  if (out !== undefined && !state.isCopied) await copy(out, files, deps);
  if (hook === undefined || state.hookDone) return { files, hookRan: false };
  await run(hook, { meta: stored.meta, files }, deps);
  const at = deps.now().toISOString();
  await deps.certificates.saveDeployed(stored.meta.name, { version: stored.version, at });
  return { files, hookRan: true };
}

interface State {
  readonly files: CertificateFiles;
  readonly hasPfx: boolean;
  readonly isCopied: boolean;
  readonly hookDone: boolean;
  readonly isDone: boolean;
  /** An earlier try to deploy failed, and something is to be deployed. */
  readonly isFailing: boolean;
}

async function stateOf(stored: StoredCertificate, { pfx, out, hook }: Deployment, deps: DeployDeps): Promise<State> {
  const { pfx: _, ...pem } = stored.files;
  const path = join(dirname(pem.fullchain), "certificate.pfx");
  const files = pfx === undefined ? pem : { ...pem, pfx: path };
  const hasPfx = pfx === undefined || (await opens((await readIfFile(path))?.bytes, pfx));
  const isCopied = out === undefined || (hasPfx && !isGivenAway(out) && (await areCopied(out, files)));
  const isNothing = pfx === undefined && out === undefined && hook === undefined;
  const done = isNothing ? undefined : await deps.certificates.loadDeployed(stored.meta.name);
  const hookDone = hook === undefined || done?.version === stored.version;
  const isFailing = done?.failure !== undefined;
  return { files, hasPfx, isCopied, hookDone, isDone: hasPfx && isCopied && hookDone, isFailing };
}

/** Whose a file is cannot be compared by name: it is copied again. */
function isGivenAway({ owner, group }: Copies): boolean {
  return owner !== undefined || group !== undefined;
}

async function writePfx(stored: StoredCertificate, pfx: PfxOptions, deps: DeployDeps): Promise<void> {
  const { name } = stored.meta;
  const { privkey, cert, chain } = stored.pem;
  if (privkey === undefined) {
    throw failed(name, "no PKCS #12 file can be made of it: its key came with --csr and is not here", deps, {
      hint: "Leave --pfx-password-file out, or make the file where the key is: openssl pkcs12 -export.",
    });
  }
  await deps.certificates.addFile(
    name,
    stored.version,
    "certificate.pfx",
    makePfx({ privkey, cert, chain }, name, pfx),
  );
}

async function copy(out: Copies, files: CertificateFiles, deps: DeployDeps): Promise<void> {
  try {
    await copyFiles(out, files, deps.signal);
  } catch (error) {
    deps.signal.throwIfAborted();
    const reason = thrownText(error);
    throw failed(undefined, `it could not be copied to ${out.dir}: ${reason}`, deps, {
      hint: "Make the directory writable and run the same command again: nothing is ordered twice.",
      cause: error,
    });
  }
}

async function run(
  hook: NonNullable<Deployment["hook"]>,
  certificate: Pick<StoredCertificate, "meta" | "files">,
  deps: DeployDeps,
): Promise<void> {
  const { observer } = deps;
  observer({ type: "phase", phase: "hook", state: "start", detail: hook.command });
  const fault = await runHook(hook, certificate, deps);
  observer({ type: "phase", phase: "hook", state: fault === undefined ? "done" : "failed" });
  if (fault !== undefined) {
    const said = lastLines(fault.output);
    throw failed(certificate.meta.name, `the deploy hook ${fault.text}: ${hook.command}${said}`, deps, {
      hint: "Mend the command and run the same dns01 command again: the hook is run for this certificate, and nothing is ordered.",
      output: fault.output,
    });
  }
}

/** Where nobody follows the log, the error has to say why. */
function lastLines(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const last = lines.slice(-linesInError);
  const cut = lines.length > last.length ? ["  …"] : [];
  return ["", ...cut, ...last.map((line) => `  hook: ${line.trimEnd()}`)].join("\n");
}

function failed(
  name: string | undefined,
  what: string,
  { result }: DeployDeps,
  more: { readonly hint: string; readonly output?: string; readonly cause?: unknown },
): HookError {
  const { hint, output = "", cause } = more;
  return new HookError(`the certificate${name === undefined ? "" : ` ${name}`} is stored, but ${what}`, {
    operation: "deploy",
    hint,
    details: {
      ...(result === undefined ? {} : { certificate: result }),
      ...(output === "" ? {} : { output }),
    },
    cause,
  });
}
