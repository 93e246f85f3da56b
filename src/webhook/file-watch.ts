import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

export interface FileWatch {
  readonly paths: readonly string[];
  /** Called soon after something in the files' folders has changed, and now and then in any case. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
  /** Default a minute: not every file system tells. */
  readonly everyMs?: number;
  /** Default 100 ms: files of a pair are written one after the other. */
  readonly settleMs?: number;
}

/** Watches the folders, not the files: Kubernetes swaps a symbolic link beside them. */
export function watchFiles({ paths, onChange, signal, everyMs = 60_000, settleMs = 100 }: FileWatch): void {
  if (signal.aborted) return;
  let settle: NodeJS.Timeout | undefined;
  const later = () => {
    clearTimeout(settle);
    settle = setTimeout(onChange, settleMs);
  };
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    try {
      // A folder that goes away ends its watcher; the timer below looks again.
      watchers.push(watch(folder, later).on("error", () => {}));
    } catch {
      // Too many watchers on this machine, for example: the timer is left.
    }
  }
  const timer = setInterval(onChange, everyMs);
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(settle);
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    },
    { once: true },
  );
}
