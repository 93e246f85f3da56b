import { lstat, readlink, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { type Disk, reading } from "./disk.ts";
import { damaged, errno } from "./disk-errors.ts";
import { freshVersion, metaKind, readVersion, setAsideVersion, type Version } from "./version.ts";

/** What stands at `current`: the target of a link that leads to a folder, or what is wrong with it. */
export type Current = { readonly target: string } | { readonly fault: "missing" | "dangling" | "folder" };

/** The version that counts. */
export interface CurrentVersion {
  /** Relative to the certificate's folder. */
  readonly path: string;
  /** False on a read-only disk with a copy that has no link. */
  readonly isLinked: boolean;
}

export async function lookAtCurrent(folder: string): Promise<Current> {
  const current = join(folder, "current");
  return await reading(current, async () => {
    const there = await lstat(current).catch(unlessNothing);
    if (there === undefined) return { fault: "missing" };
    if (there.isDirectory()) return { fault: "folder" };
    // Some archives make a file of a link.
    const leadsTo = there.isSymbolicLink() ? await stat(current).catch(unlessNothing) : undefined;
    return leadsTo?.isDirectory() === true ? { target: await readlink(current) } : { fault: "dangling" };
  });
}

/** False for a folder with an order in work and nothing else. */
export async function isStored(disk: Disk, folder: string): Promise<boolean> {
  if (await isThere(join(folder, "current"))) return true;
  if (await isThere(join(folder, "meta.json"))) return true;
  const versions = join(folder, "versions");
  return (await isThere(versions)) && (await disk.list(versions)).length > 0;
}

/**
 * Returns the version that counts, or undefined when none is stored. A copy made without symbolic links has no `current`,
 * or a folder in its place: the link is made again and a warning says so. Throws when no version is whole.
 */
export async function currentVersion(
  disk: Disk,
  folder: string,
  found: Current,
  observer: Observer,
): Promise<CurrentVersion | undefined> {
  if ("target" in found) return { path: found.target, isLinked: true };
  const current = join(folder, "current");
  if (found.fault === "folder" && (await disk.list(current)).length > 0)
    return await replaceFolder(disk, folder, observer);
  if (!(await isStored(disk, folder))) return undefined;
  const fault = { missing: "the link is missing", dangling: "it leads to no folder", folder: "it is an empty folder" };
  let path = await newestWhole(disk, folder);
  if (path === undefined) {
    const nothing = `${fault[found.fault]}, and ${join(folder, "versions")} holds no whole version`;
    throw damaged(current, nothing, metaKind.remedy);
  }
  try {
    // Another process may have stored and linked a newer version in between.
    for (let linked = ""; linked !== path; path = (await newestWhole(disk, folder)) ?? path) {
      await pointTo(disk, folder, path);
      linked = path;
    }
  } catch (error) {
    if (!Dns01Error.is(error)) throw error;
    warn(observer, current, `${fault[found.fault]}, and cannot be repaired (${error.message}); reading ${path}`);
    return { path, isLinked: false };
  }
  warn(observer, current, `${fault[found.fault]}; repaired: it leads to ${path}, the newest whole version`);
  return { path, isLinked: true };
}

/** Points `current` to the version, and `meta.json` through it. */
export async function pointTo(disk: Disk, folder: string, version: string): Promise<void> {
  const current = join(folder, "current");
  const meta = join(folder, "meta.json");
  const there = await reading(meta, () => lstat(meta).catch(unlessNothing));
  if (there?.isSymbolicLink() !== true) await disk.link(meta, join("current", "meta.json"));
  const found = await lookAtCurrent(folder);
  // A folder cannot be replaced by a rename: it becomes the oldest version.
  if ("fault" in found && found.fault === "folder") await disk.move(current, join(folder, setAsideVersion()));
  await disk.link(current, version);
}

/** A copy whose links were followed: the set in the folder stays the one that counts. */
async function replaceFolder(disk: Disk, folder: string, observer: Observer): Promise<CurrentVersion> {
  const current = join(folder, "current");
  const set = await readVersion(disk, current, current);
  try {
    let path = await versionWith(disk, folder, set);
    if (path === undefined) {
      path = await freshVersion(disk, folder, new Date(set.meta.issuedAt), set.meta.serial);
      await disk.ensureDir(join(folder, "versions"));
      await disk.move(current, join(folder, path));
    }
    await pointTo(disk, folder, path);
    warn(observer, current, `it was a folder; repaired: it leads to ${path}, the same version`);
    return { path, isLinked: true };
  } catch (error) {
    if (!Dns01Error.is(error)) throw error;
    // A read-only copy serves as it is.
    return { path: "current", isLinked: true };
  }
}

async function newestWhole(disk: Disk, folder: string): Promise<string | undefined> {
  return await findVersion(disk, folder, () => true);
}

async function versionWith(disk: Disk, folder: string, set: Version): Promise<string | undefined> {
  const text = (version: Version) => JSON.stringify([version.meta, version.pem]);
  return await findVersion(disk, folder, (version) => text(version) === text(set));
}

/** The newest whole version that is meant. */
async function findVersion(
  disk: Disk,
  folder: string,
  isMeant: (version: Version) => boolean,
): Promise<string | undefined> {
  for (const id of (await disk.list(join(folder, "versions"))).toReversed()) {
    const path = join("versions", id);
    try {
      if (isMeant(await readVersion(disk, resolve(folder, path), join(folder, path)))) return path;
    } catch (error) {
      // A version that cannot be read now may still be whole.
      if (!Dns01Error.is(error) || error.details?.["errno"] !== undefined) throw error;
    }
  }
  return undefined;
}

function warn(observer: Observer, current: string, what: string): void {
  observer({ type: "warning", code: "W_CURRENT", text: `${current}: ${what}` });
}

async function isThere(path: string): Promise<boolean> {
  return (await reading(path, () => lstat(path).catch(unlessNothing))) !== undefined;
}

function unlessNothing(error: unknown): undefined {
  if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errno(error) ?? "")) return undefined;
  throw error;
}
