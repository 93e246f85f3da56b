import { createHash } from "node:crypto";
import { Agent, type RequestOptions } from "node:https";
import { delimiter } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { type Clock, systemClock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { thrownText } from "../core/thrown.ts";
import { withTimeLimit } from "../core/time-limit.ts";
import type { Access, Credentials } from "./access.ts";
import { connectionOptions } from "./connection.ts";

export interface KubeconfigOptions {
  /** One file, or several as in KUBECONFIG: the first one that says something wins. */
  readonly file: string;
  /** Where the file was named, for messages: "--kubeconfig". */
  readonly source: string;
  readonly context?: string | undefined;
  readonly clock?: Clock;
  /** Longest time for an exec plug-in or a token service. Default 60 s: some of them wait for a browser. */
  readonly loginTimeoutMs?: number;
}

/** What comes from a plug-in without saying for how long it holds is asked for again after this. */
const rememberMs = 60_000;

/**
 * A kubeconfig as kubectl reads it: contexts, client certificates, tokens, exec plug-ins, proxies. The package that
 * reads it is loaded here and nowhere else, and only its part for this: all of it takes 0.7 s and 75 MB, this 0.1 s and
 * 19 MB (bundled).
 */
export async function kubeconfigAccess(options: KubeconfigOptions): Promise<Access> {
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const config = new KubeConfig();
  readFiles(config, () => new KubeConfig(), options);
  chooseContext(config, options);
  const server = config.getCurrentCluster()?.server ?? "";
  const proxy = config.getCurrentCluster()?.proxyUrl !== undefined;
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  const { clock = systemClock, loginTimeoutMs: timeoutMs = 60_000 } = options;
  const agents = new Map<string, Agent>();
  let kept: { readonly credentials: Credentials; readonly until: number } | undefined;
  const login = async (): Promise<Credentials> => {
    const given: RequestOptions = {};
    await config.applyToHTTPSOptions(given);
    const key = fingerprint(given);
    const agent = agents.get(key) ?? (proxy ? (given.agent as Agent) : agentOf(given, server));
    agents.set(key, agent);
    return { agent, headers: headersOf(given) };
  };
  return {
    server,
    namespace,
    async credentials(signal) {
      if (kept !== undefined && clock.now() < kept.until) return kept.credentials;
      const late = () => new Error(`logging in took more than ${timeoutMs / 1000} s`);
      const credentials = await withTimeLimit(login, { timeoutMs, late, signal, clock });
      kept = { credentials, until: clock.now() + rememberMs };
      return credentials;
    },
    forget() {
      const had = kept !== undefined;
      kept = undefined;
      return had;
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function readFiles(config: KubeConfig, another: () => KubeConfig, { file, source }: KubeconfigOptions): void {
  const files = file.split(delimiter).filter((name) => name !== "");
  for (const [at, name] of files.entries()) {
    try {
      if (at === 0) {
        config.loadFromFile(name);
        continue;
      }
      const more = another();
      more.loadFromFile(name);
      config.mergeConfig(more, config.getCurrentContext() !== undefined);
    } catch (error) {
      throw new ConfigError([{ path: source, message: `cannot use ${name}: ${readable(error)}` }], { cause: error });
    }
  }
}

/** Parsers of YAML show the line that they stumble over, which may hold a token: only the first line of what they say. */
function readable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "this user may not read it";
  return thrownText(error).split("\n")[0] ?? "";
}

function chooseContext(config: KubeConfig, { context, file, source }: KubeconfigOptions): void {
  const known = config.getContexts().map(({ name }) => name);
  const wanted = context ?? config.getCurrentContext();
  const path = context === undefined ? source : "--context";
  if (wanted === undefined || wanted === "") {
    throw new ConfigError([{ path, message: `${file} has no current context; give one of ${list(known)}` }]);
  }
  if (!known.includes(wanted)) {
    const near = nearest(wanted, known);
    const meant = near === undefined ? `there are ${list(known)}` : `did you mean ${near}?`;
    throw new ConfigError([{ path, message: `there is no context "${wanted}" in ${file}; ${meant}` }]);
  }
  config.setCurrentContext(wanted);
  for (const [kind, found] of [
    ["cluster", config.getCurrentCluster()],
    ["user", config.getCurrentUser()],
  ] as const) {
    if (found !== null) continue;
    const name = config.getContextObject(wanted)?.[kind] ?? "";
    throw new ConfigError([
      { path, message: `context "${wanted}" of ${file} names the ${kind} "${name}", which is not there` },
    ]);
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

/** The package's own agents open a connection for every request. */
function agentOf(given: RequestOptions, server: string): Agent {
  if (server.startsWith("http:")) return given.agent as Agent;
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = given;
  return new Agent({
    ...connectionOptions,
    ...defined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }),
  });
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function headersOf({ headers = {}, auth }: RequestOptions): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value).trim()] as const);
  const basic = auth == null ? [] : [["authorization", `Basic ${Buffer.from(auth).toString("base64")}`] as const];
  return Object.fromEntries([...basic, ...entries]);
}

/** Of what a connection depends on: another certificate needs another one. */
function fingerprint({ ca, cert, key, pfx, rejectUnauthorized, servername }: RequestOptions): string {
  const parts = [ca, cert, key, pfx].map((part) => (part == null ? "" : part.toString()));
  return createHash("sha256")
    .update(JSON.stringify([...parts, rejectUnauthorized, servername]))
    .digest("hex");
}
