import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type At, dig } from "./dig.ts";
import { type Server, type Site, startServer, whenReady } from "./process.ts";
import { serverFile } from "./services.ts";

/** Whom the resolver asks for a zone. Each zone needs its own: a referral would lead it to port 53. */
export interface Stub {
  readonly zone: string;
  readonly servers: readonly At[];
}

/** An Unbound without access to anything but `stubs`; `caching` false makes it forget every answer at once. */
export async function startUnbound(
  site: Site,
  name: string,
  at: At,
  stubs: readonly Stub[],
  options: { readonly caching: boolean },
): Promise<Server> {
  const home = join(site.dir, name);
  mkdirSync(home);
  writeFileSync(join(home, "unbound.conf"), configuration(home, at, stubs, options.caching));
  const server = startServer(site, name, [serverFile("unbound", home), "-d", "-p", "-c", join(home, "unbound.conf")]);
  await whenReady(server, async () => (await dig(at, "test", "SOA", { recursion: true }))?.answers?.length === 1);
  return server;
}

/** Connections are not kept: an idle one stops NSD from putting its next transfer into service. */
function configuration(home: string, at: At, stubs: readonly Stub[], caching: boolean): string {
  return `
server:
  directory: "${home}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  log-queries: yes
  log-time-iso: yes
  verbosity: 1
  interface: ${at.address}@${at.port}
  port: ${at.port}
  access-control: 127.0.0.0/8 allow
  num-threads: 1
  do-ip6: no
  module-config: "iterator"
  target-fetch-policy: "0 0 0 0 0"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  msg-cache-size: 1m
  rrset-cache-size: 1m
  tcp-reuse-timeout: 100
${caching ? "" : "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  infra-host-ttl: 1\n"}
remote-control:
  control-enable: no
${stubs.map(stubClause).join("")}`;
}

function stubClause(stub: Stub): string {
  return `stub-zone:
  name: "${stub.zone}"
${stub.servers.map((s) => `  stub-addr: ${s.address}@${s.port}\n`).join("")}`;
}
