import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./addresses.ts";
import type { At } from "./dig.ts";
import { type Site, startServer, whenReady } from "./process.ts";
import { serviceFile } from "./services.ts";

export interface PowerdnsSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly { readonly content: string; readonly disabled: boolean }[];
}

export interface Powerdns {
  /** Of the HTTP API. */
  readonly url: string;
  readonly apiKey: string;
  /** Where it answers to DNS. */
  readonly at: At;
  readonly version: string;
  /** Throws for any status of 300 and above. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Leaves exactly these zones, with SOA and NS only. */
  reset(apexes: readonly string[], kind?: string): Promise<void>;
  setsAt(apex: string, fqdn: string): Promise<readonly PowerdnsSet[]>;
  putSet(apex: string, set: PowerdnsSet): Promise<void>;
  transcript(): string;
  stop(): Promise<void>;
}

const schema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/** Starts a PowerDNS of its own on loopback, with its HTTP API and an empty SQLite database in a temporary folder. */
export async function startPowerdns(): Promise<Powerdns> {
  const site: Site = { dir: mkdtempSync(join(tmpdir(), "dns01-powerdns-")), servers: [] };
  const database = join(site.dir, "pdns.sqlite3");
  execFileSync(serviceFile("sqlite3"), [database], {
    input: readFileSync(schema),
    stdio: ["pipe", "ignore", "inherit"],
  });
  const [dns, web] = [await freePort(), await freePort()];
  const apiKey = "a-key-for-the-lab-only";
  writeFileSync(join(site.dir, "pdns.conf"), configuration(site.dir, database, dns, web, apiKey));
  const server = startServer(site, "powerdns", [serviceFile("pdns_server"), `--config-dir=${site.dir}`]);
  const url = `http://127.0.0.1:${web}`;
  const base = `${url}/api/v1/servers/localhost`;

  const api = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { "x-api-key": apiKey, "content-type": "application/json" };
    const answer = await fetch(`${base}${path}`, { method, headers, ...sent });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  await whenReady(server, () => api("GET", "").then(Boolean, () => false));
  const { version } = (await api("GET", "")) as { readonly version: string };

  return {
    url,
    apiKey,
    at: { address: "127.0.0.1", port: dns },
    version,
    api,
    async reset(apexes, kind = "Native") {
      for (const { id } of (await api("GET", "/zones?dnssec=false")) as { id: string }[]) {
        await api("DELETE", `/zones/${id}`);
      }
      for (const apex of apexes) {
        await api("POST", "/zones", { name: `${apex}.`, kind, nameservers: ["ns.lab.test."] });
      }
    },
    async setsAt(apex, fqdn) {
      const { rrsets } = (await api("GET", `/zones/${apex}.`)) as { readonly rrsets: readonly PowerdnsSet[] };
      return rrsets.filter(({ name }) => name === `${fqdn}.`);
    },
    putSet: async (apex, set) => {
      await api("PATCH", `/zones/${apex}.`, { rrsets: [{ ...set, changetype: "REPLACE" }] });
    },
    transcript: () =>
      server.log
        .map(({ text }) => text)
        .slice(-30)
        .join("\n"),
    async stop() {
      await server.stop();
      rmSync(site.dir, { recursive: true, force: true });
    },
  };
}

/** Without caches: what the database holds is what is served. */
function configuration(dir: string, database: string, dns: number, web: number, apiKey: string): string {
  return `
launch=gsqlite3
gsqlite3-database=${database}
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port=${dns}
api=yes
api-key=${apiKey}
webserver-address=127.0.0.1
webserver-port=${web}
webserver-allow-from=127.0.0.1
socket-dir=${dir}
daemon=no
guardian=no
disable-syslog=yes
primary=yes
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
security-poll-suffix=
`;
}
