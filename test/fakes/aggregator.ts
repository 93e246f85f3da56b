import type { IncomingHttpHeaders } from "node:http";
import { Agent, request as send } from "node:https";
import { gunzipSync } from "node:zlib";

/** Who logged in at the API server. */
export interface Caller {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const certManager: Caller = {
  user: "system:serviceaccount:cert-manager:cert-manager",
  uid: "0d3a3f0c-6a0b-4d0e-9d6c-0f7e4c1f6a11",
  groups: ["system:serviceaccounts", "system:serviceaccounts:cert-manager", "system:authenticated"],
  extra: { "authentication.kubernetes.io/credential-id": ["JTI=5ad5e5f1"] },
};

/** The aggregator's own questions: availability and discovery, then OpenAPI. */
export const kubeAggregator: Caller = { user: "system:kube-aggregator", groups: ["system:masters"] };
export const openApiAggregator: Caller = { user: "system:aggregator", groups: [] };

export interface AggregatorOptions {
  readonly port: number;
  readonly host?: string;
  /** The APIService's caBundle. */
  readonly caBundle: string;
  /** SERVICE.NAMESPACE.svc: the name that is checked, whatever address is dialled. */
  readonly service: string;
  /** The front proxy's client certificate; none: it connects as anybody could. */
  readonly proxy: { readonly cert: string; readonly key: string } | undefined;
  /** How many connections it keeps at most. */
  readonly connections?: number;
}

export interface Exchange {
  readonly method?: string;
  readonly path: string;
  readonly caller?: Caller | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** Unzipped. */
  readonly text: string;
  readonly json: unknown;
}

/** kube-apiserver's aggregation layer, as far as a webhook meets it. */
export interface Aggregator {
  exchange(request: Exchange): Promise<Answer>;
  /** As cert-manager has it sent: no kind, no apiVersion, an empty uid; given up after 60 s. */
  challenge(group: string, solver: string, request?: object, more?: Partial<Exchange>): Promise<Answer>;
  /** Five at once; available when one of them succeeds. */
  probe(group: string): Promise<boolean>;
  /** Aggregated discovery with what is remembered of it, or undefined where it is not supported. */
  discover(): Promise<DiscoveryResult>;
  openApiV2(): Promise<Answer>;
  openApiV3(): Promise<Readonly<Record<string, { readonly serverRelativeURL: string }>>>;
  /** Connections made so far. */
  readonly dialled: number;
  close(): void;
}

export interface DiscoveryResult {
  readonly status: number;
  readonly document: unknown;
  readonly supported: boolean;
}

const aggregated = ["v2", "v2beta1"]
  .map((v) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`)
  .join(",");

export function createAggregator(options: AggregatorOptions): Aggregator {
  const { port, host = "127.0.0.1", caBundle, service, proxy, connections = 25 } = options;
  let dialled = 0;
  const agent = new Agent({
    keepAlive: true,
    maxSockets: connections,
    ca: caBundle,
    servername: service,
    // It offers both and takes what it gets.
    ALPNProtocols: ["h2", "http/1.1"],
    ...(proxy === undefined ? {} : proxy),
  });
  const etags = new Map<string, { readonly etag: string; readonly text: string }>();

  const exchange = ({ method = "GET", path, caller, headers = {}, body, signal }: Exchange): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const all = { host: `${host}:${port}`, ...(caller === undefined ? {} : identityHeaders(caller)), ...headers };
      // Names in turn with their values, so that repeated ones stay apart on the wire.
      const raw = Object.entries(all).flatMap(([name, value]) =>
        (typeof value === "string" ? [value] : value).flatMap((one) => [name, one]),
      );
      if (body !== undefined) raw.push("Content-Length", String(Buffer.byteLength(body)));
      const req = send({ agent, host, port, method, path, headers: raw, ...(signal === undefined ? {} : { signal }) });
      req.on("socket", (socket) => {
        if (socket.connecting) dialled += 1;
      });
      req.on("error", reject);
      req.on("response", (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const text = (res.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString("utf8");
          const { headers: got, rawHeaders } = res;
          resolve({ status: res.statusCode ?? 0, headers: got, rawHeaders, text, json: parsed(text) });
        });
      });
      req.end(body);
    });

  const remembered = async (path: string, caller: Caller, headers: Readonly<Record<string, string>>) => {
    const known = etags.get(path);
    const condition = known === undefined ? {} : { "If-None-Match": known.etag };
    const answer = await exchange({ path, caller, headers: { ...headers, ...condition } });
    const etag = answer.headers.etag;
    if (answer.status === 200 && typeof etag === "string") etags.set(path, { etag, text: answer.text });
    return answer.status === 304 && known !== undefined
      ? { ...answer, text: known.text, json: parsed(known.text) }
      : answer;
  };

  return {
    exchange,
    challenge: (group, solver, request = {}, more = {}) =>
      exchange({
        method: "POST",
        path: `/apis/${group}/v1alpha1/${solver}`,
        caller: certManager,
        body: `${JSON.stringify({ request: { ...usualRequest, ...request } })}\n`,
        signal: AbortSignal.timeout(60_000),
        ...more,
        headers: {
          "Content-Type": "application/json",
          Accept: "application/json, */*",
          "Accept-Encoding": "gzip",
          "User-Agent": "cert-manager-challenges/v1.21.1 (linux/amd64) cert-manager/fake",
          "X-Forwarded-For": "10.244.0.7",
          "X-Forwarded-Host": `${host}:${port}`,
          "X-Forwarded-Proto": "https",
          ...more.headers,
        },
      }),
    async probe(group) {
      const ask = () =>
        exchange({
          path: `/apis/${group}/v1alpha1`,
          caller: kubeAggregator,
          headers: { "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip" },
          signal: AbortSignal.timeout(5_000),
        });
      const answers = await Promise.allSettled([ask(), ask(), ask(), ask(), ask()]);
      return answers.some((a) => a.status === "fulfilled" && a.value.status >= 200 && a.value.status < 300);
    },
    async discover() {
      const { status, headers, json } = await remembered("/apis", kubeAggregator, { Accept: aggregated });
      const type = headers["content-type"] ?? "";
      // Judged by the content type, to the letter.
      const supported = status === 304 || aggregated.split(",").includes(type);
      return { status, document: json, supported };
    },
    openApiV2: () =>
      remembered("/openapi/v2", openApiAggregator, { Accept: "application/json", "Accept-Encoding": "gzip" }),
    async openApiV3() {
      const { json } = await exchange({ path: "/openapi/v3", caller: openApiAggregator });
      return (json as { paths: Readonly<Record<string, { serverRelativeURL: string }>> }).paths;
    },
    get dialled() {
      return dialled;
    },
    close: () => agent.destroy(),
  };
}

/** As cert-manager 1.21 sends it. */
export const usualRequest = {
  uid: "",
  action: "Present",
  type: "dns-01",
  dnsName: "example.org",
  key: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
  resourceNamespace: "demo",
  resolvedFQDN: "_acme-challenge.example.org.",
  resolvedZone: "example.org.",
  allowAmbientCredentials: false,
  config: {},
};

function identityHeaders({ user, uid, groups, extra = {} }: Caller): Record<string, string | readonly string[]> {
  const encoded = Object.entries(extra).map(
    ([name, values]) => [`X-Remote-Extra-${encodeURIComponent(name).replace("%2F", "%2f")}`, values] as const,
  );
  return {
    "X-Remote-User": user,
    ...(uid === undefined ? {} : { "X-Remote-Uid": uid }),
    "X-Remote-Group": groups,
    ...Object.fromEntries(encoded),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
