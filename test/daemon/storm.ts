import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAcmeClient } from "../../src/acme/client.ts";
import { systemClock } from "../../src/core/clock.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseIdentifier } from "../../src/core/name.ts";
import { inParallel } from "../../src/issuer/in-parallel.ts";
import { issue } from "../../src/issuer/issue.ts";
import { openDns } from "../../src/issuer/network.ts";
import { createRouter } from "../../src/issuer/router.ts";
import { shareRouter } from "../../src/issuer/shared-router.ts";
import { connectSolver, loadProvider } from "../../src/providers.ts";
import { type Faults, type LogEntry, type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { openStore } from "../../src/store/index.ts";
import { makeFolder, startService } from "./service.ts";

export interface StormOptions {
  readonly certificates: number;
  readonly parallel: number;
  readonly faults?: Faults;
  readonly seed?: number;
  /** Follows the program's own steps as well, which costs time. */
  readonly followSteps?: boolean;
}

export interface Storm {
  readonly renewed: number;
  /** Certificates that the CA has signed meanwhile, also those that nobody fetched. */
  readonly signed: number;
  /** Versions kept of each certificate, the most: two when none was issued twice. */
  readonly versions: number;
  readonly seconds: number;
  readonly peakMb: number;
  /** Orders open at the CA at the same time, the most. */
  readonly ordersAtOnce: number;
  /** Calls of the DNS service and requests to the CA under way at the same time, the most; 0 without `followSteps`. */
  readonly callsAtOnce: { readonly dns: number; readonly acme: number };
  readonly dnsWrites: number;
  /** TXT values left in DNS. */
  readonly leftInDns: number;
  readonly leftInJournal: number;
  readonly status: number | null;
  readonly failures: readonly string[];
}

const follower = fileURLToPath(new URL("../real/kill-at.mjs", import.meta.url));
const day = 86_400_000;

/** So many certificates of one zone are due at the same moment; `dns01 run` renews them. */
export async function storm(options: StormOptions): Promise<Storm> {
  const { certificates, parallel, faults = {}, seed = 1, followSteps = false } = options;
  let ageMs = 65 * day;
  const watching = watchCa();
  const box = await startSandbox({ seed, now: () => new Date(Date.now() - ageMs), onEntry: watching.onEntry });
  const names = Array.from({ length: certificates }, (_, n) => `c${n}.example.test`);
  const folder = makeFolder({
    solvers: [{ provider: "rfc2136" }],
    certificates: names.map((name) => ({ domains: [name] })),
  });
  try {
    await issueBefore(box, folder.state, names);
    ageMs = 0;
    box.weather.set(faults);
    watching.reset();
    const signedBefore = box.ca.state.certificates.size;
    const from = performance.now();
    const more = ["--parallel", String(parallel), "--orders-per-second", "100"];
    const steps = join(folder.dir, "steps");
    const followed = { NODE_OPTIONS: `--import=${follower}`, DNS01_TEST_STEPS: steps };
    const service = startService(folder, { ...box.env, ...(followSteps ? followed : {}) }, more);
    let renewed = 0;
    await service.line((l) => l.event === "renewed" && ++renewed === certificates);
    const seconds = (performance.now() - from) / 1000;
    const peakMb = service.peakMb();
    service.child.kill("SIGTERM");
    const { status } = await service.done;
    const versions = names.map((name) => readdirSync(join(folder.state, "certificates", name, "versions")).length);
    return {
      renewed: service.lines().filter((l) => l.event === "renewed").length,
      signed: box.ca.state.certificates.size - signedBefore,
      versions: Math.max(...versions),
      seconds,
      peakMb,
      ordersAtOnce: watching.most(),
      callsAtOnce: followSteps ? mostAtOnce(readFileSync(steps, "utf8")) : { dns: 0, acme: 0 },
      dnsWrites: watching.writes(),
      leftInDns: names.reduce((n, name) => n + box.zone.txt(`_acme-challenge.${name}`).length, 0),
      leftInJournal: readdirSync(join(folder.state, "journal")).filter((name) => !name.startsWith(".")).length,
      status,
      failures: service.lines().flatMap((l) => (l.event === "failed" ? [l.message] : [])),
    };
  } finally {
    await box.close();
    rmSync(folder.dir, { recursive: true, force: true });
  }
}

/** From the steps that the program has announced, each before and after it was taken. */
function mostAtOnce(steps: string): Storm["callsAtOnce"] {
  const open = { dns: 0, acme: 0 };
  const most = { dns: 0, acme: 0 };
  for (const line of steps.trim().split("\n")) {
    const { kind, state } = JSON.parse(line) as { readonly kind: string; readonly state: string };
    if (kind !== "dns" && kind !== "acme") continue;
    open[kind] += state === "before" ? 1 : -1;
    most[kind] = Math.max(most[kind], open[kind]);
  }
  return most;
}

/** Certificates of a while ago, so that all are due now. */
async function issueBefore(box: Sandbox, state: string, names: readonly string[]): Promise<void> {
  const signal = new AbortController().signal;
  const observer = () => {};
  const store = await openStore(state);
  const provider = await loadProvider("rfc2136");
  const resolved = await resolveConfig(provider, { env: box.env });
  const [address = "", port = ""] = box.resolver.split(":");
  const propagation = { mode: "none" as const, timeoutMs: 20_000 };
  const settings = {
    resolvers: [{ address, port: Number(port) }],
    servers: [],
    mode: "resolver" as const,
    port: box.dnsPort,
    propagation,
  };
  const route = {
    zones: [],
    provider: "rfc2136",
    connect: () => connectSolver(provider, resolved, { signal, observer }),
  };
  const shared = shareRouter(createRouter([route]), { clock: systemClock });
  const dns = await openDns(settings, observer);
  // Few at a time: CA, nameservers and client share this process, and their answers are awaited for a second or two only.
  await inParallel(names, 8, async (name) => {
    const view = shared.open([name]);
    try {
      await issue(
        {
          name,
          identifiers: [parseIdentifier(name, "name")],
          ca: { directoryUrl: box.directoryUrl, rootPem: box.caRootPem, contact: [] },
          keyType: "ec256",
          reuseKey: false,
          force: false,
          dryRun: false,
          propagation,
          provider: "rfc2136",
        },
        {
          certificates: store.certificates,
          accounts: store.accounts,
          journal: store.journal,
          solvers: view.solvers,
          connectAcme: (acme) => createAcmeClient(acme, { observer, userAgent: "dns01/test" }),
          dns,
          observer,
          clock: systemClock,
          now: () => new Date(Date.now() - 65 * day),
          signal,
        },
      );
    } finally {
      view.close();
    }
  });
  await store.close();
}

/** Counts what reaches CA and nameservers. */
function watchCa() {
  let open = 0;
  let most = 0;
  let writes = 0;
  return {
    onEntry(entry: LogEntry) {
      if (entry.kind === "update" && entry.rcode === "NOERROR") writes++;
      if (entry.kind !== "acme" || entry.status === 0 || entry.status >= 400) return;
      if (/\/new-?order/i.test(entry.path)) most = Math.max(most, ++open);
      if (/\/cert/i.test(entry.path)) open = Math.max(0, open - 1);
    },
    reset() {
      open = 0;
      most = 0;
      writes = 0;
    },
    most: () => most,
    writes: () => writes,
  };
}
