import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { CertificateMeta, StoredCertificate } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { damaged } from "./disk-errors.ts";
import { type DocumentKind, membersOf, parseDocument } from "./document.ts";
import { pairFault } from "./pem.ts";

export const metaKind: DocumentKind = {
  title: "the certificate's meta.json",
  current: 1,
  remedy: "Restore the file from a backup, or move the certificate's folder away to have a new one issued.",
};

export interface Version extends Pick<StoredCertificate, "meta" | "pem"> {
  readonly hasPfx: boolean;
}

/**
 * Reads the set in this folder. Throws when a file is missing or damaged, and when key and certificate do not belong
 * together; `shown` is the folder that the error names.
 */
export async function readVersion(disk: Disk, folder: string, shown: string): Promise<Version> {
  const needed = ["meta.json", "cert.pem", "chain.pem", "fullchain.pem"] as const;
  const [metaText, cert, chain, fullchain, privkey] = await Promise.all(
    [...needed, "privkey.pem"].map((file) => disk.read(join(folder, file))),
  );
  const missing = (file: string) => damaged(join(shown, file), "the file is missing", metaKind.remedy);
  if (metaText === undefined || cert === undefined || chain === undefined || fullchain === undefined) {
    throw missing(needed[[metaText, cert, chain, fullchain].indexOf(undefined)] ?? "");
  }
  const meta = parseMeta(metaText, join(shown, "meta.json"));
  if (privkey === undefined && meta.csr !== true) throw missing("privkey.pem");
  const fault = pairFault(cert, privkey, meta.serial);
  if (fault !== undefined) throw damaged(shown, fault, metaKind.remedy);
  // What servers read is this one: a set that only looks whole must not count as a certificate that needs nothing.
  if (fullchain !== cert + chain) {
    throw damaged(join(shown, "fullchain.pem"), "it is not cert.pem followed by chain.pem", metaKind.remedy);
  }
  const hasPfx = (await disk.list(folder)).includes("certificate.pfx");
  return { meta, pem: { cert, chain, ...(privkey === undefined ? {} : { privkey }) }, hasPfx };
}

function parseMeta(text: string, path: string): CertificateMeta {
  const document = parseDocument(text, path, metaKind);
  const members = membersOf(document, path, metaKind);
  for (const member of ["name", "ca", "provider", "keyType", "serial", "issuer"]) members.text(member);
  // A time that cannot be parsed would fail far from here, and with every other certificate.
  for (const member of ["notBefore", "notAfter", "renewAfter", "issuedAt"]) members.time(member);
  members.texts("domains");
  members.objects("history");
  return document as unknown as CertificateMeta;
}

/** "versions/20261124T145200Z-SERIAL", counted on where two would be the same. Sorts by time. */
export async function freshVersion(disk: Disk, folder: string, now: Date, serial: string): Promise<string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const digits = serial.toLowerCase().replace(/[^0-9a-f]/g, "");
  const id = `${time}-${digits.slice(0, 40) || randomBytes(4).toString("hex")}`;
  const taken = new Set(await disk.list(join(folder, "versions")));
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? id : `${id}.${n}`;
    if (!taken.has(candidate)) return join("versions", candidate);
  }
}

/** For a set whose age is unknown: sorts before every other. */
export function setAsideVersion(): string {
  return join("versions", `00000000T000000Z-${randomBytes(4).toString("hex")}`);
}
