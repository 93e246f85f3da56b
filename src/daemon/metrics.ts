import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { type CertificateState, certificateStates } from "../issuer/certificate-state.ts";
import type { UpkeepEvent } from "../issuer/kept.ts";

/** Certificates with lines of their own; of more there are only sums, so that a scrape stays small. */
const namedAtMost = 1000;

/** What a scrape of `dns01 run` shows; see docs/daemon.md. */
export interface DaemonMetrics {
  readonly onEvent: (event: UpkeepEvent) => void;
  /** From now on these certificates; how they are deployed may have changed with the file. */
  keep(names: ReadonlySet<string>, isReload: boolean): void;
  reloaded(result: "ok" | "failed"): void;
  readonly contentType: string;
  text(): Promise<string>;
}

export interface DaemonMetricsOptions {
  readonly version: string;
  /** Wall clock. */
  readonly now: () => number;
  readonly counts: () => { readonly keys: number; readonly waiting: number; readonly working: number };
}

interface Known {
  readonly notAfter: number;
  readonly at: number;
  readonly isRetired?: boolean;
}

export function createDaemonMetrics({ version, now, counts }: DaemonMetricsOptions): DaemonMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const known = new Map<string, Known>();
  const failing = new Set<string>();
  const undeployed = new Set<string>();
  const due = new Set<string>();
  let kept: ReadonlySet<string> = new Set();

  const stateOf = (name: string): CertificateState => {
    const held = known.get(name);
    if (held === undefined) return failing.has(name) ? "failing" : "not issued";
    if (held.isRetired === true) return "revoked";
    if (held.notAfter <= now()) return "expired";
    if (failing.has(name)) return "failing";
    if (undeployed.has(name)) return "not deployed";
    return due.has(name) || held.at <= now() ? "due" : "valid";
  };

  const gauge = (name: string, help: string, collect: (set: (value: number) => void) => void) =>
    new Gauge({
      name: `dns01_${name}`,
      help,
      registers,
      collect() {
        collect((value) => this.set(value));
      },
    });
  const each = (name: string, help: string, pick: (certificate: Known) => number) =>
    new Gauge({
      name: `dns01_${name}`,
      help,
      labelNames: ["name"],
      registers,
      collect() {
        this.reset();
        for (const [certificate, facts] of [...known].slice(0, namedAtMost))
          this.set({ name: certificate }, pick(facts));
      },
    });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `dns01_${name}`, help, labelNames, registers });
  const earliest = (pick: (certificate: Known) => number) =>
    [...known.values()].reduce((least, one) => Math.min(least, pick(one)), Number.POSITIVE_INFINITY) / 1000;

  new Gauge({ name: "dns01_build_info", help: "The version that runs.", labelNames: ["version"], registers }).set(
    { version },
    1,
  );
  gauge("certificates", "Certificates that are looked after.", (set) => set(counts().keys));
  gauge("certificates_failing", "Those whose last order or deployment failed.", (set) =>
    set(new Set([...failing, ...undeployed]).size),
  );
  new Gauge({
    name: "dns01_certificates_by_state",
    help: "Certificates in each state.",
    labelNames: ["state"],
    registers,
    collect() {
      for (const state of certificateStates) this.set({ state }, 0);
      for (const name of kept) this.inc({ state: stateOf(name) });
    },
  });
  gauge("certificates_waiting", "Those that are due and wait for their turn.", (set) => set(counts().waiting));
  gauge("orders_in_flight", "Certificates being worked on.", (set) => set(counts().working));
  gauge("earliest_expiry_timestamp_seconds", "When the first certificate ends; +Inf without any.", (set) =>
    set(earliest(({ notAfter }) => notAfter)),
  );
  gauge("next_renewal_timestamp_seconds", "When the next renewal is planned; +Inf without any.", (set) =>
    set(earliest(({ at }) => at)),
  );
  each("certificate_expiry_timestamp_seconds", "When a certificate ends.", ({ notAfter }) => notAfter / 1000);
  each("certificate_renewal_timestamp_seconds", "When a certificate is to be renewed.", ({ at }) => at / 1000);
  const renewals = counter("renewals_total", "Certificates issued.", ["ca"]);
  const failures = counter("renewal_failures_total", "Failed tries.", ["ca", "code"]);
  const putOff = counter("renewals_put_off_total", "Looks at due certificates that were not tried yet.", []);
  const deployments = counter("deployments_total", "Certificates brought to their place.", ["result"]);
  const reloads = counter("config_reloads_total", "Configuration files read again.", ["result"]);

  return {
    onEvent(event) {
      switch (event.type) {
        case "held":
          known.set(event.name, {
            at: Number.POSITIVE_INFINITY,
            ...known.get(event.name),
            notAfter: event.notAfter,
            isRetired: event.isRetired,
          });
          if (event.isFailing && !event.isRetired) failing.add(event.name);
          else failing.delete(event.name);
          return;
        case "planned":
          due.delete(event.name);
          failing.delete(event.name);
          known.set(event.name, { notAfter: event.notAfter, at: event.at });
          return;
        case "renewed":
          failing.delete(event.name);
          due.delete(event.name);
          renewals.inc({ ca: hostOf(event.ca) });
          return;
        case "failed":
          failing.add(event.name);
          failures.inc({ ca: hostOf(event.ca), code: event.error.code });
          return;
        case "unreadable":
          failing.add(event.name);
          return;
        case "put-off":
          due.add(event.name);
          putOff.inc();
          return;
        case "deployed":
          undeployed.delete(event.name);
          deployments.inc({ result: "ok" });
          return;
        case "deploy-failed":
          undeployed.add(event.name);
          deployments.inc({ result: "failed" });
          return;
        case "ordering":
          due.add(event.name);
          return;
      }
    },
    keep(names, isReload) {
      kept = names;
      if (isReload) undeployed.clear();
      for (const all of [known, failing, undeployed, due])
        for (const name of all.keys()) if (!names.has(name)) all.delete(name);
    },
    reloaded: (result) => reloads.inc({ result }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

/** The CAs are few, and their paths long. */
function hostOf(directoryUrl: string): string {
  return URL.canParse(directoryUrl) ? new URL(directoryUrl).host : "unknown";
}
