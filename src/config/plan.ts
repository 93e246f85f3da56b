import type { ConfigIssue } from "../core/errors.ts";
import type { DnsSettings } from "../issuer/network.ts";
import type { IssueRequest } from "../issuer/request.ts";
import { directoryFor, type PlannedCa, readCas } from "./cas.ts";
import { type PlannedCertificate, readCertificates } from "./certificates.ts";
import { readDnsSettings } from "./dns-settings.ts";
import { inOrder } from "./document.ts";
import { parseEndpoint } from "./endpoints.ts";
import { overlapsOf } from "./overlaps.ts";
import type { Sources } from "./settings.ts";
import { type ChosenRoute, readRoutes } from "./solvers.ts";

export type { PlannedCa } from "./cas.ts";
export type { PlannedCertificate } from "./certificates.ts";

/** Everything `renew` and `run` work from: flags, environment and file, resolved and checked. Nothing was called. */
export interface Plan {
  /** Absent when there is no file. */
  readonly file: string | undefined;
  /** What the file declares, in its order. */
  readonly certificates: readonly PlannedCertificate[];
  /** Certificates that share some of their names, in words. No faults. */
  readonly overlaps: readonly string[];
  /** Who writes where; connect with routeOf (solvers.ts), the longest zone wins (issuer/router.ts). */
  readonly routes: readonly ChosenRoute[];
  readonly dns: DnsSettings;
  /** The CA for what the file does not declare, and those to go over to. Never empty. */
  readonly cas: readonly PlannedCa[];
  /** The CA a stored certificate came from (a directory's address), with what the file says of it. */
  readonly caOf: (directoryUrl: string) => PlannedCa;
  readonly run: RunSettings;
}

export interface RunSettings {
  /** Where /healthz and /metrics are served; without an address on all of the machine. */
  readonly listen: { readonly address: string | undefined; readonly port: number } | undefined;
  /** Certificates worked on at once. */
  readonly parallel: number;
}

export interface ReadPlan {
  readonly issues: readonly ConfigIssue[];
  readonly listen: RunSettings["listen"];
  /** Only when there are no issues. */
  complete(): Plan;
}

/** Reads all there is to read and finds every fault at once, each with its place. Throws nothing of the user's making. */
export async function readPlan(sources: Sources): Promise<ReadPlan> {
  const { flags, config } = sources;
  // A file of defaults only, for a provider that is named elsewhere, is no fault.
  const { solvers: own = [], certificates = [] } = config.config;
  const isNeeded = flags.text("provider") !== undefined || own.length + certificates.length > 0;
  const solvers = isNeeded ? await readRoutes(sources) : { routes: [], zones: undefined, issues: [] };
  const dns = readDnsSettings(flags);
  const cas = await readCas(sources);
  const read = await readCertificates(sources, cas, solvers.zones);
  const run = readRun(sources);
  const issues = inOrder([
    ...config.issues,
    ...solvers.issues,
    ...dns.issues,
    ...cas.issues,
    ...read.issues,
    ...run.issues,
  ]);
  return {
    issues,
    listen: run.settings.listen,
    complete() {
      if (issues.length > 0) throw new Error("the plan has faults");
      return {
        file: config.file,
        certificates: read.certificates,
        overlaps: overlapsOf(read.certificates),
        routes: solvers.routes,
        dns: dns.settings,
        cas: cas.cas,
        caOf: (directoryUrl) => cas.of(directoryUrl),
        run: run.settings,
      };
    },
  };
}

/** The order for a planned certificate at one of its CAs, the first one unless `ca` says which. */
export function requestOf(
  plan: Plan,
  certificate: PlannedCertificate,
  options: { readonly force?: boolean; readonly dryRun?: boolean; readonly ca?: PlannedCa } = {},
): IssueRequest {
  const { force = false, dryRun = false, ca = certificate.cas[0] } = options;
  if (ca === undefined) throw new Error(`no CA for ${certificate.name}`);
  const { name, identifiers, reuseKey, csr } = certificate;
  const keyType = ca.keyType ?? certificate.keyType;
  return {
    name,
    identifiers,
    ca: {
      directoryUrl: directoryFor(ca.ca, keyType, dryRun),
      rootPem: ca.rootPem,
      contact: ca.contact,
      eab: ca.eab,
    },
    keyType,
    profile: ca.profile,
    preferredChain: ca.preferredChain,
    reuseKey,
    csr,
    force,
    dryRun,
    propagation: plan.dns.propagation,
    provider: [...new Set(plan.routes.map((r) => r.provider.id))].join(","),
  };
}

function readRun({ flags }: Sources): { readonly settings: RunSettings; readonly issues: readonly ConfigIssue[] } {
  const text = flags.text("listen");
  const listen = text === undefined ? undefined : parseListen(text);
  const message = `"${text}" is no address to listen on; write 127.0.0.1:9402, [::1]:9402 or :9402`;
  return {
    settings: { listen, parallel: flags.integer("parallel") ?? 4 },
    issues: text === undefined || listen !== undefined ? [] : [{ path: flags.source("listen") ?? "--listen", message }],
  };
}

/** ":9402" is every address of the machine. */
function parseListen(text: string): RunSettings["listen"] {
  const every = /^(?:\*|localhost)?:(\d{1,5})$/.exec(text);
  if (every === null) {
    // Port 0: whichever is free, told in the log.
    const endpoint = parseEndpoint(text.replace(/:0$/, ":1"), -1);
    if (endpoint !== undefined && text.endsWith(":0")) return { ...endpoint, port: 0 };
    return endpoint === undefined || endpoint.port < 0 ? undefined : endpoint;
  }
  const port = Number(every[1]);
  if (port > 65_535) return undefined;
  return { address: text.startsWith("localhost") ? "127.0.0.1" : undefined, port };
}
