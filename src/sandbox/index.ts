import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DomainName, parseName } from "../core/name.ts";
import type { Endpoint } from "../dns/exchange.ts";
import type { TsigAlgorithm } from "../dns/tsig-key.ts";
import { type Ca, startCa } from "./ca.ts";
import { adminPath } from "./ca-admin.ts";
import type { Script } from "./ca-server.ts";
import type { CaBehaviour } from "./ca-state.ts";
import { type LogEntry, makeLog, type RequestLog } from "./log.ts";
import { type Nameservers, startNameservers } from "./nameservers.ts";
import { seededRandom } from "./random.ts";
import { type Faults, makeWeather, type Weather } from "./weather.ts";
import type { ZoneEditor } from "./zone-editor.ts";

export { behaviours, readBehaviour } from "./behaviours.ts";
export type { Script } from "./ca-server.ts";
export type { CaBehaviour } from "./ca-state.ts";
export type { LogEntry, RequestLog } from "./log.ts";
export { type FaultName, type Faults, faultNames, isFaultName } from "./weather.ts";

export interface SandboxOptions extends CaBehaviour {
  /** How long the second nameserver is behind the first. Default 0. */
  readonly lagMs?: number | undefined;
  readonly faults?: Faults | undefined;
  /** Of weather, shuffling and choices; keys and nonces are random all the same. Default: by chance. */
  readonly seed?: number | undefined;
  /** Zones served besides example.test, child.example.test and delegated.test. */
  readonly zones?: readonly string[] | undefined;
  readonly tsigAlgorithm?: TsigAlgorithm | undefined;
  /** Strikes chosen requests to the CA. */
  readonly script?: Script | undefined;
  readonly onEntry?: ((entry: LogEntry) => void) | undefined;
  /** The CA's time of day. */
  readonly now?: (() => Date) | undefined;
}

export interface Sandbox {
  readonly directoryUrl: string;
  /** Root of the API's certificate and of the default chain. */
  readonly caRootPem: string;
  /** The same in a file, removed by close(). */
  readonly caRootFile: string;
  readonly alternateRootPem: string;
  /** "127.0.0.1:PORT" of a resolver without a cache. */
  readonly resolver: string;
  /** Port of both nameservers and of the root's. */
  readonly dnsPort: number;
  readonly nameservers: readonly (Endpoint & { readonly name: DomainName })[];
  /** A server for the root and "test", on dnsPort; undefined where the machine lacks the address. */
  readonly root: Endpoint | undefined;
  readonly tsig: { readonly keyName: string; readonly secret: string; readonly algorithm: TsigAlgorithm };
  readonly eab: { readonly kid: string; readonly hmacKey: string } | undefined;
  readonly seed: number;
  /** What a client needs to know, by the names of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Looks at and changes the data behind the nameservers' backs. */
  readonly zone: ZoneEditor;
  readonly weather: Weather;
  readonly log: RequestLog;
  readonly ca: Ca;
  /** Ends everything and removes the file. Never rejects; may be called twice. */
  close(): Promise<void>;
}

/** Starts a CA, two nameservers, a resolver and a root on loopback. Closed by close() or when the signal fires. */
export async function startSandbox(options: SandboxOptions = {}, signal?: AbortSignal): Promise<Sandbox> {
  signal?.throwIfAborted();
  const seed = options.seed ?? randomInt(1_000_000_000);
  const random = seededRandom(seed);
  const weather = makeWeather(options.faults ?? {}, random);
  const log = makeLog(options.onEntry);
  const tsig = {
    keyName: "sandbox-key",
    secret: randomBytes(32).toString("base64"),
    algorithm: options.tsigAlgorithm ?? "hmac-sha256",
  };
  const closers: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    signal?.removeEventListener("abort", onAbort);
    closing ??= Promise.allSettled(closers.map((end) => end())).then(() => {});
    return closing;
  };
  const onAbort = () => void close();
  try {
    const nameservers: Nameservers = await startNameservers({
      zones: options.zones ?? [],
      lagMs: options.lagMs ?? 0,
      key: { name: parseName(tsig.keyName), algorithm: tsig.algorithm, secret: Buffer.from(tsig.secret, "base64") },
      random,
      weather,
      log,
    });
    closers.push(nameservers.close);
    const ca = await startCa({
      behaviour: options,
      random,
      weather,
      log,
      network: () => ({ roots: [nameservers.root], port: nameservers.port }),
      script: options.script,
      now: options.now ?? (() => new Date()),
    });
    closers.push(ca.close);
    const folder = await mkdtemp(join(tmpdir(), "dns01-sandbox-"));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const caRootFile = join(folder, "root.pem");
    await writeFile(caRootFile, ca.rootPem);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort, { once: true });
    const [primary] = nameservers.servers;
    const primaryAddress = primary === undefined ? "" : `${primary.address}:${nameservers.port}`;
    const resolver = `127.0.0.1:${nameservers.resolverPort}`;
    return {
      directoryUrl: ca.directoryUrl,
      caRootPem: ca.rootPem,
      caRootFile,
      alternateRootPem: ca.alternateRootPem,
      resolver,
      dnsPort: nameservers.port,
      nameservers: nameservers.servers,
      root: nameservers.publicRoot,
      tsig,
      eab: options.eab,
      seed,
      env: {
        DNS01_CA: ca.directoryUrl,
        DNS01_CA_ROOT: caRootFile,
        DNS01_RESOLVER: resolver,
        DNS01_DNS_PORT: String(nameservers.port),
        RFC2136_NAMESERVER: primaryAddress,
        // lego's name and cert-manager's.
        RFC2136_TSIG_KEY: tsig.keyName,
        RFC2136_TSIG_KEY_NAME: tsig.keyName,
        RFC2136_TSIG_SECRET: tsig.secret,
        RFC2136_TSIG_ALGORITHM: tsig.algorithm,
        DNS01_SANDBOX: `${new URL(ca.directoryUrl).origin}/${adminPath}`,
        ...(options.eab && { DNS01_EAB_KID: options.eab.kid, DNS01_EAB_HMAC_KEY: options.eab.hmacKey }),
      },
      zone: nameservers.editor,
      weather,
      log,
      ca,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
