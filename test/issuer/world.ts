import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAcmeClient } from "../../src/acme/client.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseIdentifier } from "../../src/core/name.ts";
import { openDns } from "../../src/issuer/network.ts";
import type { IssueDeps, IssueRequest } from "../../src/issuer/request.ts";
import { createRouter } from "../../src/issuer/router.ts";
import { connectSolver, loadProvider } from "../../src/providers.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";

/** A sandbox, a state directory, and the issuer's parts wired to both. */
export interface World {
  readonly box: Sandbox;
  readonly store: Store;
  readonly events: readonly Dns01Event[];
  request(domains: readonly string[], more?: Partial<IssueRequest>): IssueRequest;
  deps(more?: Partial<IssueDeps>): Promise<IssueDeps>;
  close(): Promise<void>;
}

export async function openWorld(options: SandboxOptions = {}): Promise<World> {
  const box = await startSandbox(options);
  const dir = await mkdtemp(join(tmpdir(), "dns01-issuer-"));
  const events: Dns01Event[] = [];
  const observer = (event: Dns01Event) => {
    events.push(event);
  };
  const store = await openStore(dir, { observer });
  const [address = "", port = ""] = box.resolver.split(":");
  const provider = await loadProvider("rfc2136");
  const resolved = await resolveConfig(provider, { env: box.env });
  const settings = {
    resolvers: [{ address, port: Number(port) }],
    servers: [],
    mode: "resolver" as const,
    port: box.dnsPort,
    propagation: { mode: "authoritative" as const, timeoutMs: 20_000 },
  };
  return {
    box,
    store,
    events,
    request: (domains, more = {}) => ({
      name: domains[0]?.replace("*.", "") ?? "",
      identifiers: domains.map((d) => parseIdentifier(d, "domain")),
      ca: { directoryUrl: box.directoryUrl, rootPem: box.caRootPem, contact: [] },
      keyType: "ec256",
      reuseKey: false,
      force: false,
      dryRun: false,
      propagation: settings.propagation,
      provider: "rfc2136",
      ...more,
    }),
    deps: async (more = {}) => {
      const signal = more.signal ?? new AbortController().signal;
      const route = {
        zones: [],
        provider: "rfc2136",
        connect: () => connectSolver(provider, resolved, { signal, observer }),
      };
      return {
        certificates: store.certificates,
        accounts: store.accounts,
        journal: store.journal,
        solvers: createRouter([route]),
        connectAcme: (acme) => createAcmeClient(acme, { observer, userAgent: "dns01/test" }),
        dns: await openDns(settings, observer),
        observer,
        clock: systemClock,
        now: () => new Date(),
        signal,
        ...more,
      };
    },
    close: async () => {
      await box.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** DNS updates that reached the sandbox's primary, as it carried them out. */
export function updatesOf(box: Sandbox): readonly (readonly string[])[] {
  return box.log.entries.flatMap((e) => (e.kind === "update" ? [e.changes] : []));
}
