import { lstat, rm, symlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ConfigError, Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { CertificateFiles, CertificateStore, StoredCertificate } from "../issuer/ports.ts";
import { currentVersion, isStored, lookAtCurrent, pointTo } from "./current.ts";
import { deployedVersions } from "./deployed.ts";
import { type Disk, reading, unless } from "./disk.ts";
import { damaged, diskError, errno } from "./disk-errors.ts";
import { formatDocument } from "./document.ts";
import { decodeFileName, encodeFileName } from "./file-name.ts";
import type { Locks } from "./lock.ts";
import { pairFault, withLineEnd } from "./pem.ts";
import { pendingOrders } from "./pending.ts";
import { freshVersion, metaKind, readVersion } from "./version.ts";

/**
 * `certificates/NAME/`: `versions/ID/` holds one consistent set each, `current` is a symbolic link to one of them,
 * `meta.json` one through `current`. A set is complete before `current` is switched to it by one rename.
 */
export function openCertificates(
  disk: Disk,
  locks: Locks,
  deps: { readonly observer: Observer; readonly now: () => Date; readonly keepVersions: number },
): CertificateStore {
  const root = join(disk.root, "certificates");
  const folderOf = (name: string) => join(root, encodeFileName(name));
  let linksChecked = false;
  const warned = new Set<string>();
  const ignored = (path: string, why: string): undefined => {
    if (warned.has(path)) return;
    warned.add(path);
    deps.observer({ type: "warning", code: "W_FOLDER", text: `${path}: the certificate in it is ignored: ${why}` });
  };

  return {
    async lock(name, options) {
      const release = await locks.acquire(`certificate-${encodeFileName(name)}`, `certificate ${name}`, options);
      try {
        // Found out before an order is made rather than when its certificate is to be stored.
        if (!linksChecked) await checkLinks(disk, root);
        linksChecked = true;
        return release;
      } catch (error) {
        await release();
        throw error;
      }
    },

    async names() {
      const folders = await disk.list(root);
      const names = await Promise.all(
        folders.map((folder) => nameOf(disk, join(root, folder), folder, { observer: deps.observer, ignored })),
      );
      return names.flatMap((name) => (name === undefined ? [] : [name])).sort();
    },

    load: (name) => load(disk, folderOf(name), deps.observer),

    async save(name, pem, meta) {
      const cert = withLineEnd(pem.cert);
      const chain = withLineEnd(pem.chain);
      const fault = pairFault(cert, pem.privkey, meta.serial);
      if (fault !== undefined) {
        throw new ConfigError([{ path: folderOf(name), message: `not stored: ${fault}` }], { operation: "store" });
      }
      const folder = folderOf(name);
      const version = await freshVersion(disk, folder, deps.now(), meta.serial);
      await disk.writeDir(join(folder, version), {
        "cert.pem": cert,
        "chain.pem": chain,
        "fullchain.pem": cert + chain,
        ...(pem.privkey === undefined ? {} : { "privkey.pem": withLineEnd(pem.privkey) }),
        "meta.json": formatDocument({ ...meta }),
      });
      await pointTo(disk, folder, version);
      await prune(disk, folder, basename(version), deps.keepVersions);
      return filesOf(join(folder, "current"), pem.privkey !== undefined);
    },

    async saveMeta(name, meta) {
      const folder = folderOf(name);
      const version = await currentVersion(disk, folder, await lookAtCurrent(folder), deps.observer);
      if (version === undefined) throw damaged(join(folder, "current"), "the link is missing", metaKind.remedy);
      await disk.write(resolve(folder, version.path, "meta.json"), formatDocument({ ...meta }));
    },

    addFile(name, version, file, bytes) {
      const folder = folderOf(name);
      const at = version === "current" ? join(folder, "current") : join(folder, "versions", version);
      return disk.write(join(at, file), bytes);
    },

    async remove(name) {
      if ((await reading(root, () => lstat(folderOf(name)).catch(unless("ENOENT")))) === undefined) return;
      await disk.removeDir(folderOf(name));
    },

    ...deployedVersions(disk, folderOf),
    ...pendingOrders(disk, folderOf, deps.observer),
  };
}

/** One consistent set, also while another process switches `current`. */
async function load(disk: Disk, folder: string, observer: Observer): Promise<StoredCertificate | undefined> {
  const current = join(folder, "current");
  for (let attempts = 0; ; attempts++) {
    const found = await lookAtCurrent(folder);
    try {
      const version = await currentVersion(disk, folder, found, observer);
      if (version === undefined) return undefined;
      const at = version.isLinked ? current : resolve(folder, version.path);
      const { meta, pem, hasPfx } = await readVersion(disk, resolve(folder, version.path), at);
      return { version: basename(version.path), meta, files: filesOf(at, pem.privkey !== undefined, hasPfx), pem };
    } catch (error) {
      // Another process may have stored so many new versions meanwhile that this one is gone.
      if (attempts < 3 && !isDeepStrictEqual(await lookAtCurrent(folder), found)) continue;
      throw error;
    }
  }
}

function filesOf(version: string, withKey: boolean, withPfx = false): CertificateFiles {
  const file = (name: string) => join(version, name);
  return {
    cert: file("cert.pem"),
    chain: file("chain.pem"),
    fullchain: file("fullchain.pem"),
    ...(withKey ? { privkey: file("privkey.pem") } : {}),
    ...(withPfx ? { pfx: file("certificate.pfx") } : {}),
  };
}

const wrongName =
  "dns01 gives no certificate a folder of this name. Give the folder back its old name, or move it out of certificates/";

/** The certificate's name, or undefined when the folder holds none. A name too long for a folder stands in meta.json. */
async function nameOf(
  disk: Disk,
  folder: string,
  segment: string,
  { observer, ignored }: { readonly observer: Observer; readonly ignored: (folder: string, why: string) => undefined },
): Promise<string | undefined> {
  if (!(await isStored(disk, folder))) return undefined;
  const decoded = decodeFileName(segment);
  if (decoded !== undefined) return decoded;
  if (!segment.includes("%~")) return ignored(folder, wrongName);
  try {
    return (await load(disk, folder, observer))?.meta.name;
  } catch (error) {
    // One that is damaged must not hide all others.
    if (!Dns01Error.is(error)) throw error;
    return ignored(folder, error.message);
  }
}

/** Keeps the `keep` newest besides the current one. */
async function prune(disk: Disk, folder: string, current: string, keep: number): Promise<void> {
  const versions = join(folder, "versions");
  const earlier = (await disk.list(versions)).filter((id) => id !== current);
  for (const id of earlier.slice(0, Math.max(0, earlier.length - keep))) await disk.removeDir(join(versions, id));
}

/** symlink(2) and Windows: the file system has none, or this account may make none. */
const noLinks = new Set(["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "UNKNOWN"]);

async function checkLinks(disk: Disk, root: string): Promise<void> {
  const probe = await disk.temporary(join(root, "probe"));
  try {
    await symlink("probe", probe);
    await rm(probe);
  } catch (error) {
    await rm(probe, { force: true }).catch(() => {});
    // A disk that is full, for one, says nothing of links.
    if (!noLinks.has(errno(error) ?? "")) throw diskError("link", root, error);
    throw new ConfigError(
      [
        {
          path: root,
          message: `this file system or account cannot make symbolic links (${errno(error) ?? "no reason given"})`,
        },
      ],
      {
        operation: "store",
        hint: "Certificates are switched by one, so that a server never sees a certificate with another key. Name a folder on another file system with --state; on Windows, switch on developer mode.",
        cause: error,
      },
    );
  }
}
