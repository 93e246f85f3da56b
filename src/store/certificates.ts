import { randomBytes } from "node:crypto";
import { lstat, readlink, rm, symlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { ConfigError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { CertificateFiles, CertificateMeta, CertificateStore, StoredCertificate } from "../issuer/ports.ts";
import { deployedVersions } from "./deployed.ts";
import { attempt, type Disk, unless } from "./disk.ts";
import { damaged, diskError, errno } from "./disk-errors.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";
import { decodeFileName, encodeFileName } from "./file-name.ts";
import type { Locks } from "./lock.ts";
import { pairFault, withLineEnd } from "./pem.ts";
import { pendingOrders } from "./pending.ts";

const metaKind: DocumentKind = {
  title: "the certificate's meta.json",
  current: 1,
  remedy: "Restore the file from a backup, or move the certificate's folder away to have a new one issued.",
};

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
      const names = await Promise.all(folders.map((folder) => nameOf(disk, join(root, folder), folder)));
      return names.flatMap((name) => (name === undefined ? [] : [name])).sort();
    },

    load: (name) => load(disk, folderOf(name)),

    async save(name, pem, meta) {
      const cert = withLineEnd(pem.cert);
      const chain = withLineEnd(pem.chain);
      const fault = pairFault(cert, pem.privkey);
      if (fault !== undefined) {
        throw new ConfigError([{ path: folderOf(name), message: `not stored: ${fault}` }], { operation: "store" });
      }
      const folder = folderOf(name);
      const id = await freshVersion(disk, folder, deps.now(), meta.serial);
      await disk.writeDir(join(folder, "versions", id), {
        "cert.pem": cert,
        "chain.pem": chain,
        "fullchain.pem": cert + chain,
        ...(pem.privkey === undefined ? {} : { "privkey.pem": withLineEnd(pem.privkey) }),
        "meta.json": formatDocument({ ...meta }),
      });
      await linkMeta(disk, folder);
      await setCopyAside(disk, folder);
      await disk.link(join(folder, "current"), join("versions", id));
      await prune(disk, folder, id, deps.keepVersions);
      return filesOf(folder, pem.privkey !== undefined);
    },

    async saveMeta(name, meta) {
      const folder = folderOf(name);
      const target = await versionAt(join(folder, "current"));
      if (target === undefined) throw damaged(join(folder, "current"), "the link is missing", metaKind.remedy);
      await disk.write(join(folder, target, "meta.json"), formatDocument({ ...meta }));
    },

    addFile(name, version, file, bytes) {
      const folder = folderOf(name);
      const at = version === "current" ? join(folder, "current") : join(folder, "versions", version);
      return disk.write(join(at, file), bytes);
    },

    async remove(name) {
      if ((await attempt("read", root, () => lstat(folderOf(name)).catch(unless("ENOENT")))) === undefined) return;
      await disk.removeDir(folderOf(name));
    },

    ...deployedVersions(disk, folderOf),
    ...pendingOrders(disk, folderOf, deps.observer),
  };
}

/** One consistent set, also while another process switches `current`. */
async function load(disk: Disk, folder: string): Promise<StoredCertificate | undefined> {
  const current = join(folder, "current");
  for (let attempts = 0; ; attempts++) {
    const target = await versionAt(current);
    if (target === undefined) return undefined;
    const version = resolve(folder, target);
    const needed = ["meta.json", "cert.pem", "chain.pem", "fullchain.pem"] as const;
    const [metaText, cert, chain, fullchain, privkey] = await Promise.all(
      [...needed, "privkey.pem"].map((file) => disk.read(join(version, file))),
    );
    const missing = needed[[metaText, cert, chain, fullchain].indexOf(undefined)] ?? "";
    if (metaText === undefined || cert === undefined || chain === undefined || fullchain === undefined) {
      // Somebody stored so many new versions meanwhile that this one is gone.
      if (attempts < 3 && (await versionAt(current)) !== target) continue;
      throw damaged(join(current, missing), "the file is missing", metaKind.remedy);
    }
    const meta = parseMeta(metaText, join(current, "meta.json"));
    if (privkey === undefined && meta.csr !== true) {
      throw damaged(join(current, "privkey.pem"), "the file is missing", metaKind.remedy);
    }
    const fault = pairFault(cert, privkey);
    if (fault !== undefined) throw damaged(current, fault, metaKind.remedy);
    // What servers read is this one: a set that only looks whole must not count as a certificate that needs nothing.
    if (fullchain !== cert + chain) {
      throw damaged(join(current, "fullchain.pem"), "it is not cert.pem followed by chain.pem", metaKind.remedy);
    }
    const pem = { cert, chain, ...(privkey === undefined ? {} : { privkey }) };
    const pfx = (await disk.list(version)).includes("certificate.pfx");
    return { version: basename(version), meta, files: filesOf(folder, privkey !== undefined, pfx), pem };
  }
}

/** Where `current` points; a real folder (a backup that followed links) is its own version. */
async function versionAt(current: string): Promise<string | undefined> {
  return await attempt("read", current, async () => {
    try {
      return await readlink(current);
    } catch (error) {
      if (errno(error) === "ENOENT" || errno(error) === "ENOTDIR") return undefined;
      if (errno(error) === "EINVAL" || errno(error) === "UNKNOWN") return "current";
      throw error;
    }
  });
}

function parseMeta(text: string, path: string): CertificateMeta {
  const document = parseDocument(text, path, metaKind);
  const members = membersOf(document, path, metaKind);
  for (const member of ["name", "ca", "provider", "keyType", "serial", "issuer"]) members.text(member);
  // Whoever reckons with one that is none fails far from here, and with every other certificate.
  for (const member of ["notBefore", "notAfter", "renewAfter", "issuedAt"]) members.time(member);
  members.texts("domains");
  members.objects("history");
  return document as unknown as CertificateMeta;
}

function filesOf(folder: string, withKey: boolean, withPfx = false): CertificateFiles {
  const file = (name: string) => join(folder, "current", name);
  return {
    cert: file("cert.pem"),
    chain: file("chain.pem"),
    fullchain: file("fullchain.pem"),
    ...(withKey ? { privkey: file("privkey.pem") } : {}),
    ...(withPfx ? { pfx: file("certificate.pfx") } : {}),
  };
}

/** The certificate's name, or undefined when the folder holds none. A name too long for a folder stands in meta.json. */
async function nameOf(disk: Disk, folder: string, segment: string): Promise<string | undefined> {
  if ((await versionAt(join(folder, "current"))) === undefined) return undefined;
  const decoded = decodeFileName(segment);
  if (decoded !== undefined || !segment.includes("%~")) return decoded;
  const path = join(folder, "current", "meta.json");
  const text = await disk.read(path);
  return text === undefined ? undefined : parseMeta(text, path).name;
}

/** "20261124T145200Z-SERIAL", counted on where two would be the same. Sorts by time. */
async function freshVersion(disk: Disk, folder: string, now: Date, serial: string): Promise<string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const id = `${time}-${
    serial
      .toLowerCase()
      .replace(/[^0-9a-f]/g, "")
      .slice(0, 40) || randomBytes(4).toString("hex")
  }`;
  const taken = new Set(await disk.list(join(folder, "versions")));
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? id : `${id}.${n}`;
    if (!taken.has(candidate)) return candidate;
  }
}

async function linkMeta(disk: Disk, folder: string): Promise<void> {
  const path = join(folder, "meta.json");
  const found = await attempt("read", path, () => lstat(path).catch(unless("ENOENT")));
  if (!found?.isSymbolicLink()) await disk.link(path, join("current", "meta.json"));
}

/** A `current` that is a real folder cannot be replaced by a rename: it becomes an earlier version. */
async function setCopyAside(disk: Disk, folder: string): Promise<void> {
  const current = join(folder, "current");
  const found = await attempt("read", current, () => lstat(current).catch(unless("ENOENT")));
  if (found?.isDirectory())
    await disk.move(current, join(folder, "versions", `00000000T000000Z-${randomBytes(4).toString("hex")}`));
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
