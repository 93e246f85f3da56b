import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { At } from "./dig.ts";
import { serviceFile } from "./services.ts";

/** What another ACME client needs to know to get a certificate by RFC 2136. */
export interface ClientSetup {
  readonly directory: string;
  /** PEM file to trust for the CA's API. */
  readonly apiRootFile: string;
  readonly primary: At;
  readonly key: { readonly name: string; readonly secret: string; readonly algorithm: string };
  /** Where the client looks up zones. */
  readonly resolver: At;
  /** For its files. */
  readonly dir: string;
}

export interface ClientRun {
  readonly status: number | null;
  readonly output: string;
  readonly elapsedMs: number;
  readonly cert: string;
  readonly privkey: string;
}

/** lego, a new account, with the shortest pauses it can be given and its own propagation check off. */
export async function runLego(setup: ClientSetup, domains: readonly string[]): Promise<ClientRun> {
  const dir = mkdtempSync(join(setup.dir, "lego-"));
  const args = [
    ...["--path", dir, "--server", setup.directory, "--accept-tos", "--email", "ops@example.test"],
    ...["--dns", "rfc2136", "--dns.disable-cp", "--dns.resolvers", `${setup.resolver.address}:${setup.resolver.port}`],
    ...domains.flatMap((domain) => ["--domains", domain]),
    "run",
  ];
  const run = await finish(serviceFile("lego"), args, {
    LEGO_CA_CERTIFICATES: setup.apiRootFile,
    RFC2136_NAMESERVER: `${setup.primary.address}:${setup.primary.port}`,
    RFC2136_TSIG_KEY: setup.key.name,
    RFC2136_TSIG_SECRET: setup.key.secret,
    RFC2136_TSIG_ALGORITHM: `${setup.key.algorithm}.`,
    RFC2136_SEQUENCE_INTERVAL: "1",
    RFC2136_POLLING_INTERVAL: "1",
    RFC2136_PROPAGATION_TIMEOUT: "60",
  });
  const file = join(dir, "certificates", (domains[0] ?? "").replace("*", "_"));
  return { ...run, cert: `${file}.crt`, privkey: `${file}.key` };
}

/** certbot with its rfc2136 plugin, a new account, and a fixed sleep (it has no check). */
export async function runCertbot(setup: ClientSetup, domains: readonly string[], sleepSeconds = 1): Promise<ClientRun> {
  const dir = mkdtempSync(join(setup.dir, "certbot-"));
  const credentials = join(dir, "rfc2136.ini");
  const lines = {
    dns_rfc2136_server: setup.primary.address,
    dns_rfc2136_port: setup.primary.port,
    dns_rfc2136_name: `${setup.key.name}.`,
    dns_rfc2136_secret: setup.key.secret,
    dns_rfc2136_algorithm: setup.key.algorithm.toUpperCase(),
  };
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(credentials, text.join(""), { mode: 0o600 });
  const args = [
    ...["certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"],
    ...["--server", setup.directory, "--dns-rfc2136", "--dns-rfc2136-credentials", credentials],
    ...["--dns-rfc2136-propagation-seconds", String(sleepSeconds), "--cert-name", "lab"],
    ...["--config-dir", join(dir, "etc"), "--work-dir", join(dir, "work"), "--logs-dir", join(dir, "log")],
    ...domains.flatMap((domain) => ["-d", domain]),
  ];
  const run = await finish(serviceFile("certbot"), args, { REQUESTS_CA_BUNDLE: setup.apiRootFile });
  const live = join(dir, "etc", "live", "lab");
  return { ...run, cert: join(live, "cert.pem"), privkey: join(live, "privkey.pem") };
}

/** Runs a program to its end without blocking this process: the lab's feeds and witnesses live in it. */
export function finish(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly status: number | null; readonly output: string; readonly elapsedMs: number }> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { PATH: `${process.env["PATH"]}:/usr/sbin`, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
    }
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output, elapsedMs: performance.now() - begun }));
  });
}
