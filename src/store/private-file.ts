import { stat } from "node:fs/promises";
import { resolve } from "node:path";

/**
 * A warning when a file with a secret can be read by every user of the machine, else undefined (also when there is no
 * such file). Files a container platform mounts under /run/secrets are its business: it makes them readable on purpose.
 */
export async function readableByOthers(path: string): Promise<string | undefined> {
  if (process.platform === "win32" || /^(\/var)?\/run\/secrets\//.test(resolve(path))) return undefined;
  const mode = (await stat(path).catch(() => undefined))?.mode ?? 0;
  if ((mode & 0o004) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  return `${path} holds a secret and can be read by every user (mode ${octal}); run: chmod 600 ${path}`;
}
