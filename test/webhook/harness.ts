import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import type { ChallengeAnswer, ChallengeRequest, SolveCall } from "../../src/webhook/challenge.ts";
import { startWebhook, type WebhookOptions } from "../../src/webhook/webhook.ts";
import { type AggregatorOptions, createAggregator } from "../fakes/aggregator.ts";
import { type ClusterPki, makeClusterPki, type Pair, serviceName } from "./pki.ts";

export const group = "acme.example.com";

export interface HarnessOptions extends Partial<WebhookOptions> {
  readonly solve?: (request: ChallengeRequest, call: SolveCall) => Promise<ChallengeAnswer>;
  readonly solvers?: readonly string[];
  readonly allowedNames?: readonly string[];
  readonly pki?: ClusterPki;
}

export type Harness = Awaited<ReturnType<typeof startHarness>>;

/** The server with its files in a folder, and something that solves as the test says. */
export async function startHarness(options: HarnessOptions = {}) {
  const { solve = async () => ({ success: true }), solvers = ["dnspod", "rfc2136"], ...rest } = options;
  const pki = options.pki ?? (await makeClusterPki());
  const folder = await mkdtemp(join(tmpdir(), "dns01-webhook-"));
  const certFile = join(folder, "tls.crt");
  const keyFile = join(folder, "tls.key");
  const caFile = join(folder, "front-proxy-ca.crt");
  const install = async (pair: Pair) => {
    await Promise.all([replace(certFile, pair.cert), replace(keyFile, pair.key)]);
  };
  await install(pki.serving);
  await replace(caFile, pki.frontProxyCa.cert);
  const events: Dns01Event[] = [];
  const calls: { request: ChallengeRequest; call: SolveCall }[] = [];
  const metrics = createMetrics({ version: "0.0.0-test" });
  const webhook = await startWebhook({
    version: "1.2.3",
    groups: [group],
    solving: {
      solvers: () => solvers,
      solve: (request, call) => {
        calls.push({ request, call });
        return solve(request, call);
      },
      close: async () => {},
    },
    certFile,
    keyFile,
    secure: { host: "127.0.0.1", port: 0 },
    plain: undefined,
    frontProxy: { caFile, allowedNames: options.allowedNames ?? [] },
    allowedCallers: ["system:serviceaccount:cert-manager:cert-manager"],
    callTimeoutMs: 25_000,
    clock: systemClock,
    now: () => new Date(),
    observer: (event) => events.push(event),
    metrics,
    ...rest,
  });
  const aggregators: { close(): void }[] = [];
  let stopped: Promise<number> | undefined;
  const stop = (delayMs = 0) => (stopped ??= webhook.stop(delayMs));
  return {
    ...webhook,
    stop,
    pki,
    folder,
    caFile,
    certFile,
    keyFile,
    events,
    calls,
    metrics,
    install,
    /** Warnings and lines of the log from "warn" on. */
    complaints: () =>
      events.flatMap((event) =>
        event.type === "warning" || (event.type === "log" && event.level !== "info" && event.level !== "debug")
          ? [event.text]
          : [],
      ),
    aggregator(more: Partial<AggregatorOptions> = {}) {
      const made = createAggregator({
        port: webhook.port,
        caBundle: pki.servingCa.cert,
        service: serviceName,
        proxy: pki.frontProxy,
        ...more,
      });
      aggregators.push(made);
      return made;
    },
    async close() {
      for (const one of aggregators) one.close();
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Whole, as Kubernetes' swap of a symbolic link: nobody sees half a file. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Until it is so; the test's own time limit ends the wait. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(10);
}
