import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makerOf } from "./disk.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { lifeOf } from "./process-identity.ts";

/** Longer than any write takes: for what a process on another machine left. */
const oldMs = 3_600_000;

/**
 * Removes what crashed processes left in the `.tmp` of each area. Half-written files hold key material, so they should not
 * stay; nothing depends on their removal, so a folder that cannot be written is no error.
 */
export async function sweep(root: string, areas: readonly string[], own: ProcessIdentity): Promise<void> {
  for (const area of areas) {
    const folder = join(root, area, ".tmp");
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      if (await isLeft(name, path, own)) await rm(path, { recursive: true, force: true }).catch(() => {});
    }
  }
}

async function isLeft(name: string, path: string, own: ProcessIdentity): Promise<boolean> {
  const maker = makerOf(name);
  const life = maker === undefined ? "unknown" : await lifeOf(maker, own);
  if (life !== "unknown") return life === "dead";
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > oldMs;
}
