import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Finished } from "./cli.ts";
import { txtValues } from "./dig.ts";
import { livingServers, zoneHolding } from "./judge.ts";
import type { Lab } from "./lab.ts";
import { until } from "./patience.ts";
import type { Pebble } from "./pebble.ts";
import { serviceFile } from "./services.ts";

/** The parts of `dns01 issue --json` that these tests look at. */
export interface IssueDocument {
  readonly name: string;
  readonly domains: readonly string[];
  readonly serial: string;
  readonly reused: boolean;
  readonly files: {
    readonly cert: string;
    readonly chain: string;
    readonly fullchain: string;
    readonly privkey: string;
  };
  readonly challenges: readonly Readonly<
    Record<"domain" | "type" | "fqdn" | "owner" | "zone" | "provider" | "status", string>
  >[];
  readonly propagation: {
    readonly queries: number;
    readonly servers: readonly {
      readonly name: string;
      readonly address: string;
      readonly zone: string;
      readonly confirmedAfterMs?: number;
    }[];
  };
  readonly timings: Readonly<Record<string, number>>;
  readonly warnings?: readonly { readonly code: string; readonly text: string; readonly server?: string }[];
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly retryable: boolean;
    readonly details?: Readonly<Record<string, unknown>>;
  };
}

/** The one JSON document of a successful run; a failure shows what it printed. */
export function issued(run: Finished): IssueDocument {
  expect(run.status, run.stderr).toBe(0);
  return JSON.parse(run.stdout) as IssueDocument;
}

/** The error of a run that had to end with `status`. */
export function failed(run: Finished, status: number): ErrorDocument["error"] {
  expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(status);
  return (JSON.parse(run.stdout) as ErrorDocument).error;
}

/** openssl's word that the certificate chains to the CA's root, is for `names`, and that the key is its key. */
export async function expectGoodCertificate(
  lab: Lab,
  document: IssueDocument,
  names: readonly string[],
  ca: Pebble = lab.ca,
): Promise<void> {
  const { cert, chain, fullchain, privkey } = document.files;
  const root = join(lab.dir, `root-${document.serial}.pem`);
  writeFileSync(root, await ca.issuingRoot());
  expect(openssl("verify", "-CAfile", root, "-untrusted", chain, cert)).toContain("OK");
  const text = openssl("x509", "-in", cert, "-noout", "-ext", "subjectAltName");
  const found = [...text.matchAll(/DNS:([^,\s]+)/g)].map((match) => match[1]);
  expect(found.sort()).toEqual([...names].sort());
  expect(readFileSync(fullchain, "utf8").trim()).toBe(
    `${readFileSync(cert, "utf8").trim()}\n${readFileSync(chain, "utf8").trim()}`,
  );
  expectPair(cert, privkey);
  expect(statSync(privkey).mode & 0o777).toBe(0o600);
}

/** The certificate holds the key's public half. */
export function expectPair(cert: string, privkey: string): void {
  expect(openssl("x509", "-in", cert, "-noout", "-pubkey")).toBe(openssl("pkey", "-in", privkey, "-pubout"));
}

/** No TXT value is left at the challenge names: at once on the primary, as soon as it has caught up on every other. */
export async function expectCleanDns(lab: Lab, owners: readonly string[]): Promise<void> {
  for (const owner of owners) {
    const zone = zoneHolding(owner);
    expect(await txtValues(lab.realAt(zone.primary ?? "knot"), owner), `values left at ${owner}`).toEqual([]);
    const followers = livingServers(zone).filter((role) => !(zone.frozen ?? []).some((frozen) => frozen === role));
    for (const role of followers)
      await until(async () => (await txtValues(lab.realAt(role), owner)).length === 0, 20_000);
  }
}

function openssl(...args: readonly string[]): string {
  return execFileSync(serviceFile("openssl"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
