import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type At, serial } from "./dig.ts";
import { type Server, type Site, startServer, whenReady } from "./process.ts";
import { serverFile } from "./services.ts";

/** A zone for NSD: its text, and where it is fetched from after a NOTIFY. */
export interface NsdZone {
  readonly apex: string;
  readonly text: string;
  readonly primary?: At | undefined;
}

/** An NSD that begins with `text` of each zone, so that nothing has to be transferred before it is ready. */
export async function startNsd(site: Site, name: string, at: At, zones: readonly NsdZone[]): Promise<Server> {
  const home = join(site.dir, name);
  mkdirSync(home);
  for (const [i, zone] of zones.entries()) writeFileSync(join(home, `${i}.zone`), zone.text);
  writeFileSync(join(home, "nsd.conf"), configuration(home, at, zones));
  const server = startServer(site, name, [serverFile("nsd", home), "-d", "-c", join(home, "nsd.conf")]);
  const first = zones[0];
  await whenReady(server, async () => first !== undefined && (await serial(at, first.apex)) !== undefined);
  return server;
}

function configuration(home: string, at: At, zones: readonly NsdZone[]): string {
  return `
server:
  ip-address: ${at.address}@${at.port}
  port: ${at.port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${home}"
  zonelistfile: "${home}/zone.list"
  xfrdfile: "${home}/xfrd.state"
  xfrdir: "${home}"
  pidfile: "${home}/nsd.pid"
  database: ""
  zonefiles-write: 0
  xfrd-reload-timeout: 0
  log-time-iso: yes
  verbosity: 2
  nsid: "${Buffer.from(at.address).toString("hex")}"
  round-robin: no
remote-control:
  control-enable: no
${zones.map((zone, i) => zoneClause(zone, `${home}/${i}.zone`)).join("")}`;
}

function zoneClause(zone: NsdZone, file: string): string {
  const fed =
    zone.primary === undefined
      ? ""
      : `  allow-notify: 127.0.0.0/8 NOKEY
  request-xfr: ${zone.primary.address}@${zone.primary.port} NOKEY
`;
  return `zone:
  name: "${zone.apex}"
  zonefile: "${file}"
${fed}`;
}
