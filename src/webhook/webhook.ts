import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import type { ApiServiceWatcher, KubernetesApi } from "../kubernetes/api.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createAccess } from "./access.ts";
import { createApp } from "./app.ts";
import type { Solving } from "./challenge.ts";
import { createChallengeHandler } from "./challenge-handler.ts";
import { createDrain } from "./drain.ts";
import { createFrontProxy } from "./front-proxy.ts";
import { authoritiesEnd, type FrontProxyState } from "./front-proxy-config.ts";
import { type FrontProxySource, followFrontProxy } from "./front-proxy-source.ts";
import { type Check, runChecks } from "./health.ts";
import { createMetricsServer } from "./metrics-server.ts";
import { followOwnApiServices } from "./own-api-service.ts";
import { createSecureServer, type ListenAddress, listen } from "./secure-server.ts";
import { followServingCertificate, type KeyPairFiles, readKeyPair } from "./serving-certificate.ts";
import { statusPage } from "./status-page.ts";

export interface WebhookOptions extends KeyPairFiles {
  readonly version: string;
  readonly groups: readonly string[];
  readonly solving: Solving;
  readonly secure: ListenAddress;
  /** Undefined: no metrics, and no status page. */
  readonly plain: ListenAddress | undefined;
  readonly frontProxy: FrontProxySource;
  readonly allowedCallers: readonly string[];
  /** Asked for a SubjectAccessReview of each call. */
  readonly reviewer?: Pick<KubernetesApi, "reviewAccess"> | undefined;
  /** Shows the groups' own APIServices. */
  readonly apiServices?: ApiServiceWatcher | undefined;
  /** The solving's own limit; a little later the server answers by itself. */
  readonly callTimeoutMs: number;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly observer: Observer;
  readonly metrics: Metrics;
}

export interface Webhook {
  readonly port: number;
  readonly plainPort: number | undefined;
  /**
   * Not ready any more, but serving for `delayMs`; then no new connections, and the end when the last call is answered.
   * Resolves with the number of calls that had to be cut off.
   */
  stop(delayMs: number): Promise<number>;
}

/** How much later than the solving's limit the server gives up, and how long the answers then may take to go out. */
const SLACK_MS = 3_000;

/** Serves challenges until it is stopped. Throws ConfigError for files and addresses that cannot be used. */
export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const { certFile, keyFile, solving, clock, observer, metrics, callTimeoutMs } = options;
  const now = () => options.now().getTime();
  const life = new AbortController();
  const noTimeLeft = new AbortController();
  let leaving = false;
  const pair = await readKeyPair(options).catch((error: unknown) => {
    throw new ConfigError([{ path: "--tls-cert-file", message: thrownText(error) }]);
  });
  const frontProxy = createFrontProxy({ fault: "ConfigMap and flags have not been read yet" }, now);
  const drain = createDrain(clock);
  const readiness: readonly Check[] = [
    { name: "serving-certificate", fault: () => certificate.fault() },
    { name: "front-proxy", fault: () => faultOf(frontProxy.state()) },
    { name: "shutdown", fault: () => (leaving ? "it is ending" : undefined) },
  ];
  const challenge = createChallengeHandler({
    solving,
    limitMs: callTimeoutMs + SLACK_MS,
    clock,
    observer,
    metrics,
    signal: noTimeLeft.signal,
  });
  const app = createApp({
    groups: options.groups,
    solvers: solving.solvers(),
    version: options.version,
    frontProxy,
    access: createAccess({ allowedCallers: options.allowedCallers, reviewer: options.reviewer, clock }),
    challenge,
    readiness,
    observer,
    metrics,
    leaving: () => leaving,
  });
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    drain.track(res);
    app(req, res);
  };
  const secure = createSecureServer(pair, onRequest, (socket) => frontProxy.isVouched(socket));
  metrics.servingCertificate(pair.notAfter);
  metrics.frontProxy(undefined);
  const certificate = followServingCertificate(pair, {
    certFile,
    keyFile,
    observer,
    now,
    signal: life.signal,
    onChange: (next) => {
      secure.setKeyPair(next);
      metrics.servingCertificate(next.notAfter);
    },
    onReload: (result) => metrics.servingCertificateReload(result),
  });
  const page = () =>
    statusPage({
      version: options.version,
      startedAt,
      groups: options.groups,
      solvers: solving.solvers(),
      checks: runChecks(readiness),
      certificateEnd: new Date(certificate.current().notAfter),
      underWay: drain.underWay,
    });
  const plain = options.plain === undefined ? undefined : createMetricsServer({ metrics, readiness, page });
  const startedAt = options.now();
  try {
    await followFrontProxy(options.frontProxy, {
      observer,
      signal: life.signal,
      onState: (state) => {
        frontProxy.update(state);
        metrics.frontProxy("config" in state ? authoritiesEnd(state.config) : undefined);
      },
    });
    const port = await open(secure.server, options.secure, "--secure-port");
    const plainPort = plain && options.plain && (await open(plain, options.plain, "--metrics-bind-address"));
    const { apiServices: watcher, groups } = options;
    if (watcher !== undefined) followOwnApiServices({ watcher, groups, observer, metrics, signal: life.signal });
    return {
      port,
      plainPort,
      async stop(delayMs) {
        leaving = true;
        await clock.sleep(delayMs);
        const late = clock.sleep(callTimeoutMs + SLACK_MS, life.signal).then(
          () => noTimeLeft.abort(),
          () => {},
        );
        const cut = await drain.end(secure.server, callTimeoutMs + 2 * SLACK_MS);
        life.abort();
        await late;
        await solving.close();
        await closed(plain);
        return cut;
      },
    };
  } catch (error) {
    life.abort();
    await Promise.all([closed(secure.server), closed(plain)]);
    throw error;
  }
}

function faultOf(state: FrontProxyState): string | undefined {
  return "fault" in state ? state.fault : undefined;
}

async function open(server: Server, address: ListenAddress, flag: string): Promise<number> {
  try {
    return await listen(server, address);
  } catch (error) {
    throw new ConfigError([{ path: flag, message: `cannot listen: ${thrownText(error)}` }]);
  }
}

function closed(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined || !server.listening) return resolve();
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
