import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { thrownText } from "../core/thrown.ts";
import { configLimit, isPipe, readLimited } from "../store/files.ts";
import { digestOf } from "./load.ts";

export interface WatchOptions<T> {
  /** Makes something of the file as it is now; throws ConfigError when it is broken. */
  readonly load: () => Promise<T>;
  /** The file has changed and is sound. */
  readonly onChange: (loaded: T) => void | Promise<void>;
  /** The file has changed and is broken; told once for each content. What was loaded before still holds. */
  readonly onFault: (error: Error) => void;
  readonly signal: AbortSignal;
  /** LoadedConfig.digest of what is in force, so that a change since then is not missed. */
  readonly known?: string | undefined;
  /**
   * Files that what is in force was made of besides, asked for anew each time: a secret that was exchanged is to count
   * before it is needed. They are compared at every look, without being read.
   */
  readonly others?: () => Iterable<string>;
  readonly clock?: Clock;
  /** Editors write in several steps; this long nothing may happen before the file is read. */
  readonly settleMs?: number;
  /** Looked at anyway this often: file systems of other machines do not tell. */
  readonly pollMs?: number;
}

export interface ConfigWatch {
  /** Loads now, also when the file is as it was (what it refers to may have changed): SIGHUP. Never rejects. */
  reload(): Promise<void>;
}

/**
 * Watches a configuration file until the signal fires, however it is replaced: written in place, renamed over, or behind
 * a symbolic link that is switched, as Kubernetes does. One load at a time; changes meanwhile lead to one more.
 * Without a file there are only the others.
 */
export async function watchConfig<T>(file: string | undefined, options: WatchOptions<T>): Promise<ConfigWatch> {
  const { load, onChange, onFault, signal, clock = systemClock, settleMs = 200, pollMs = 30_000 } = options;
  const others = options.others ?? (() => []);
  let known = file !== undefined && (await isPipe(file)) ? pipe : (options.known ?? (await fingerprint(file)));
  let stamps = await stampsOf(others());
  let running: Promise<void> | undefined;
  let again: "no" | "changed" | "always" = "no";

  const once = async (always: boolean): Promise<void> => {
    const before = await fingerprint(file);
    let now = await stampsOf(others());
    if (!always && before === known) {
      const isSame = !differ(stamps, now);
      // Some become known only later.
      stamps = new Map([...now, ...stamps]);
      if (isSame) return;
      // Caught in the middle of being written, perhaps.
      await clock.sleep(settleMs, signal).catch(() => {});
      if (signal.aborted) return;
      now = await stampsOf(others());
    }
    known = before;
    try {
      const loaded = await load();
      if (!signal.aborted) await onChange(loaded);
    } catch (error) {
      if (!signal.aborted) onFault(error instanceof Error ? error : new Error(thrownText(error)));
    }
    // As they were before they were read: what changed meanwhile is a change.
    stamps = new Map([...(await stampsOf(others())), ...now]);
  };
  const run = (always: boolean): Promise<void> => {
    if (running !== undefined) {
      if (again !== "always") again = always ? "always" : "changed";
      return running;
    }
    running = (async () => {
      await once(always);
      while (again !== "no" && !signal.aborted) {
        const next = again;
        again = "no";
        await once(next === "always");
      }
    })().finally(() => {
      running = undefined;
    });
    return running;
  };

  let turn = 0;
  const settle = async (): Promise<void> => {
    turn += 1;
    const own = turn;
    await clock.sleep(settleMs, signal);
    if (own === turn) await look();
  };
  const folders = watchFolders(() => void settle().catch(() => {}));
  const look = async () => {
    await folders.follow(file);
    await run(false);
  };
  await folders.follow(file);
  signal.addEventListener("abort", () => folders.close(), { once: true });
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(pollMs, signal);
      await look();
    }
  })().catch(() => {});
  return { reload: () => run(true) };
}

/** The fingerprint of a pipe, which gives its content once: it is not read for a look. */
const pipe = "pipe";

/** Says of a content whether it is the same; a file that is gone has one of its own. */
async function fingerprint(file: string | undefined): Promise<string> {
  if (file === undefined) return "";
  if (await isPipe(file)) return pipe;
  try {
    return digestOf(await readLimited(file, configLimit));
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
  }
}

/** Says of files whether they are the same, without reading them; a pipe, which gives its secret once, is always. */
async function stampsOf(files: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const all = [...new Set(files)].map(async (file): Promise<[string, string]> => {
    try {
      const there = await stat(file);
      return [file, there.isFile() ? `${there.ino} ${there.size} ${there.mtimeMs}` : "no file"];
    } catch (error) {
      return [file, error instanceof Error && "code" in error ? String(error.code) : "unreadable"];
    }
  });
  return new Map(await Promise.all(all));
}

function differ(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): boolean {
  return [...now].some(([file, stamp]) => before.has(file) && before.get(file) !== stamp);
}

/** The folders on the way to the file: where it is named, and where a symbolic link leads. */
function watchFolders(onEvent: () => void) {
  const watchers = new Map<string, FSWatcher>();
  const drop = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    async follow(file: string | undefined): Promise<void> {
      if (file === undefined) return;
      const target = await realpath(file).catch(() => resolve(file));
      const wanted = new Set([dirname(resolve(file)), dirname(target)]);
      for (const folder of watchers.keys()) if (!wanted.has(folder)) drop(folder);
      for (const folder of wanted) {
        if (watchers.has(folder)) continue;
        try {
          const watcher = watch(folder, { persistent: false }, (_, name) => {
            // "..data" is the link that Kubernetes switches. Logs beside the file are nobody's change.
            if (name === null || name.startsWith("..") || name === basename(file) || name === basename(target))
              onEvent();
          });
          watcher.on("error", () => drop(folder));
          watchers.set(folder, watcher);
        } catch {
          // No more watches, or no such folder now: the regular look remains.
        }
      }
    },
    close(): void {
      for (const folder of [...watchers.keys()]) drop(folder);
    },
  };
}
