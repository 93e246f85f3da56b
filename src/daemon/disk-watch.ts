import type { Dns01Error } from "../core/errors.ts";

export interface DiskWatchOptions {
  readonly dir: string;
  /** Tries to write; returns why that fails. */
  readonly probe: () => Promise<Dns01Error | undefined>;
  readonly info: (text: string) => void;
  readonly warn: (text: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Knows whether the state folder can be written, and logs each change. */
export interface DiskWatch {
  /** Tries now. */
  check(): Promise<Dns01Error | undefined>;
  /** What the last try found, for people; undefined when it could write. */
  fault(): string | undefined;
}

export function createDiskWatch({ dir, probe, info, warn }: DiskWatchOptions): DiskWatch {
  let known: Dns01Error | undefined;
  let running: Promise<Dns01Error | undefined> | undefined;
  const text = (error: Dns01Error) => `the state folder ${dir} cannot be written: ${error.message}`;

  const check = async (): Promise<Dns01Error | undefined> => {
    const found = await probe();
    if (found !== undefined && found.message !== known?.message) {
      // Its hint is for a command that has ended: this one tries by itself.
      warn(`${text(found)}. It is tried again every minute.`, { code: found.code });
    }
    if (found === undefined && known !== undefined) info(`the state folder ${dir} can be written again`);
    known = found;
    return found;
  };

  return {
    // Many certificates that are due together share one try.
    check() {
      running ??= check().finally(() => {
        running = undefined;
      });
      return running;
    },
    fault: () => (known === undefined ? undefined : text(known)),
  };
}
