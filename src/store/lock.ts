import { randomBytes } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { abortReason, type Clock } from "../core/clock.ts";
import { LockedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { LockOptions, Release } from "../issuer/ports.ts";
import { attempt, type Disk, unless } from "./disk.ts";
import { errno } from "./disk-errors.ts";
import { freeToken, type Holder, heldToken, holderOf, textOf } from "./lock-token.ts";
import { lifeOf } from "./process-identity.ts";
import { unblocked } from "./read-limited.ts";

export interface LockSettings {
  /** How often a holder shows that it lives. */
  readonly heartbeatMs: number;
  /** A holder of which nothing else can be known counts as gone after this long without a heartbeat. */
  readonly staleMs: number;
}

export interface Locks {
  /** `key` is a path segment, `label` what the lock is called in messages. */
  acquire(key: string, label: string, options: LockOptions): Promise<Release>;
  /** Gives back whatever is held. */
  close(): Promise<void>;
}

/**
 * Locks that need no daemon, no flock and no human after a crash.
 *
 * `locks/KEY/` holds exactly one file, the token, whose name says who has it: `free` or `held,pid=…,host=…`. Taking,
 * giving back and taking over from the dead are each one rename of one particular name, so of any number of contenders
 * exactly one succeeds and the rest find the name gone; that holds on network file systems, too. The folder appears with
 * its token by one rename and is never removed, so that there never are two.
 */
export function openLocks(
  disk: Disk,
  deps: {
    readonly observer: Observer;
    readonly clock: Clock;
    readonly purpose: string;
    readonly settings: LockSettings;
  },
): Locks {
  const { observer, clock, settings } = deps;
  const held = new Map<string, Release>();

  async function acquire(key: string, label: string, { signal, onWait, timeoutMs }: LockOptions): Promise<Release> {
    const folder = join(disk.root, "locks", key);
    const started = clock.now();
    const seen = new Map<string, { readonly mtimeMs: number; readonly since: number }>();
    let waits = 0;
    for (;;) {
      if (signal.aborted) throw abortReason(signal);
      const token = await presentToken(disk, folder);
      const holder = token === undefined ? undefined : holderOf(token);
      if (token !== undefined && (token === freeToken || (await isGone(folder, token, holder, seen)))) {
        const mine = await take(folder, token, label);
        if (mine !== undefined) {
          if (token !== freeToken) {
            observer({
              type: "log",
              level: "info",
              text: `took over the lock of ${label} from ${textOf(holder)}, which is gone`,
            });
          }
          return keep(folder, mine, label);
        }
        continue;
      }
      if (token === undefined) {
        // In the middle of somebody's rename, a listing may show neither name.
        await clock.sleep(5, signal);
        continue;
      }
      const left = timeoutMs === undefined ? Number.POSITIVE_INFINITY : timeoutMs - (clock.now() - started);
      if (left <= 0) throw lockedError(label, holder, timeoutMs ?? 0);
      if (waits === 0) onWait?.(textOf(holder));
      waits += 1;
      await clock.sleep(Math.min(left, Math.min(250, 20 * waits) * (0.75 + clock.random() / 2)), signal);
    }
  }

  /** Whether the holder is known to have died, or has given no sign for too long. */
  async function isGone(
    folder: string,
    token: string,
    holder: Holder | undefined,
    seen: Map<string, { readonly mtimeMs: number; readonly since: number }>,
  ): Promise<boolean> {
    const life = holder === undefined ? "unknown" : await lifeOf(holder, disk.identity);
    if (life !== "unknown") return life === "dead";
    const mtimeMs = await mtimeOf(join(folder, token));
    if (mtimeMs === undefined) return false;
    // Both times are the file server's own, so clocks of different machines do not matter …
    if ((await serverTime(disk, folder)) - mtimeMs > settings.staleMs) return true;
    // … and a clock that was set back does not keep a dead holder alive.
    const before = seen.get(token);
    if (before?.mtimeMs === mtimeMs) return clock.now() - before.since > settings.staleMs;
    seen.set(token, { mtimeMs, since: clock.now() });
    return false;
  }

  /** The path of our token, or undefined when somebody else was quicker. */
  async function take(folder: string, token: string, label: string): Promise<string | undefined> {
    const path = join(folder, token);
    const mine = join(folder, heldToken(disk.identity, deps.purpose, randomBytes(6).toString("hex")));
    // Renaming keeps the time of the last heartbeat: a fresh one first, or others would take it for stale.
    await attempt("lock", path, () => touch(path));
    const detail = `lock ${label}`;
    observer({ type: "step", kind: "file", state: "before", detail });
    const isMine = await attempt("lock", path, () => renamed(path, mine));
    if (isMine) observer({ type: "step", kind: "file", state: "after", detail });
    return isMine ? mine : undefined;
  }

  function keep(folder: string, mine: string, label: string): Release {
    const lost = () =>
      observer({
        type: "warning",
        code: "W_LOCK_LOST",
        text: `the lock of ${label} was taken over by another process, because this one gave no sign of life for more than ${settings.staleMs / 1000} s`,
      });
    const beat = setInterval(() => {
      touch(mine).then(
        (there) => {
          if (there || !held.has(mine)) return;
          clearInterval(beat);
          lost();
        },
        // A disk that is full or away for a moment: the next beat tries again.
        () => {},
      );
    }, settings.heartbeatMs);
    beat.unref();
    const release = async () => {
      if (!held.delete(mine)) return;
      clearInterval(beat);
      const detail = `unlock ${label}`;
      observer({ type: "step", kind: "file", state: "before", detail });
      try {
        if (!(await attempt("unlock", mine, () => renamed(mine, join(folder, freeToken))))) lost();
        observer({ type: "step", kind: "file", state: "after", detail });
      } catch (error) {
        // Nothing is spoilt: the lock is taken over when this process has ended.
        const said = error instanceof Error ? error.message : String(error);
        observer({ type: "log", level: "warn", text: `the lock of ${label} could not be given back: ${said}` });
      }
    };
    held.set(mine, release);
    return release;
  }

  return {
    acquire,
    async close() {
      await Promise.all([...held.values()].map((release) => release()));
    },
  };
}

/** The token's name; undefined when a listing shows none. Makes the folder if it is not there. */
async function presentToken(disk: Disk, folder: string): Promise<string | undefined> {
  const tokens = await attempt("lock", folder, async () => (await readdir(folder).catch(unless("ENOENT"))) ?? []);
  // Two only after a backup was copied over: everybody looks at a holder first, and at the same one.
  const token = tokens
    .filter((name) => name === freeToken || name.startsWith("held,"))
    .sort()
    .reverse()[0];
  if (token !== undefined) return token;
  const fresh = await disk.temporary(folder);
  await disk.ensureDir(fresh);
  await attempt("lock", fresh, async () => {
    const file = await open(join(fresh, freeToken), "wx", 0o600);
    await file.close();
    // Fails when the folder has a token by now: a folder is never renamed over one that is not empty.
    await rename(fresh, folder).catch((error) => {
      const taken = process.platform === "win32" ? ["EPERM", "EACCES", "EEXIST"] : ["ENOTEMPTY", "EEXIST"];
      if (!taken.includes(errno(error) ?? "")) throw error;
    });
    await rm(fresh, { recursive: true, force: true });
  });
  return undefined;
}

/** One rename; false when `from` is gone. An answer lost by a network file system shows in `to` being there. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errno(error) !== "ENOENT") throw error;
    return (await mtimeOf(to)) !== undefined && !to.endsWith(freeToken);
  }
}

/** Writes one octet, which sets the time of the file server; false when the file is gone. */
async function touch(path: string): Promise<boolean> {
  const file = await open(path, "r+").catch(unless("ENOENT"));
  if (file === undefined) return false;
  try {
    await file.write("\n", 0);
    return true;
  } finally {
    await file.close();
  }
}

/** Opened rather than only looked at: that makes a network file system ask its server. */
async function mtimeOf(path: string): Promise<number | undefined> {
  const file = await open(path, unblocked).catch(unless("ENOENT"));
  if (file === undefined) return undefined;
  try {
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
  }
}

async function serverTime(disk: Disk, folder: string): Promise<number> {
  const probe = await disk.temporary(folder);
  const file = await attempt("lock", probe, () => open(probe, "wx", 0o600));
  try {
    await file.write("\n", 0);
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
    await rm(probe, { force: true });
  }
}

function lockedError(label: string, holder: Holder | undefined, timeoutMs: number): LockedError {
  const waited = timeoutMs > 0 ? ` after waiting ${timeoutMs / 1000} s` : "";
  return new LockedError(`${label} is locked by ${textOf(holder)}${waited}`, {
    operation: "lock",
    hint: "Wait for it to finish, or stop it; a lock whose process is gone is taken over by itself.",
    details: { holder: holder ?? "unknown" },
  });
}
