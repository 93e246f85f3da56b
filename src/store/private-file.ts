import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";

/**
 * Returns a warning when a file with a secret can be read by more users than its owner, else undefined (also when there is
 * no such file). Files that a container platform mounts under /run/secrets are readable on purpose.
 */
export async function readableByOthers(path: string): Promise<string | undefined> {
  if (/^(\/var)?\/run\/secrets\//.test(resolve(path))) return undefined;
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? undefined : tooReadable(path, found);
}

/** The same for a file that was looked at. */
export function tooReadable(path: string, { mode, uid }: Pick<Stats, "mode" | "uid">): string | undefined {
  const who = whoMay(mode, uid, 0o4);
  return who === undefined
    ? undefined
    : `${path} holds a secret and can be read by ${who} (mode ${octal(mode)}); run: chmod 600 ${path}`;
}

/** Returns a warning when other users can put files of theirs in place of those in the state folder. */
export async function writableByOthers(dir: string): Promise<string | undefined> {
  const found = await stat(dir).catch(() => undefined);
  const who = found === undefined ? undefined : whoMay(found.mode, found.uid, 0o2);
  if (found === undefined || who === undefined) return undefined;
  const what = `the state folder ${dir} can be written by ${who} (mode ${octal(found.mode)})`;
  return `${what}: keys and certificates in it can be replaced; run: chmod 700 ${dir}`;
}

/** `right`: 4 to read, 2 to write. A group counts where this process has its right as the owner, or as root, and needs no group. */
function whoMay(mode: number, owner: number, right: number): string | undefined {
  if (process.platform === "win32") return undefined;
  if ((mode & right) !== 0) return "every user";
  const own = process.geteuid?.();
  return (mode & (right << 3)) !== 0 && (own === 0 || own === owner) ? "its group" : undefined;
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
