import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { At } from "./dig.ts";
import { serial } from "./dig.ts";
import { type Algorithm, algorithms, type LabKey } from "./keys.ts";
import { type Server, type Site, startServer, whenReady } from "./process.ts";
import { serverFile, serviceFile } from "./services.ts";
import { type LabZone, type Role, zoneText } from "./zones.ts";

/** Knot DNS as primary of `zones`: takes signed updates, hands the zone to anybody on loopback. */
export async function startKnot(
  site: Site,
  at: At,
  zones: readonly LabZone[],
  keys: Readonly<Record<Algorithm, LabKey>>,
  address: (role: Role) => string,
): Promise<Server> {
  const home = join(site.dir, "knot");
  // Knot does not create its database folder and loses zones without it.
  for (const folder of ["run", "db", "zones"]) mkdirSync(join(home, folder), { recursive: true });
  for (const zone of zones) writeFileSync(join(home, "zones", `${zone.apex}.zone`), zoneText(zone, address));
  writeFileSync(join(home, "knot.conf"), configuration(home, at, zones, keys));
  const server = startServer(site, "knot", [serverFile("knotd", home), "-c", join(home, "knot.conf")]);
  const last = zones[zones.length - 1];
  await whenReady(server, async () => last !== undefined && (await serial(at, last.apex)) !== undefined);
  return server;
}

/**
 * Has Knot run the NOTIFY it has planned for a second after a change (to nobody: see feed.ts). While it is planned, an
 * update that arrives in the next second of the wall clock waits for it: up to a second that would be measured as ours.
 */
export function runPlannedNotify(dir: string, zone: string): void {
  const socket = join(dir, "knot", "run", "knot.sock");
  spawn(serviceFile("knotc"), ["-s", socket, "zone-notify", zone], { stdio: "ignore" }).on("error", () => {});
}

function configuration(
  home: string,
  at: At,
  zones: readonly LabZone[],
  keys: Readonly<Record<Algorithm, LabKey>>,
): string {
  return `
server:
  rundir: ${join(home, "run")}
  listen: ${at.address}@${at.port}
  nsid: knot
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: ${join(home, "db")}
  journal-db-mode: asynchronous
log:
  - target: stdout
    any: debug
key:
${algorithms.map((a) => `  - id: ${keys[a].name}\n    algorithm: ${a}\n    secret: ${keys[a].secret}`).join("\n")}
acl:
  - id: update
    key: [${algorithms.map((a) => keys[a].name).join(", ")}]
    action: update
  - id: transfer
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: ${join(home, "zones")}
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
zone:
${zones.map((zone) => `  - domain: ${zone.apex}\n    acl: [${zone.updatable === false ? "" : "update, "}transfer]`).join("\n")}
`;
}
