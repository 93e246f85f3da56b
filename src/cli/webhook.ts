import { setFlagsFromString } from "node:v8";
import { readDnsSettings } from "../config/dns-settings.ts";
import { systemClock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { FrontProxySource } from "../webhook/front-proxy-source.ts";
import { readFrontProxyFile } from "../webhook/front-proxy-source.ts";
import { reportSolving } from "../webhook/report.ts";
import { parseAllowedEndpoints } from "../webhook/solve/endpoints.ts";
import { openPolicy } from "../webhook/solve/policy.ts";
import { createSolving } from "../webhook/solve/solving.ts";
import { startWebhook, type Webhook } from "../webhook/webhook.ts";
import type { Flags } from "./args.ts";
import { openBatchedLog } from "./batched-log.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { type BindAddress, hostOf, parseBindAddress } from "./webhook-address.ts";

export const command: Command = { run: webhook };

/** `dns01 webhook`: serves challenges of cert-manager until SIGTERM. */
async function webhook(given: CommandInput) {
  boundMemory();
  const input = { ...given, observer: openBatchedLog(given) };
  const { flags, io, observer } = input;
  const settings = await readSettings(input);
  const kubernetes = await connectCluster(settings, input);
  const metrics = createMetrics({ version: input.version });
  const solving = await createSolving({
    registry: input.registry,
    providers: flags.given.has("providers") ? flags.list("providers") : undefined,
    kubernetes,
    allowedEndpoints: settings.allowedEndpoints,
    anyNameserver: !flags.on("restrict-nameservers"),
    policy: settings.policy,
    propagationGate: flags.on("propagation-gate"),
    dns: settings.dns,
    callTimeoutMs: settings.callTimeoutMs,
    env: io.env,
    observe: reportSolving({ observer, metrics, debug: flags.text("log-level") === "debug" }),
  });
  const server = await startWebhook({
    version: input.version,
    groups: settings.groups,
    solving,
    certFile: settings.certFile,
    keyFile: settings.keyFile,
    secure: settings.secure,
    plain: settings.plain,
    frontProxy: settings.frontProxy ?? { kubernetes: required(kubernetes) },
    allowedCallers: flags.list("allowed-caller"),
    reviewer: flags.on("subject-access-review") ? kubernetes : undefined,
    apiServices: kubernetes,
    callTimeoutMs: settings.callTimeoutMs,
    clock: systemClock,
    now: () => new Date(),
    observer,
    metrics,
  });
  tellReady(server, settings.groups, solving.solvers(), input);
  await ended(io.signal);
  observer({ type: "log", level: "info", text: "ending: not ready any more, open calls are answered" });
  const cut = await server.stop(flags.duration("shutdown-delay") ?? 0);
  kubernetes?.close();
  if (cut > 0) observer({ type: "log", level: "error", text: `${counted(cut, "call")} cut off` });
  return { json: undefined, text: "", status: cut > 0 ? 1 : 0 };
}

/**
 * V8 lets its young generation grow to 32 MB under load and keeps it, and lets garbage in the old one pile up to several
 * times of what lives. Both can be bounded at any time, unlike the maximum, which cannot be changed once V8 runs. Below 60
 * percent a call costs up to a fifth more, all of it garbage collection.
 */
function boundMemory(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=60");
}

interface Settings {
  readonly groups: readonly string[];
  readonly certFile: string;
  readonly keyFile: string;
  readonly secure: BindAddress;
  readonly plain: BindAddress | undefined;
  readonly frontProxy: FrontProxySource | undefined;
  readonly allowedEndpoints: ReturnType<typeof parseAllowedEndpoints>;
  readonly policy: Awaited<ReturnType<typeof openPolicy>> | undefined;
  readonly dns: ReturnType<typeof readDnsSettings>["settings"];
  readonly callTimeoutMs: number;
}

/** Reads and checks all that was given; every fault at once. */
async function readSettings(input: CommandInput): Promise<Settings> {
  const { flags } = input;
  const dns = readDnsSettings(flags);
  const issues: ConfigIssue[] = [...input.issues, ...dns.issues];
  const fault = (flag: string, message: string) =>
    void issues.push({
      path: flags.source(flag) === "default" ? `--${flag}` : (flags.source(flag) ?? `--${flag}`),
      message,
    });
  const collect = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
      return undefined;
    }
  };

  const groups = [...new Set(flags.list("group-name"))];
  for (const group of groups) {
    if (!isGroupName(group))
      fault("group-name", `"${group}" is no API group: write a domain name such as acme.example.com`);
  }
  const certFile = flags.text("tls-cert-file");
  const keyFile = flags.text("tls-private-key-file");
  const without = "is missing: the API server only talks to a serving certificate that it can check";
  if (certFile === undefined) fault("tls-cert-file", without);
  if (keyFile === undefined) fault("tls-private-key-file", without);
  const host = hostOf(flags.text("bind-address") ?? "");
  if (host === null) fault("bind-address", `"${flags.text("bind-address")}" is no IP address`);
  const port = flags.integer("secure-port") ?? 0;
  if (port > 65_535) fault("secure-port", `${port} is no port`);
  const plainText = flags.text("metrics-bind-address") ?? "0";
  const plain = plainText === "0" ? undefined : parseBindAddress(plainText);
  if (plainText !== "0" && plain === undefined) {
    fault("metrics-bind-address", `"${plainText}" is no address; write :9402, 127.0.0.1:9402 or 0 for none`);
  }
  const callTimeoutMs = flags.duration("call-timeout") ?? 25_000;
  if (callTimeoutMs < 1_000 || callTimeoutMs > 50_000) {
    fault("call-timeout", "has to be from 1s to 50s: the API server gives up after 60 s");
  }
  const frontProxy = await collect(() => readFrontProxy(flags, fault));
  const allowedEndpoints = await collect(() => parseAllowedEndpoints(flags.list("allowed-endpoint")));
  const policy = await collect(() => readPolicy(input));
  failOn(issues);
  return {
    groups,
    certFile: certFile ?? "",
    keyFile: keyFile ?? "",
    secure: { host: host ?? undefined, port },
    plain,
    frontProxy,
    allowedEndpoints: allowedEndpoints ?? [],
    policy,
    dns: dns.settings,
    callTimeoutMs,
  };
}

/** RFC 1123, in lower case, as Kubernetes names groups; one label alone belongs to Kubernetes itself. */
function isGroupName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/.test(text);
}

async function readFrontProxy(
  flags: Flags,
  fault: (flag: string, message: string) => void,
): Promise<FrontProxySource | undefined> {
  const caFile = flags.text("requestheader-client-ca-file");
  const allowedNames = flags.list("requestheader-allowed-names");
  const none = flags.text("kubeconfig") === "none";
  if (caFile === undefined) {
    if (none)
      fault("requestheader-client-ca-file", "is missing: with --kubeconfig none nothing else says whom to believe");
    if (allowedNames.length > 0) fault("requestheader-allowed-names", "needs --requestheader-client-ca-file");
    return undefined;
  }
  if (none && flags.on("subject-access-review")) {
    fault("subject-access-review", "needs a cluster, and --kubeconfig is none");
  }
  const state = await readFrontProxyFile(caFile, allowedNames);
  if ("fault" in state) fault("requestheader-client-ca-file", state.fault);
  return { caFile, allowedNames };
}

async function readPolicy({ flags, registry, observer }: CommandInput) {
  const file = flags.text("policy");
  if (file === undefined) return undefined;
  const providers = await registry.all();
  const ids = new Map(providers.flatMap(({ id, aliases = [] }) => [id, ...aliases].map((name) => [name, id] as const)));
  return openPolicy(file, {
    clock: systemClock,
    known: [...ids.keys()],
    idOf: (name) => ids.get(name) ?? name,
    onFault: (text) => observer({ type: "warning", code: "W_POLICY", text }),
  });
}

async function connectCluster(_settings: Settings, { flags, io, observer, version }: CommandInput) {
  const kubeconfig = flags.text("kubeconfig");
  if (kubeconfig === "none") return undefined;
  const { connectKubernetes } = await import("../kubernetes/client.ts");
  return connectKubernetes({ kubeconfig, env: io.env, observer, userAgent: `dns01/${version}` });
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new ConfigError([{ path: "--requestheader-client-ca-file", message: "is missing" }]);
  return value;
}

function tellReady(server: Webhook, groups: readonly string[], solvers: readonly string[], input: CommandInput): void {
  const { port, plainPort } = server;
  const plain = plainPort === undefined ? "" : `; metrics at port ${plainPort}`;
  const text = `serving ${groups.join(", ")} at port ${port}${plain}; solvers: ${solvers.join(", ")}`;
  input.observer({ type: "log", level: "info", text, fields: { port, plainPort, groups, solvers } });
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
