import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, stat, symlink, unlink } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { diskError, errno } from "./disk-errors.ts";
import { tooReadable } from "./private-file.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { readRegular, stateLimit } from "./read-limited.ts";

/** More than a certificate with its chain and key, and than most other files. */
const probeSize = 32 * 1024;

/** A network file system that is gone never answers, and no signal ends the thread that waits for it. */
const patienceMs = 60_000;

/** "journal" below journal/, "file" elsewhere; the kind of the step events. */
type Kind = "file" | "journal";

/**
 * File operations below the state folder. Each is all or nothing, durable on return, and announced by a step event
 * before and after, so that a test can kill the process at any of them.
 *
 * What is not finished lies in the folder `.tmp` of its area (`certificates/.tmp`, `journal/.tmp` …): on the same file
 * system as its place, also when an area is a mount of its own, and swept when its process is gone.
 */
export interface Disk {
  readonly root: string;
  readonly identity: ProcessIdentity;
  /** Creates it and what is missing above, 0700 each. */
  ensureDir(path: string): Promise<void>;
  /** Replaces the whole file by one rename; 0600 from its creation on. */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** A folder appears with all its files at once; ConfigError when `path` is there already. */
  writeDir(path: string, files: Readonly<Record<string, string>>): Promise<void>;
  /** Points a symbolic link somewhere else by one rename. */
  link(path: string, target: string): Promise<void>;
  /** Renames within an area. */
  move(from: string, to: string): Promise<void>;
  /** What is gone already is fine. */
  remove(path: string): Promise<void>;
  /** A folder disappears at once, whatever happens while its files are removed. */
  removeDir(path: string): Promise<void>;
  /** The text, or undefined when there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** Names in a folder, sorted, without those that start with a dot; none when there is no such folder. */
  list(path: string): Promise<readonly string[]>;
  /** Returns why the area cannot take a file, if so: writes one and removes it. */
  fault(area: string): Promise<Dns01Error | undefined>;
  /** A fresh path in the `.tmp` of the area that `path` lies in; the folder exists. */
  temporary(path: string): Promise<string>;
}

export function openDisk(root: string, identity: ProcessIdentity, observer: Observer): Disk {
  const warned = new Set<string>();
  const warnOnce = (text: string | undefined) => {
    if (text === undefined || warned.has(text)) return;
    warned.add(text);
    observer({ type: "warning", code: "W_FILE_MODE", text });
  };
  const shown = (path: string) => relative(root, path).split(sep).join("/");

  async function step<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
    const kind: Kind = shown(path).startsWith("journal/") ? "journal" : "file";
    const detail = `${operation} ${shown(path)}`;
    observer({ type: "step", kind, state: "before", detail });
    const result = await attempt(operation, path, work);
    observer({ type: "step", kind, state: "after", detail });
    return result;
  }

  async function ensureDir(path: string): Promise<void> {
    if (await isDir(path)) return;
    const parent = dirname(path);
    if (parent !== path) await ensureDir(parent);
    await step("create folder", path, async () => {
      try {
        await mkdir(path, 0o700);
      } catch (error) {
        if (errno(error) === "EEXIST" && (await isDir(path))) return;
        throw error;
      }
      // A umask that takes the owner's own bits would make a folder nobody can enter.
      if (process.platform !== "win32" && ((await stat(path)).mode & 0o700) !== 0o700) await chmod(path, 0o700);
      await syncDir(parent);
    });
  }

  async function temporary(path: string): Promise<string> {
    const area = join(root, shown(path).split("/")[0] ?? "", ".tmp");
    await ensureDir(area);
    return join(area, temporaryName(identity));
  }

  async function write(path: string, content: string | Uint8Array): Promise<void> {
    await ensureDir(dirname(path));
    const fresh = await temporary(path);
    await orGone(fresh, async () => {
      await step("write", path, () => createFile(fresh, content));
      await step("put in place", path, async () => {
        await rename(fresh, path);
        await syncDir(dirname(path));
      });
    });
  }

  async function writeDir(path: string, files: Readonly<Record<string, string>>): Promise<void> {
    await ensureDir(dirname(path));
    const fresh = await temporary(path);
    await orGone(fresh, async () => {
      await ensureDir(fresh);
      const writes = Object.entries(files).map(([name, text]) =>
        step("write", join(path, name), () => createFile(join(fresh, name), text)),
      );
      // Until the last has ended, or a file could come after the folder is gone.
      const failed = (await Promise.allSettled(writes)).find((end) => end.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      await step("put in place", path, async () => {
        await syncDir(fresh);
        await rename(fresh, path);
        await syncDir(dirname(path));
      });
    });
  }

  async function link(path: string, target: string): Promise<void> {
    const fresh = await temporary(path);
    await step("link", path, () => symlink(target, fresh, "dir"));
    await orGone(fresh, () =>
      step("switch", path, async () => {
        await rename(fresh, path);
        await syncDir(dirname(path));
      }),
    );
  }

  async function removeDir(path: string): Promise<void> {
    const trash = await temporary(path);
    await step("take away", path, async () => {
      await rename(path, trash);
      await syncDir(dirname(path));
    });
    await step("remove", path, () => rm(trash, { recursive: true, force: true }));
  }

  async function fault(area: string): Promise<Dns01Error | undefined> {
    try {
      await inTime("write", area, async () => {
        const probe = await temporary(join(area, "probe"));
        await orGone(probe, () => createFile(probe, Buffer.alloc(probeSize)));
        await rm(probe);
      });
      return undefined;
    } catch (error) {
      if (Dns01Error.is(error)) return error;
      throw error;
    }
  }

  return {
    root,
    fault,
    identity,
    ensureDir,
    temporary,
    write,
    writeDir,
    link,
    removeDir,
    move: (from, to) =>
      step("move", to, async () => {
        await rename(from, to);
        await syncDir(dirname(to));
        if (dirname(from) !== dirname(to)) await syncDir(dirname(from));
      }),
    remove: (path) =>
      step("remove", path, async () => {
        await unlink(path).catch(unless("ENOENT"));
        await syncDir(dirname(path)).catch(unless("ENOENT"));
      }),
    read: (path) =>
      reading(path, async () => {
        const check = isKey(path) ? (found: Stats) => warnOnce(tooReadable(path, found)) : undefined;
        return (await readRegular(path, stateLimit, check).catch(unless("ENOENT")))?.toString("utf8");
      }),
    list: (path) =>
      reading(path, async () => {
        const names = (await readdir(path).catch(unless("ENOENT"))) ?? [];
        return names.filter((name) => !name.startsWith(".")).sort();
      }),
  };
}

/** Runs a file operation; whatever it throws becomes an error that names the path and says what to do. */
export async function attempt<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(operation, path, error);
  }
}

/** Reads, for a limited time. */
export async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  return await inTime("read", path, work);
}

async function inTime<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  return await attempt(operation, path, async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })), patienceMs);
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  });
}

/** For `catch`: turns one code of the system into undefined, throws everything else. */
export function unless(code: string): (error: unknown) => undefined {
  return (error) => {
    if (errno(error) === code) return undefined;
    throw error;
  };
}

/** What fails half-way goes: it holds keys and room on a disk that may be full, and a daemon would keep it as long as it lives. */
async function orGone(fresh: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await rm(fresh, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** "PID.START.SPACE.RANDOM": says which process left it. */
function temporaryName({ pid, start, space }: ProcessIdentity): string {
  return [pid, start, space, randomBytes(6).toString("hex")].join(".");
}

/** Who made a temporary file; undefined when the name is none of ours. */
export function makerOf(name: string): Omit<ProcessIdentity, "host"> | undefined {
  const [, pid, start, space] = /^(\d+)\.(\d*)\.([0-9a-f]{12})\.[0-9a-f]{12}$/.exec(name) ?? [];
  return pid === undefined || start === undefined || space === undefined
    ? undefined
    : { pid: Number(pid), start, space };
}

/** "privkey.pem", "key.pem", "key.next.pem". */
function isKey(path: string): boolean {
  return /(?:^|[/\\])(?:priv)?key(?:\.next)?\.pem$/.test(path);
}

async function isDir(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/** Private from the first moment: the mode is given to open(2), which refuses what exists. */
async function createFile(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename or an unlink in this folder survive a power cut, where the file system has the notion. */
async function syncDir(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const dir = await open(path, "r");
  try {
    await dir.sync();
  } catch (error) {
    // Some network and FUSE file systems know no fsync of a folder.
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF"].includes(errno(error) ?? "")) throw error;
  } finally {
    await dir.close();
  }
}
