import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type At, serial } from "./dig.ts";
import { type Algorithm, algorithms, type LabKey } from "./keys.ts";
import { type Server, type Site, startServer, whenReady } from "./process.ts";
import { serverFile } from "./services.ts";

/** A zone for BIND: primary with updates, secondary of `primary`, or neither (`primary` undefined and not updatable). */
export interface BindZone {
  readonly apex: string;
  readonly text: string;
  readonly primary?: At | undefined;
  readonly updatable: boolean;
}

/**
 * A BIND, primary of some zones (it notifies `secondary` of them) and secondary of others.
 * It listens on 127.0.0.1 only: that is all an interface lists.
 */
export async function startBind(
  site: Site,
  port: number,
  zones: readonly BindZone[],
  keys: Readonly<Record<Algorithm, LabKey>>,
  secondary: At,
): Promise<Server> {
  const home = join(site.dir, "bind");
  mkdirSync(home);
  for (const zone of zones) writeFileSync(join(home, `${zone.apex}.zone`), zone.text);
  writeFileSync(join(home, "named.conf"), configuration(home, port, zones, keys, secondary));
  const command = [serverFile("named", home), "-f", "-n", "1", "-c", join(home, "named.conf")] as const;
  const server = startServer(site, "bind", [...command]);
  const last = zones[zones.length - 1];
  const at = { address: "127.0.0.1", port };
  await whenReady(server, async () => last !== undefined && (await serial(at, last.apex)) !== undefined);
  return server;
}

function configuration(
  home: string,
  port: number,
  zones: readonly BindZone[],
  keys: Readonly<Record<Algorithm, LabKey>>,
  secondary: At,
): string {
  return `
options {
  directory "${home}";
  pid-file "${home}/named.pid";
  session-keyfile none;
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  notify no;
  notify-delay 0;
  serial-query-rate 1000;
  allow-transfer { 127.0.0.0/8; };
  masterfile-format text;
  max-records-per-type 0;
  querylog yes;
};
controls { };
logging {
  channel out { stderr; print-time iso8601; print-category yes; print-severity yes; severity info; };
  category default { out; };
  category queries { out; };
  category update { out; };
  category lame-servers { null; };
};
${algorithms.map((a) => `key "${keys[a].name}" { algorithm ${a}; secret "${keys[a].secret}"; };`).join("\n")}
${zones.map((zone) => zoneClause(home, zone, keys, secondary)).join("")}`;
}

function zoneClause(home: string, zone: BindZone, keys: Readonly<Record<Algorithm, LabKey>>, secondary: At): string {
  const file = `file "${join(home, `${zone.apex}.zone`)}";`;
  if (zone.primary !== undefined) {
    const { address, port } = zone.primary;
    return `zone "${zone.apex}" { type secondary; ${file} primaries port ${port} { ${address}; }; allow-notify { 127.0.0.0/8; }; };\n`;
  }
  const allowed = zone.updatable ? algorithms.map((a) => `key "${keys[a].name}";`).join(" ") : "none;";
  return `zone "${zone.apex}" { type primary; ${file} allow-update { ${allowed} }; notify explicit; also-notify { ${secondary.address} port ${secondary.port}; }; };\n`;
}
