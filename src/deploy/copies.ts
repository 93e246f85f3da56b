import { execFile } from "node:child_process";
import { type FileHandle, mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { thrownText } from "../core/thrown.ts";
import type { CertificateFiles } from "../issuer/ports.ts";

/** Where the files are copied to, and whose they shall be. */
export interface Copies {
  readonly dir: string;
  readonly owner: string | undefined;
  readonly group: string | undefined;
  /** Of what holds the key: privkey.pem and certificate.pfx. The others are 0644. */
  readonly mode: number;
}

interface Copy {
  readonly target: string;
  readonly fresh: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

/** Whether the directory holds these very files, with their modes; owners cannot be told by name. */
export async function areCopied(to: Copies, files: CertificateFiles): Promise<boolean> {
  for (const { target, mode, bytes } of await copiesOf(to, files)) {
    const there = await readIfFile(target);
    if (there === undefined || !there.bytes.equals(bytes)) return false;
    if (process.platform !== "win32" && (there.mode & 0o777) !== mode) return false;
  }
  return true;
}

/** Undefined for what cannot be read; a pipe without a writer would be waited for without end. */
export async function readIfFile(path: string): Promise<{ readonly bytes: Buffer; readonly mode: number } | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? { bytes: await readFile(path), mode: found.mode } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Copies the certificate's files into a directory. All are written beside their targets first and then renamed, so that
 * a directory that cannot take one of them keeps its old set; the key is never readable for more than `mode` says.
 *
 * Owner and mode are set through the open file: whoever may write to the directory could put a link in its place, and
 * by a path root would give him the file that it leads to.
 */
export async function copyFiles(to: Copies, files: CertificateFiles, signal: AbortSignal): Promise<void> {
  const copies = await copiesOf(to, files);
  const opened: FileHandle[] = [];
  try {
    await makeFolder(to.dir);
    for (const { target } of copies) await refuseFolder(target);
    const ids = await idsOf(to, signal);
    for (const { fresh, bytes, mode } of copies) {
      await rm(fresh, { force: true });
      // Ours alone until it is the new owner's.
      const file = await open(fresh, "wx", mode & 0o600);
      opened.push(file);
      await file.writeFile(bytes);
      if (ids !== undefined) await file.chown(ids.uid, ids.gid).catch((error: unknown) => cannotGive(to, error));
      // After chown, which takes special bits away; whatever the umask.
      await file.chmod(mode);
      await file.sync();
    }
    for (const copy of copies) await rename(copy.fresh, copy.target);
  } catch (error) {
    await Promise.allSettled(copies.map(({ fresh }) => rm(fresh, { force: true })));
    throw error;
  } finally {
    await Promise.allSettled(opened.map((file) => file.close()));
  }
}

async function copiesOf(to: Copies, files: CertificateFiles): Promise<readonly Copy[]> {
  return await Promise.all(
    Object.entries(files).map(async ([kind, source]) => {
      const target = join(to.dir, kind === "pfx" ? "certificate.pfx" : `${kind}.pem`);
      const hasKey = kind === "privkey" || kind === "pfx";
      const bytes = await readFile(source);
      return { target, fresh: `${target}.${process.pid}.new`, mode: hasKey ? to.mode : 0o644, bytes };
    }),
  );
}

/** With what is missing above. Not by `recursive`: where mkdir says ENOENT though the parent is there, as in /proc, Node tries for ever. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      if (!(again instanceof Error && "code" in again && again.code === "EEXIST")) throw again;
    });
  }
}

async function refuseFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw new Error(`${path} is a directory`);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The numbers of owner and group, as the system's own program has them for a file that nobody else can reach: names of
 * users and groups may come from anywhere.
 */
async function idsOf(to: Copies, signal: AbortSignal): Promise<Ids | undefined> {
  if (to.owner === undefined && to.group === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "dns01-owner-"));
  try {
    const probe = join(folder, "probe");
    await writeFile(probe, "");
    await promisify(execFile)("chown", ["--", whomOf(to), probe], { signal });
    const { uid, gid } = await stat(probe);
    return { uid, gid: whomOf(to).includes(":") ? gid : -1 };
  } catch (error) {
    signal.throwIfAborted();
    cannotGive(to, error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function whomOf({ owner, group }: Copies): string {
  return `${owner ?? ""}${group === undefined ? "" : `:${group}`}`;
}

function cannotGive(to: Copies, error: unknown): never {
  const said = (error as { readonly stderr?: string }).stderr?.trim().split("\n")[0];
  const reason = said || thrownText(error);
  throw new Error(`cannot give the files to ${whomOf(to)}: ${reason}`, { cause: error });
}
