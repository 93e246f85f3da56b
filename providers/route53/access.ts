import type { Route53Client, Route53ClientConfig } from "@aws-sdk/client-route-53";
import { ConfigError, type ConnectDeps, onAbort } from "../../src/index.ts";
import { proxiedHttpAgent, proxiedHttpsAgent } from "../../src/proxy/agents.ts";
import type { Given } from "./config.ts";

export type Aws = typeof import("@aws-sdk/client-route-53");

/** The SDK and a client of it that asks once: what is worth repeating is for the framework to say. */
export async function connectClient(
  given: Given,
  deps: ConnectDeps,
): Promise<{ readonly aws: Aws; readonly client: Route53Client }> {
  const aws = await import("@aws-sdk/client-route-53");
  const { debug = () => {} } = deps;
  const open = (config: Route53ClientConfig) => withoutNodeWarning(debug, () => new aws.Route53Client(config));
  const region = given.region ?? (await usualRegion(given, deps, open));
  const client = open({
    region: signingRegion(region),
    credentials: await credentialsOf(given, region, deps),
    maxAttempts: 1,
    retryMode: "standard",
    requestHandler: requestHandler(deps.signal),
    ...(given.endpoint === undefined ? {} : { endpoint: given.endpoint }),
  });
  onAbort(deps.signal, () => client.destroy());
  return { aws, client };
}

/** The time limits count for requests for credentials too, which obey no signal. */
function requestHandler(signal: AbortSignal) {
  const agent = { keepAlive: true, maxSockets: 50 };
  return {
    connectionTimeout: 10_000,
    requestTimeout: 30_000,
    throwOnRequestTimeout: true,
    httpAgent: proxiedHttpAgent(agent, { signal }),
    httpsAgent: proxiedHttpsAgent(agent, { signal }),
  };
}

/**
 * Route 53 is one service per partition, signed for one region of it whatever region the user works in. The SDK knows
 * that, but not where an endpoint is given.
 */
export function signingRegion(region: string): string {
  return homes.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "us-east-1";
}

const homes = [
  ["cn-", "cn-northwest-1"],
  ["us-gov-", "us-gov-west-1"],
  ["us-iso-", "us-iso-east-1"],
  ["us-isob-", "us-isob-east-1"],
  ["us-isof-", "us-isof-south-1"],
  ["eu-isoe-", "eu-isoe-west-1"],
  ["eusc-", "eusc-de-east-1"],
] as const;

/** Of the shared AWS files where they may be read, else of the role's partition. */
async function usualRegion(
  { profile, role = "" }: Given,
  { allowAmbientCredentials }: ConnectDeps,
  open: (config: Route53ClientConfig) => Route53Client,
): Promise<string> {
  if (allowAmbientCredentials) {
    const client = open(profile === undefined ? {} : { profile });
    try {
      return await client.config.region();
    } catch {
      // The SDK's way to say that none is set anywhere.
    } finally {
      client.destroy();
    }
  }
  const [, partition] = role.split(":");
  return partition === "aws-cn" ? "cn-northwest-1" : partition === "aws-us-gov" ? "us-gov-west-1" : "us-east-1";
}

async function credentialsOf(
  given: Given,
  region: string,
  { allowAmbientCredentials, debug = () => {}, mask = () => {}, signal }: ConnectDeps,
): Promise<NonNullable<Route53ClientConfig["credentials"]>> {
  const { accessKeyID, secretAccessKey, sessionToken, profile, role, externalID } = given;
  const keys = accessKeyID !== undefined &&
    secretAccessKey !== undefined && {
      accessKeyId: accessKeyID,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    };
  if (!keys && !allowAmbientCredentials) {
    const path = profile === undefined ? "accessKeyID" : "profile";
    const message = "the credentials of this machine may not be used here: give accessKeyID and secretAccessKey";
    throw new ConfigError([{ path, message }], { provider: "route53" });
  }
  if (keys && role === undefined) return keys;
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  // Its info lines hold requests and answers.
  const logger = { debug, info: () => {}, warn: debug, error: debug };
  // Asked once like the service itself: a request that goes on after everybody left would keep the process alive.
  const common = { logger, clientConfig: { region, maxAttempts: 1, requestHandler: requestHandler(signal) } };
  const named = profile === undefined ? {} : { profile };
  const own = keys || fromNodeProviderChain({ ...common, ...named, ignoreCache: true });
  const session = { RoleSessionName: "dns01", ...(externalID === undefined ? {} : { ExternalId: externalID }) };
  const source =
    role === undefined
      ? own
      : fromTemporaryCredentials({ ...common, masterCredentials: own, params: { RoleArn: role, ...session } });
  if (typeof source !== "function") return source;
  return async (caller) => {
    const found = await source(caller);
    for (const secret of [found.secretAccessKey, found.sessionToken]) if (secret !== undefined) mask(secret);
    return found;
  };
}

/** The SDK warns of old versions of Node on stderr, as soon as its first client is made. */
function withoutNodeWarning<T>(debug: (text: string) => void, make: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = (warning) => debug(String(warning));
  try {
    return make();
  } finally {
    process.emitWarning = emitWarning;
  }
}
