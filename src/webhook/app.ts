import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import express, { type Router } from "express";
import type { Observer } from "../core/events.ts";
import { nearest } from "../core/nearest.ts";
import { thrownText } from "../core/thrown.ts";
import type { Access } from "./access.ts";
import { type ChallengeHandler, correlationIdOf } from "./challenge-handler.ts";
import { apiVersion, createDiscovery, type Served } from "./discovery.ts";
import { type Document, documentOf, sendDocument } from "./document.ts";
import type { FrontProxy } from "./front-proxy.ts";
import { type Check, runChecks, sendHealth } from "./health.ts";
import type { Identity } from "./identity.ts";
import { createOpenApi } from "./openapi.ts";
import { Refusal, statusOf } from "./refusal.ts";

export interface AppOptions extends Served {
  readonly frontProxy: Pick<FrontProxy, "identify">;
  readonly access: Access;
  readonly challenge: ChallengeHandler;
  readonly readiness: readonly Check[];
  readonly version: string;
  readonly observer: Observer;
  readonly metrics: {
    request(endpoint: string, status: number): void;
    refused(reason: string): void;
  };
  /** Connections are to be closed after their answer. */
  readonly leaving: () => boolean;
}

/**
 * Everything that the secure port answers. Never HTML: refusals are Status objects.
 *
 * Express' router without its application: that one gives every request and response another prototype, which takes longer
 * than all the rest of a call together and doubles the memory under load. Handlers see Node's own objects.
 */
export function createApp(options: AppOptions): RequestListener {
  const router = express.Router({ strict: true, caseSensitive: true });
  // What comes often comes first: each route costs a comparison.
  routeChallenges(router, options);
  routeDocuments(router, options);
  // Its types speak of an application's objects; what it needs of them is Node's.
  const route = router as unknown as (req: IncomingMessage, res: ServerResponse, done: Done) => void;
  const authenticate = createAuthenticate(options);
  const refuse = createRefuse(options);
  return (req, res) => {
    const done: Done = (error) => refuse(error ?? nothingAt(req), req, res);
    try {
      if (options.leaving()) res.setHeader("connection", "close");
      res.once("finish", () => options.metrics.request(endpointOf(req), res.statusCode));
      if (namesNoHost(req)) throw new Refusal(400, "the request names no Host", { connection: "close" });
      if (isHealth(req)) return sendHealth(res, rawPath(req) === "/readyz" ? runChecks(options.readiness) : []);
      authenticate(req, res);
      route(req, res, done);
    } catch (error) {
      done(error);
    }
  };
}

/** Without an error: nothing has answered. */
type Done = (error?: unknown) => void;

function nothingAt(req: IncomingMessage): Refusal {
  const served = "served are /apis, /openapi/v2, /openapi/v3 and /version";
  return new Refusal(404, `there is nothing at ${pathOf(req)}; ${served}`);
}

/** RFC 9112 §3.2. */
function namesNoHost({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.host === undefined && httpVersion === "1.1";
}

const healthPaths: readonly string[] = ["/healthz", "/livez", "/readyz"];

function isHealth(req: IncomingMessage): boolean {
  return healthPaths.includes(rawPath(req)) && (req.method === "GET" || req.method === "HEAD");
}

const endpoints: readonly (readonly [string, string])[] = [
  ["/apis/", "api"],
  ["/apis", "discovery"],
  ["/openapi/", "openapi"],
  ["/version", "version"],
];

function endpointOf(req: IncomingMessage): string {
  const path = rawPath(req);
  if (healthPaths.includes(path)) return "health";
  const found = endpoints.find(([prefix]) => path.startsWith(prefix))?.[1] ?? "other";
  if (found !== "api") return found;
  return req.method === "POST" ? "challenge" : "discovery";
}

/** Finds out who calls, as far as the front proxy vouches for it; nobody else gets any further. Throws Refusal. */
function createAuthenticate({ frontProxy, access }: AppOptions) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    const found = frontProxy.identify(req);
    if ("fault" in found) {
      throw new Refusal(401, `Unauthorized: ${found.fault}; only the API server's front proxy is believed`);
    }
    setIdentity(res, found.identity);
    if (req.method === "GET" || req.method === "HEAD") access.read(found.identity);
    else access.call(found.identity);
  };
}

function routeDocuments(router: Router, { groups, solvers, version }: AppOptions): void {
  const discovery = createDiscovery({ groups, solvers });
  const openApi = createOpenApi({ groups, solvers }, version);
  const shared = { "cache-control": "public", vary: "Accept, Accept-Encoding" };
  const get = (path: string, find: (req: IncomingMessage) => Document | undefined): void => {
    router.get(path, (req, res) => {
      const document = find(req);
      if (document === undefined)
        throw new Refusal(406, "no form of this document is accepted; there is application/json");
      sendDocument(req, res, document, shared);
    });
    router.all(path, (req) => {
      throw notAllowed(req, "GET, HEAD");
    });
  };
  // kube-apiserver sends `Accept: application/json` or nothing; older clients ask for protobuf and take JSON besides.
  const json = (document: Document | undefined) => (req: IncomingMessage) =>
    discovery.list(req.headers.accept) === undefined ? undefined : document;
  get("/apis", (req) => discovery.list(req.headers.accept));
  for (const group of groups) {
    get(`/apis/${group}`, json(discovery.group.get(group)));
    get(`/apis/${group}/${apiVersion}`, json(discovery.resources.get(group)));
    get(`/openapi/v3/apis/${group}/${apiVersion}`, json(openApi.groups.get(group)));
  }
  get("/openapi/v2", json(openApi.v2));
  get("/openapi/v3", json(openApi.v3));
  const [major = "", minor = ""] = version.split(".");
  get(
    "/version",
    json(documentOf({ major, minor, gitVersion: `v${version}`, platform: `${process.platform}/${process.arch}` })),
  );
}

function routeChallenges(router: Router, { groups, solvers, access, challenge }: AppOptions): void {
  for (const group of groups) {
    const path = `/apis/${group}/${apiVersion}/:solver`;
    router.post(path, async (req, res) => {
      const solver = String(req.params["solver"]);
      await access.review(identityOf(res), { group, resource: solver });
      await challenge(req, res, solver, solvers.includes(solver) ? undefined : unknownSolver(solver, group, solvers));
    });
    router.all(path, (req) => {
      const solver = String(req.params["solver"]);
      throw solvers.includes(solver) ? notAllowed(req, "POST") : unknownSolver(solver, group, solvers);
    });
  }
}

function unknownSolver(solver: string, group: string, solvers: readonly string[]): Refusal {
  const name = /^[\w.-]{1,63}$/.test(solver) ? `"${solver}"` : "of that name";
  const near = nearest(solver.slice(0, 63), solvers);
  const meant = near === undefined ? "" : ` (did you mean ${near}?)`;
  return new Refusal(404, `there is no solver ${name} in group "${group}"${meant}; served are ${solvers.join(", ")}`);
}

function notAllowed({ method }: IncomingMessage, allow: string): Refusal {
  return new Refusal(405, `${method} is not allowed here; ${allow} is`, { allow });
}

/** Paths whose 404 is remembered. */
const mostMissing = 100;

/** The last word on every request that failed. */
function createRefuse({ observer, metrics }: Pick<AppOptions, "observer" | "metrics">) {
  // While an upgrade adds a group, the API server probes the old pods for it as well: five requests at a time.
  const missing = new Set<string>();
  const isRepeated = ({ method }: IncomingMessage, { code }: Refusal, text: string): boolean => {
    if (code !== 404 || method === "POST") return false;
    if (missing.has(text)) return true;
    if (missing.size >= mostMissing) missing.clear();
    missing.add(text);
    return false;
  };
  return (error: unknown, req: IncomingMessage, res: ServerResponse): void => {
    const refusal = error instanceof Refusal ? error : refusalOf(error);
    if (res.headersSent || res.destroyed) {
      res.destroy();
      return;
    }
    metrics.refused(refusal.reason);
    const identity = findIdentity(res);
    const fields = {
      correlationId: correlationIdOf(req),
      method: req.method,
      path: pathOf(req),
      status: refusal.code,
      remote: req.socket.remoteAddress,
      user: identity?.user,
      ...(refusal.code === 500 ? { error: thrownText(error) } : {}),
    };
    const text = `refused ${req.method} ${pathOf(req)}: ${refusal.code} ${refusal.message}`;
    const usual = isRepeated(req, refusal, text) ? "debug" : "warn";
    observer({ type: "log", level: refusal.code === 500 ? "error" : usual, text, fields });
    sendRefusal(res, refusal);
  };
}

/** Errors of Express itself (a path that is no UTF-8) carry a status; anything else is a fault of ours. */
function refusalOf(error: unknown): Refusal {
  const status = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
  if (status === 400) return new Refusal(400, "the request cannot be read");
  return new Refusal(500, "internal fault of dns01; its log says more");
}

function sendRefusal(res: ServerResponse, refusal: Refusal): void {
  const body = statusOf(refusal);
  res.writeHead(refusal.code, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...refusal.headers,
  });
  res.end(body);
}

/** On the object itself: a WeakMap of short-lived keys is work for every collection of garbage. */
const identityKey = Symbol("identity");

interface Identified {
  [identityKey]?: Identity;
}

function setIdentity(res: ServerResponse, identity: Identity): void {
  (res as Identified)[identityKey] = identity;
}

function findIdentity(res: ServerResponse): Identity | undefined {
  return (res as Identified)[identityKey];
}

function identityOf(res: ServerResponse): Identity {
  const identity = findIdentity(res);
  if (identity === undefined) throw new Refusal(401, "Unauthorized: nobody is known to call");
  return identity;
}

/** Without the query. */
function rawPath({ url = "/" }: IncomingMessage): string {
  const at = url.indexOf("?");
  return at === -1 ? url : url.slice(0, at);
}

/** The same for a message or a line of the log. */
function pathOf(req: IncomingMessage): string {
  const path = rawPath(req).replace(/[^\x21-\x7e]/g, "?");
  return path.length > 200 ? `${path.slice(0, 200)}...` : path;
}
