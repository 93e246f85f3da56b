import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { aggregate, discovery } from "./kube-apiserver-discovery.ts";
import { type KeyPairPem, type KubeCa, makeKubeCa } from "./kube-apiserver-pki.ts";
import { authorize, forbiddenText, type KubeUser } from "./kube-apiserver-rbac.ts";
import {
  accepts,
  groupsOf,
  kubeconfigText,
  readBody,
  type Target,
  targetOf,
  userOf,
} from "./kube-apiserver-request.ts";
import { eventFault, type Reply, review, statusReply } from "./kube-apiserver-reviews.ts";
import { createKubeStore, type KubeObject, type KubeStore, versionOf } from "./kube-apiserver-store.ts";
import { serveWatch } from "./kube-apiserver-watch.ts";

export type { KubeObject } from "./kube-apiserver-store.ts";

export interface KubeRequest {
  readonly method: string;
  readonly url: string;
  readonly user: string;
  readonly status: number;
}

export interface KubeApiServer {
  readonly url: string;
  readonly ca: KubeCa;
  readonly store: KubeStore;
  readonly requests: readonly KubeRequest[];
  /** Connections that were ever made. */
  connections(): number;
  /** Watches that are open. */
  watches(): number;
  /** A bearer token for a user; service accounts get their groups. */
  token(user: string, groups?: readonly string[]): string;
  clientCertificate(user: string, groups: readonly string[]): Promise<KeyPairPem>;
  /** The text of a kubeconfig for one user. */
  kubeconfig(user: Readonly<Record<string, unknown>>, cluster?: Readonly<Record<string, unknown>>): string;
  /** Sends every open watch a bookmark, as the real one does once a minute. */
  bookmark(): void;
  /** Ends every open watch in order, as the real one does after timeoutSeconds. */
  endWatches(): void;
  /** Solvers that the extension API server of a group serves, while its APIService is available. */
  readonly aggregated: Map<string, readonly string[]>;
  /** Answers the next requests itself; return undefined to let one pass. */
  intercept:
    | ((
        request: IncomingMessage,
      ) => (Reply & { readonly headers?: Readonly<Record<string, string>> }) | "hang" | "reset" | undefined)
    | undefined;
  /** Cuts every connection without a word. */
  cut(): void;
  stop(): Promise<void>;
}

/** The parts of kube-apiserver that dns01 talks to, over TLS, with RBAC from the roles in the store. */
export async function startKubeApiServer(options: { readonly host?: string } = {}): Promise<KubeApiServer> {
  const host = options.host ?? "127.0.0.1";
  const ca = await makeKubeCa();
  const tls = await ca.server(["kubernetes.default.svc", "localhost", "127.0.0.1", "::1"]);
  const store = createKubeStore();
  const tokens = new Map<string, KubeUser>();
  const requests: KubeRequest[] = [];
  const sockets = new Set<Socket>();
  const watches = new Set<{ bookmark(): void; end(): void }>();
  const aggregated = new Map<string, readonly string[]>();
  let connections = 0;
  const server = createServer({ ...tls, ca: ca.pem, requestCert: true, rejectUnauthorized: false });
  server.on("secureConnection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("request", (request, response) => {
    void serve(request, response).catch((error: unknown) => {
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error));
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const user = userOf(request, tokens);
    const answer = (reply: Reply & { readonly headers?: Readonly<Record<string, string>> }) => {
      requests.push({
        method: request.method ?? "",
        url: request.url ?? "",
        user: user?.name ?? "",
        status: reply.status,
      });
      const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
      const type = typeof reply.body === "string" ? "text/plain; charset=utf-8" : "application/json";
      response.writeHead(reply.status, { "content-type": type, "audit-id": "fake", ...reply.headers }).end(text);
    };
    const body = await readBody(request);
    const planned = api.intercept?.(request);
    if (planned === "hang") return;
    if (planned === "reset") return void request.socket.destroy();
    if (planned !== undefined) return answer(planned);
    if (user === undefined)
      return answer({ status: 401, body: { ...(statusReply(401, "Unauthorized", "Unauthorized").body as object) } });
    const url = new URL(request.url ?? "/", "https://apiserver");
    const documents = discovery(url.pathname);
    if (documents !== undefined && request.method === "GET") return answer({ status: 200, body: documents });
    const proxied = aggregate(url.pathname, store, aggregated);
    if (proxied !== undefined) return answer(proxied);
    const target = targetOf(url, request.method ?? "GET");
    if (target === undefined) return answer({ status: 404, body: "404 page not found\n" });
    const decision = authorize(store, user, target.asked);
    if (target.asked.resource !== "selfsubjectaccessreviews" && !decision.allowed) {
      const { group = "", resource, name } = target.asked;
      return answer(statusReply(403, "Forbidden", forbiddenText(user, target.asked), { name, group, kind: resource }));
    }
    if (request.method === "POST") return answer(create(target, request, body, user));
    if (!accepts(request, "application/json"))
      return answer(statusReply(406, "NotAcceptable", "only the following media types are accepted: application/json"));
    if (target.watch && target.resource !== undefined) {
      requests.push({ method: "WATCH", url: request.url ?? "", user: user.name, status: 200 });
      const watch = serveWatch(response, url.searchParams, { ...target, resource: target.resource }, store);
      watches.add(watch);
      response.on("close", () => watches.delete(watch));
      return;
    }
    answer(read(target));
  }

  function create({ asked, namespace }: Target, request: IncomingMessage, body: string, user: KubeUser): Reply {
    if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) {
      return statusReply(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json",
      );
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(body);
    } catch {
      return statusReply(400, "BadRequest", "the object provided is unrecognized (must be of type Event)");
    }
    if (asked.resource === "subjectaccessreviews") return review("SubjectAccessReview", parsed, user, store);
    if (asked.resource === "selfsubjectaccessreviews") return review("SelfSubjectAccessReview", parsed, user, store);
    if (asked.resource !== "events")
      return statusReply(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    const fault = eventFault(parsed, namespace ?? "");
    if (fault !== undefined) return statusReply(422, "Invalid", `Event "" is invalid: ${fault}`);
    return { status: 201, body: store.put(parsed as KubeObject) };
  }

  function read({ resource, namespace, asked, selector, labels }: Target): Reply {
    if (resource === undefined)
      return statusReply(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    const { group } = resource;
    if (asked.verb === "get") {
      const name = asked.name ?? "";
      const object = store.find(resource, namespace, name);
      const what = `${resource.resource}${group === "" ? "" : `.${group}`}`;
      const details = { name, group, kind: resource.resource };
      return object === undefined
        ? statusReply(404, "NotFound", `${what} "${name}" not found`, details)
        : { status: 200, body: object };
    }
    const items = store
      .list(resource, namespace)
      .filter(({ metadata }) => selector === undefined || metadata.name === selector)
      .filter(({ metadata }) => {
        const own = (metadata["labels"] ?? {}) as Readonly<Record<string, string>>;
        return labels.every(([key, value]) => own[key] === value);
      });
    const bare = items.map(({ apiVersion, kind, ...rest }) =>
      resource.custom === true ? { apiVersion, kind, ...rest } : rest,
    );
    const metadata = { resourceVersion: String(store.version()) };
    return {
      status: 200,
      body: { kind: `${resource.kind}List`, apiVersion: versionOf(resource), metadata, items: bare },
    };
  }

  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const api: KubeApiServer = {
    url,
    ca,
    store,
    requests,
    aggregated,
    intercept: undefined,
    connections: () => connections,
    watches: () => watches.size,
    token(name, groups = groupsOf(name)) {
      const text = `token-${tokens.size}-${Math.random().toString(36).slice(2)}`;
      tokens.set(text, { name, groups: [...groups, "system:authenticated"] });
      return text;
    },
    clientCertificate: (user, groups) => ca.client(user, groups),
    kubeconfig: (user, cluster = {}) => kubeconfigText(url, ca.pem, user, cluster),
    bookmark() {
      for (const watch of watches) watch.bookmark();
    },
    endWatches() {
      for (const watch of watches) watch.end();
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return api;
}
