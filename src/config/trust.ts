import { lstat, readFile, readlink } from "node:fs/promises";
import { dirname, isAbsolute, join, parse, resolve, sep } from "node:path";

interface Step {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly isLink: boolean;
  /** Not an ancestor further up, but the file itself, a link to it, or a folder that one of them is in. */
  readonly isNear: boolean;
}

const maxLinks = 40;

/**
 * Returns how a user other than root and the one this process runs as could change what `path` leads to, or undefined.
 * Checks the file, its folder, the links on the way and every folder above: once all of them pass, nobody else can
 * exchange the file between this check and its use. Rejects as `lstat` does, with ENOENT for example.
 */
export async function foreignHand(path: string): Promise<string | undefined> {
  const own = process.geteuid?.();
  // Windows has no such owners and modes.
  if (own === undefined) return undefined;
  let reason: string | undefined;
  // To the end, so that a missing file rejects, whoever can write its folder.
  for await (const step of stepsTo(path)) reason ??= await faultOf(step, own);
  return reason;
}

async function faultOf(step: Step, own: number): Promise<string | undefined> {
  const { path, uid, gid, mode, isLink, isNear } = step;
  if (uid !== 0 && uid !== own) return `${path} belongs to user ${uid}`;
  // A link has no mode of its own; in a sticky folder only the owner of an entry can rename or delete it.
  if (isLink || (!isNear && (mode & 0o1000) !== 0)) return undefined;
  if ((mode & 0o002) !== 0) return `every user can write ${path}`;
  if ((mode & 0o020) !== 0 && !(await isPrivateGroup(step))) return `group ${gid} can write ${path}`;
  return undefined;
}

/** Everything that decides what a path leads to, from the root down and through symbolic links. */
async function* stepsTo(path: string): AsyncGenerator<Step> {
  const whole = resolve(path);
  const { root } = parse(whole);
  const todo = namesOf(whole.slice(root.length));
  let folder = root;
  let links = 0;
  yield await stepAt(root, todo.length <= 1);
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    if (name === "..") {
      folder = dirname(folder);
      continue;
    }
    const step = await stepAt(join(folder, name), todo.length <= 1);
    yield step;
    if (!step.isLink) {
      folder = step.path;
      continue;
    }
    links += 1;
    if (links > maxLinks) throw Object.assign(new Error(`${path} has too many symbolic links`), { code: "ELOOP" });
    const target = await readlink(step.path);
    if (isAbsolute(target)) folder = root;
    todo.unshift(...namesOf(target));
  }
}

function namesOf(path: string): string[] {
  return path.split(sep).filter((name) => name !== "" && name !== ".");
}

async function stepAt(path: string, isNear: boolean): Promise<Step> {
  const found = await lstat(path);
  return { path, uid: found.uid, gid: found.gid, mode: found.mode, isLink: found.isSymbolicLink(), isNear };
}

/**
 * Debian and Fedora give each user a group of the same number, and umask 002: harmless while it has no other members.
 * /etc/group leaves out those whose first group it is; /etc/passwd has them.
 * Root's group is the first one of accounts that only halt the machine, as Alpine and Red Hat have them.
 */
async function isPrivateGroup({ uid, gid }: Step): Promise<boolean> {
  if (uid !== gid) return false;
  const [groups, users] = await Promise.all(["/etc/group", "/etc/passwd"].map(rowsOf));
  const [name, , , members] = groups?.find(([, , id]) => id === String(gid)) ?? [];
  const isShared = gid !== 0 && users?.some(([, , id, first]) => first === String(gid) && id !== String(uid));
  return isShared !== true && members !== undefined && (members === "" || members === name);
}

async function rowsOf(path: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").map((line) => line.split(":"));
}
