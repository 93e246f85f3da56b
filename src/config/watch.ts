import { type FSWatcher, watch } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { thrownText } from "../core/thrown.ts";
import { digestOf } from "./load.ts";
import { configLimit, readLimited } from "./read-limited.ts";

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
 */
export async function watchConfig<T>(file: string, options: WatchOptions<T>): Promise<ConfigWatch> {
  const { load, onChange, onFault, signal, clock = systemClock, settleMs = 200, pollMs = 30_000 } = options;
  let known = options.known ?? (await fingerprint(file));
  let running: Promise<void> | undefined;
  let again: "no" | "changed" | "always" = "no";

  const once = async (always: boolean): Promise<void> => {
    const before = await fingerprint(file);
    if (!always && before === known) return;
    known = before;
    try {
      const loaded = await load();
      if (!signal.aborted) await onChange(loaded);
    } catch (error) {
      if (!signal.aborted) onFault(error instanceof Error ? error : new Error(thrownText(error)));
    }
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

/** Says of a content whether it is the same; a file that is gone has one of its own. */
async function fingerprint(file: string): Promise<string> {
  try {
    return digestOf(await readLimited(file, configLimit));
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
  }
}

/** The folders on the way to the file: where it is named, and where a symbolic link leads. */
function watchFolders(onEvent: () => void) {
  const watchers = new Map<string, FSWatcher>();
  const drop = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    async follow(file: string): Promise<void> {
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
