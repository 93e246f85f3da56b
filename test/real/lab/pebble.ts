import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { freePort } from "./addresses.ts";
import type { ApiCertificate } from "./certificates.ts";
import type { At } from "./dig.ts";
import { type Server, type Site, startServer, whenReady } from "./process.ts";
import { serviceFile } from "./services.ts";

export interface PebbleOptions {
  /** Whom it asks for TXT records. */
  readonly dns: At;
  /** Percent of good nonces refused; default 0. */
  readonly nonceReject?: number;
  /** Percent of valid authorizations used again; default 0. */
  readonly authzReuse?: number;
  /** Names it refuses; of two labels, because more crash this version (acme.md §11). */
  readonly blocklist?: readonly string[];
  /** Requires external account binding with one of these keys (base64url). */
  readonly eab?: Readonly<Record<string, string>>;
  /** Further chains it offers; default 0. */
  readonly alternateRoots?: number;
  /** Retry-After on authorizations and on orders that are being processed, in seconds; default 0: none. */
  readonly retryAfter?: number;
}

export interface Pebble {
  readonly server: Server;
  readonly directory: string;
  /** PEM of what clients must trust for the API. */
  readonly apiRoot: string;
  readonly apiRootFile: string;
  /** PEM of the root that signs certificates. */
  issuingRoot(n?: number): Promise<string>;
}

/** Pebble with the API certificate `api`; no pause before a validation. */
export async function startPebble(
  site: Site,
  name: string,
  api: ApiCertificate,
  options: PebbleOptions,
): Promise<Pebble> {
  const [port, managementPort] = [await freePort(), await freePort()];
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: api.cert,
    privateKey: api.key,
    httpPort: 9,
    tlsPort: 9,
    ocspResponderURL: "",
    externalAccountBindingRequired: options.eab !== undefined,
    externalAccountMACKeys: options.eab ?? {},
    domainBlocklist: options.blocklist ?? [],
    retryAfter: { authz: options.retryAfter ?? 0, order: options.retryAfter ?? 0 },
  };
  const file = join(site.dir, `${name}.json`);
  writeFileSync(file, JSON.stringify({ pebble: config }));
  const dnsserver = `${options.dns.address}:${options.dns.port}`;
  const server = startServer(site, name, [serviceFile("pebble"), "-config", file, "-dnsserver", dnsserver], {
    PEBBLE_VA_NOSLEEP: "1",
    PEBBLE_WFE_NONCEREJECT: String(options.nonceReject ?? 0),
    PEBBLE_AUTHZREUSE: String(options.authzReuse ?? 0),
    PEBBLE_ALTERNATE_ROOTS: String(options.alternateRoots ?? 0),
  });
  const apiRoot = readFileSync(api.root, "utf8");
  const directory = `https://127.0.0.1:${port}/dir`;
  await whenReady(server, () =>
    get(directory, apiRoot).then(
      () => true,
      () => false,
    ),
  );
  return {
    server,
    directory,
    apiRoot,
    apiRootFile: api.root,
    issuingRoot: (n = 0) => get(`https://127.0.0.1:${managementPort}/roots/${n}`, apiRoot),
  };
}

function get(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode}`)),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}
