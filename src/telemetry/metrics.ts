import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Observer } from "../core/events.ts";

export interface ChallengeSample {
  readonly action: string;
  /** The solver that was asked. */
  readonly provider: string;
  /** A code of docs/errors.md, or OK. */
  readonly code: string;
  readonly durationMs: number;
}

/** What a scrape shows; labels are from short lists, never a domain. See docs/metrics.md. */
export interface Metrics {
  /** Counts what the engine tells: calls of a service, retries, waits, warnings. */
  readonly observer: Observer;
  challenge(sample: ChallengeSample): void;
  /** An answer of the secure port. */
  request(endpoint: string, status: number): void;
  /** A request that was refused, by why. */
  refused(reason: string): void;
  /** Challenges being solved. */
  inFlight(change: 1 | -1): void;
  servingCertificate(notAfterMs: number): void;
  servingCertificateReload(result: "ok" | "failed"): void;
  /** When the front proxy's last CA ends; undefined while none is known. */
  frontProxy(caNotAfterMs: number | undefined): void;
  /** Whether the API server can use the APIService of a group that is served; undefined: nobody knows. */
  apiService(group: string, available: boolean | undefined): void;
  /** How long every authoritative nameserver took to serve a value. */
  propagation(provider: string, lagMs: number): void;
  /** A value that nobody will take out of DNS. */
  leftover(provider: string): void;
  /** Nothing is asked of a service for a while, since it refuses these credentials. */
  breakerOpened(provider: string): void;
  /** Work that went on when its caller had been answered: "begun", or the code it has ended with. */
  background(provider: string, state: string): void;
  readonly contentType: string;
  text(): Promise<string>;
}

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];
const lagSeconds = [1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300];

export function createMetrics({ version }: { readonly version: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `dns01_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `dns01_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets = seconds) =>
    new Histogram({ name: `dns01_${name}`, help, labelNames, registers, buckets });

  const challenges = counter("webhook_challenges_total", "Challenges answered.", ["action", "provider", "code"]);
  const challengeSeconds = histogram("webhook_challenge_duration_seconds", "Time to the answer of a challenge.", [
    "action",
    "provider",
  ]);
  const inFlight = gauge("webhook_challenges_in_flight", "Challenges being solved.");
  const requests = counter("webhook_requests_total", "Answers of the secure port.", ["endpoint", "status"]);
  const refused = counter("webhook_refused_total", "Requests refused before anything was done.", ["reason"]);
  const certificateEnd = gauge(
    "webhook_serving_certificate_expiry_timestamp_seconds",
    "When the serving certificate ends.",
  );
  const reloads = counter("webhook_serving_certificate_reloads_total", "New serving certificates found.", ["result"]);
  const frontProxyReady = gauge("webhook_front_proxy_ready", "1 while the CA of the front proxy is known.");
  const frontProxyEnd = gauge(
    "webhook_front_proxy_ca_expiry_timestamp_seconds",
    "When the last CA of the front proxy ends; 0 while none is known.",
  );
  const apiServices = gauge(
    "webhook_apiservice_available",
    "1 while the API server can use the group's APIService; absent where it may not be watched.",
    ["group"],
  );
  const calls = counter("provider_calls_total", "Requests to DNS services.", ["provider", "operation", "code"]);
  const callSeconds = histogram("provider_call_duration_seconds", "Time of a request to a DNS service.", [
    "provider",
    "operation",
  ]);
  const retries = counter("retries_total", "Repeated requests, by what went wrong.", ["code"]);
  const warnings = counter("warnings_total", "Warnings, by code.", ["code"]);
  const rateWaits = counter("rate_limit_waits_total", "Requests that waited for their turn.", ["provider"]);
  const rateWaitSeconds = counter("rate_limit_wait_seconds_total", "Time that requests waited for their turn.", [
    "provider",
  ]);
  const lag = histogram(
    "propagation_seconds",
    "Time until every authoritative nameserver served a value.",
    ["provider"],
    lagSeconds,
  );
  const leftovers = counter("leftovers_total", "Values that may be left in DNS for ever.", ["provider"]);
  const breakers = counter("breaker_opened_total", "Times that refused credentials were given a rest.", ["provider"]);
  const background = counter("webhook_background_total", "Work that went on after its caller was answered.", [
    "provider",
    "state",
  ]);
  gauge("build_info", "Always 1.", ["version"]).set({ version }, 1);

  return {
    observer(event) {
      switch (event.type) {
        case "call":
          calls.inc({ provider: event.provider, operation: event.operation, code: event.code });
          callSeconds.observe({ provider: event.provider, operation: event.operation }, event.durationMs / 1_000);
          break;
        case "retry":
          retries.inc({ code: event.code });
          break;
        case "rate.wait":
          rateWaits.inc({ provider: event.provider });
          rateWaitSeconds.inc({ provider: event.provider }, event.waitMs / 1_000);
          break;
        case "warning":
          warnings.inc({ code: event.code });
          break;
      }
    },
    challenge({ action, provider, code, durationMs }) {
      challenges.inc({ action, provider, code });
      challengeSeconds.observe({ action, provider }, durationMs / 1_000);
    },
    request: (endpoint, status) => requests.inc({ endpoint, status: String(status) }),
    refused: (reason) => refused.inc({ reason }),
    inFlight: (change) => inFlight.inc(change),
    servingCertificate: (notAfterMs) => certificateEnd.set(notAfterMs / 1_000),
    servingCertificateReload: (result) => reloads.inc({ result }),
    frontProxy(caNotAfterMs) {
      frontProxyReady.set(caNotAfterMs === undefined ? 0 : 1);
      frontProxyEnd.set((caNotAfterMs ?? 0) / 1_000);
    },
    apiService(group, available) {
      if (available === undefined) apiServices.remove({ group });
      else apiServices.set({ group }, available ? 1 : 0);
    },
    propagation: (provider, lagMs) => lag.observe({ provider }, lagMs / 1_000),
    leftover: (provider) => leftovers.inc({ provider }),
    breakerOpened: (provider) => breakers.inc({ provider }),
    background: (provider, state) => background.inc({ provider, state }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
