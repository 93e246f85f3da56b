import { accessSync, constants, copyFileSync, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs of the lab and the Debian package each comes from. */
const packages = {
  pebble: "pebble",
  knotd: "knot",
  knotc: "knot",
  nsd: "nsd",
  named: "bind9",
  unbound: "unbound",
  lego: "lego",
  certbot: "certbot python3-certbot-dns-rfc2136",
  openssl: "openssl",
  setpriv: "util-linux",
  pdns_server: "pdns-server pdns-backend-sqlite3",
  sqlite3: "sqlite3",
  promtool: "promtool",
  kubectl: "kubernetes-client",
  tinyproxy: "tinyproxy",
} as const;

export type Service = keyof typeof packages;

/** Where a program is; Debian keeps servers in /usr/sbin, which is not in everybody's PATH. */
export function findService(service: Service): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  for (const folder of folders) {
    if (folder === "") continue;
    const file = join(folder, service);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

/** Path of a program that must be there. Throws with the package's name. */
export function serviceFile(service: Service): string {
  const file = findService(service);
  if (file === undefined) throw new Error(`${service} is not installed (Debian: apt-get install ${packages[service]})`);
  return file;
}

/**
 * The program, or a copy of it in `dir` where AppArmor's profile for its usual place would keep it out of our temporary
 * folder (Debian has one for named and for unbound).
 */
export function serverFile(service: Service, dir: string): string {
  const file = serviceFile(service);
  if (!isAppArmorOn() || !existsSync(`/etc/apparmor.d/${file.slice(1).replaceAll("/", ".")}`)) return file;
  const copy = join(dir, service);
  copyFileSync(file, copy);
  return copy;
}

function isAppArmorOn(): boolean {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").startsWith("Y");
  } catch {
    return false;
  }
}

/** The servers that every lab starts. */
export const labServices: readonly Service[] = ["pebble", "knotd", "knotc", "nsd", "named", "unbound", "openssl"];

/**
 * Why a suite cannot run here, or undefined. In CI a missing program is a failure and not a reason: a suite that is
 * skipped by accident proves nothing.
 */
export function whyNot(services: readonly Service[]): string | undefined {
  const missing = services.filter((service) => findService(service) === undefined);
  if (missing.length === 0) return undefined;
  const text = `not installed: ${missing.map((s) => `${s} (${packages[s]})`).join(", ")}`;
  if (process.env["CI"] !== undefined && process.env["CI"] !== "false") throw new Error(text);
  return text;
}
