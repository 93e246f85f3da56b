import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { calculateJwkThumbprint, flattenedVerify, importJWK, type JWK } from "jose";
import { type Issuing, startIssuing } from "./issuing.ts";

/** A request as the CA saw it; `payload` is undefined for unsigned ones and "" for POST-as-GET. */
export interface Seen {
  readonly method: string;
  /** "directory", "newNonce", "newAccount", "newOrder", "order", "authorization", "challenge", "finalize", "certificate". */
  readonly resource: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly payload?: string;
  readonly protected?: Readonly<Record<string, unknown>>;
  status: number;
}

/** What goes wrong with a request. `lost`: carried out, then the connection breaks. */
export type Fault =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  | { readonly kind: "reset" | "lost" | "truncate" | "silent" | "badNonce" }
  | { readonly kind: "alter"; readonly headers: Record<string, string> };

interface AuthorizationState {
  readonly id: string;
  readonly value: string;
  readonly wildcard: boolean;
  status: string;
  readonly token: string;
  challenge: string;
  error?: object | undefined;
  /** Looks at the order or the authorization that are left before the challenge is decided. */
  left: number;
}

interface OrderState {
  readonly id: string;
  status: string;
  readonly identifiers: readonly { type: string; value: string }[];
  readonly authorizations: readonly AuthorizationState[];
  error?: object | undefined;
  csr?: Buffer;
  certificate?: string;
  left: number;
}

interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

const prefix = "urn:ietf:params:acme:error:";

/**
 * A CA that does what RFC 8555 says, strictly, and goes wrong only where a test tells it to. It verifies every JWS, takes
 * a nonce once, and refuses {} where POST-as-GET belongs.
 */
export class ScriptedCa {
  readonly seen: Seen[] = [];
  readonly accounts = new Map<string, JWK>();
  readonly orders = new Map<string, OrderState>();
  /** Set by tests. */
  fault: (seen: Seen, nth: number) => Fault | undefined = () => undefined;
  directoryExtra: Record<string, unknown> = {};
  /** Where resources live; changing it moves them, and the old addresses are gone. */
  prefix = "/a";
  orderStatusAtBirth = "pending";
  /** Looks until an answered challenge is decided, and until a finalized order is valid. */
  looksUntilDecided = 1;
  looksUntilIssued = 1;
  /** For challenges: a problem makes it fail. */
  failing: (domain: string) => object | undefined = () => undefined;
  validAlready: (domain: string) => boolean = () => false;
  challengeTypes: readonly string[] = ["http-01", "dns-01", "future-99"];
  sameToken = false;
  expires: string | undefined;
  eabKeys: Record<string, string> = {};
  externalAccountRequired = false;
  lagAfterFinalize = 0;
  /** What an order lists in place of its authorizations. */
  listed: (authorizations: readonly string[]) => readonly string[] = (authorizations) => authorizations;

  #nonces = new Set<string>();
  #sockets = new Set<Socket>();
  #counts = new Map<string, number>();
  #server = createServer((request, response) => {
    this.#handle(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(JSON.stringify({ type: `${prefix}serverInternal`, detail: String(error) }));
    });
  });
  #issuing: Issuing;

  constructor(issuing: Issuing) {
    this.#issuing = issuing;
  }

  static async start(): Promise<ScriptedCa> {
    const ca = new ScriptedCa(await startIssuing());
    ca.#server.on("connection", (socket) => {
      ca.#sockets.add(socket);
      socket.on("close", () => ca.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => ca.#server.listen(0, "127.0.0.1", resolve));
    return ca;
  }

  get base(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get directoryUrl(): string {
    return `${this.base}/directory`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** "POST newOrder", … of everything after the directory and the nonces. */
  get trace(): string[] {
    return this.seen
      .filter(({ resource }) => !["directory", "newNonce"].includes(resource))
      .map(({ resource }) => resource);
  }

  count(resource: string): number {
    return this.seen.filter((seen) => seen.resource === resource).length;
  }

  /** Forgets every nonce handed out, as a CA that was restarted. */
  forgetNonces(): void {
    this.#nonces.clear();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? "";
    const resource = this.#resourceOf(path);
    const body = Buffer.concat(chunks).toString("utf8");
    const jws =
      body === "" ? undefined : (JSON.parse(body) as { protected: string; payload: string; signature: string });
    const seen: Seen = {
      method: request.method ?? "",
      resource,
      path,
      headers: request.headers,
      status: 0,
      ...(jws === undefined
        ? {}
        : {
            payload: Buffer.from(jws.payload, "base64url").toString("utf8"),
            protected: JSON.parse(Buffer.from(jws.protected, "base64url").toString("utf8")) as Record<string, unknown>,
          }),
    };
    this.seen.push(seen);
    const nth = (this.#counts.get(resource) ?? 0) + 1;
    this.#counts.set(resource, nth);
    const fault = this.fault(seen, nth);
    if (fault?.kind === "reset") return void request.socket.destroy();
    if (fault?.kind === "silent") return;
    const reply = await this.#reply(seen, jws, fault);
    if (fault?.kind === "lost") return void request.socket.destroy();
    seen.status = reply.status;
    const nonce = randomBytes(12).toString("base64url");
    this.#nonces.add(nonce);
    const text = reply.text ?? (reply.body === undefined ? "" : JSON.stringify(reply.body));
    const kind = reply.text === undefined ? "application/json" : "application/pem-certificate-chain";
    const altered = fault?.kind === "alter" ? fault.headers : {};
    response.writeHead(reply.status, {
      "replay-nonce": nonce,
      "content-type": reply.status >= 400 ? "application/problem+json" : kind,
      "content-length": Buffer.byteLength(text),
      ...reply.headers,
      ...altered,
    });
    if (fault?.kind !== "truncate") return void response.end(request.method === "HEAD" ? "" : text);
    response.write(text.slice(0, Math.floor(text.length / 2)));
    setImmediate(() => request.socket.destroy());
  }

  #resourceOf(path: string): string {
    if (path === "/directory") return "directory";
    const [, prefixed, name] = /^(\/[^/]+)\/([^/?]+)/.exec(path) ?? [];
    return prefixed === this.prefix && name !== undefined ? name : "gone";
  }

  async #reply(
    seen: Seen,
    jws: { protected: string; payload: string; signature: string } | undefined,
    fault: Fault | undefined,
  ): Promise<Reply> {
    if (seen.headers["user-agent"] === undefined) return problem(400, "malformed", "no User-Agent");
    if (seen.method === "GET" && seen.resource === "directory") {
      if (fault?.kind === "answer") return answer(fault);
      return { status: 200, body: this.#directory() };
    }
    if (seen.resource === "newNonce") return fault?.kind === "answer" ? answer(fault) : { status: 200 };
    if (seen.resource === "gone" && fault?.kind === "answer") return answer(fault);
    if (seen.resource === "gone") return problem(404, "malformed", "no such resource");
    if (jws === undefined || seen.protected === undefined) return problem(405, "malformed", "not signed");
    const nonce = String(seen.protected["nonce"]);
    if (!this.#nonces.delete(nonce)) return problem(400, "badNonce", "never seen, or used before");
    if (fault?.kind === "badNonce") return problem(400, "badNonce", "refused for the sake of it");
    if (fault?.kind === "answer") return answer(fault);
    const key = await this.#verify(seen, jws);
    if (key === undefined) return problem(400, "accountDoesNotExist", "no such account");
    return this.#serve(seen, key);
  }

  async #verify(seen: Seen, jws: { protected: string; payload: string; signature: string }): Promise<JWK | undefined> {
    const header = seen.protected ?? {};
    if (header["url"] !== this.base + seen.path) throw new Error("url of the JWS is another one");
    if ("jwk" in header === "kid" in header) throw new Error("either jwk or kid");
    if ("jwk" in header !== (seen.resource === "newAccount")) throw new Error("jwk for newAccount only");
    const jwk = "jwk" in header ? (header["jwk"] as JWK) : this.accounts.get(String(header["kid"]));
    if (jwk === undefined) return undefined;
    await flattenedVerify(jws, await importJWK(jwk, String(header["alg"])));
    return jwk;
  }

  async #serve(seen: Seen, key: JWK): Promise<Reply> {
    const id = seen.path.split("/")[3] ?? "";
    const read = ["order", "authorization", "certificate"].includes(seen.resource);
    if (read && seen.payload !== "") return problem(400, "malformed", "POST-as-GET has an empty payload");
    switch (seen.resource) {
      case "newAccount":
        return this.#newAccount(seen, key);
      case "newOrder":
        return this.#newOrder(JSON.parse(seen.payload ?? "") as { identifiers: { type: string; value: string }[] });
      case "order":
        return this.#withOrder(id, (order) => {
          this.#look(order);
          return { status: 200, body: this.#orderBody(order) };
        });
      case "authorization":
        return this.#withAuthorization(id, (authorization) => {
          this.#decide(authorization);
          return { status: 200, body: this.#authorizationBody(authorization) };
        });
      case "challenge":
        return this.#withAuthorization(id, (authorization) => this.#challenge(seen, authorization));
      case "finalize":
        return this.#withOrder(id, (order) => this.#finalize(seen, order));
      case "certificate":
        return this.#withOrder(id, (order) => ({
          status: 200,
          text: order.certificate ?? "",
          headers: { link: `<${this.directoryUrl}>;rel="index"` },
        }));
      default:
        return problem(404, "malformed", "no such resource");
    }
  }

  async #newAccount(seen: Seen, key: JWK): Promise<Reply> {
    const wanted = JSON.parse(seen.payload ?? "") as Record<string, unknown>;
    const url = `${this.base}${this.prefix}/account/${await calculateJwkThumbprint(key)}`;
    const known = this.accounts.has(url);
    if (wanted["onlyReturnExisting"] === true && !known) return problem(400, "accountDoesNotExist", "unknown key");
    const eab = wanted["externalAccountBinding"] as
      | { protected: string; payload: string; signature: string }
      | undefined;
    if (!known && this.externalAccountRequired && eab === undefined) {
      return problem(403, "externalAccountRequired", "bind it to an account");
    }
    if (eab !== undefined) {
      const { kid, url: at } = JSON.parse(Buffer.from(eab.protected, "base64url").toString("utf8")) as Record<
        string,
        string
      >;
      const secret = this.eabKeys[kid ?? ""];
      if (secret === undefined) return problem(403, "unauthorized", "the binding key is unknown or was used");
      if (at !== this.base + seen.path) throw new Error("url of the inner JWS is another one");
      await flattenedVerify(eab, Buffer.from(secret, "base64url"));
      delete this.eabKeys[kid ?? ""];
    }
    this.accounts.set(url, key);
    return { status: known ? 200 : 201, body: { status: "valid" }, headers: { location: url } };
  }

  #newOrder(wanted: { identifiers: { type: string; value: string }[] }): Reply {
    const token = randomBytes(16).toString("base64url");
    const authorizations = wanted.identifiers.map(({ value }): AuthorizationState => {
      const valid = this.validAlready(value);
      return {
        id: randomBytes(8).toString("hex"),
        value: value.replace(/^\*\./, ""),
        wildcard: value.startsWith("*."),
        status: valid ? "valid" : "pending",
        token: this.sameToken ? token : randomBytes(16).toString("base64url"),
        challenge: valid ? "valid" : "pending",
        left: this.looksUntilDecided,
      };
    });
    const order: OrderState = {
      id: randomBytes(8).toString("hex"),
      status: authorizations.every(({ status }) => status === "valid") ? "ready" : this.orderStatusAtBirth,
      identifiers: wanted.identifiers.toReversed(),
      // Never in the order of the identifiers.
      authorizations: authorizations.toReversed(),
      left: this.looksUntilIssued,
    };
    this.orders.set(order.id, order);
    return { status: 201, body: this.#orderBody(order), headers: { location: this.#url("order", order.id) } };
  }

  #challenge(seen: Seen, authorization: AuthorizationState): Reply {
    if (seen.payload === "") return { status: 200, body: this.#challengeBody("dns-01", authorization) };
    if (seen.payload !== "{}") return problem(400, "malformed", "a challenge is started with {}");
    if (authorization.challenge !== "pending") return problem(400, "malformed", "the challenge was started before");
    authorization.challenge = "processing";
    return { status: 200, body: this.#challengeBody("dns-01", authorization) };
  }

  async #finalize(seen: Seen, order: OrderState): Promise<Reply> {
    if (order.status !== "ready") return problem(403, "orderNotReady", `the order is ${order.status}`);
    const { csr } = JSON.parse(seen.payload ?? "") as { csr: string };
    order.csr = Buffer.from(csr, "base64url");
    order.certificate = await this.#issuing.issue(order.csr);
    const lagging = this.lagAfterFinalize > 0;
    order.left += this.lagAfterFinalize;
    order.status = "processing";
    return { status: 200, body: { ...this.#orderBody(order), ...(lagging ? { status: "ready" } : {}) } };
  }

  #look(order: OrderState): void {
    for (const authorization of order.authorizations) this.#decide(authorization);
    const all = order.authorizations;
    if (order.status === "pending" && all.some(({ status }) => status === "invalid")) order.status = "invalid";
    else if (order.status === "pending" && all.every(({ status }) => status === "valid")) order.status = "ready";
    else if (order.status === "processing") {
      order.left -= 1;
      if (order.left <= 0) order.status = "valid";
    }
  }

  #decide(authorization: AuthorizationState): void {
    if (authorization.challenge !== "processing") return;
    authorization.left -= 1;
    if (authorization.left > 0) return;
    authorization.error = this.failing(authorization.wildcard ? `*.${authorization.value}` : authorization.value);
    authorization.status = authorization.error === undefined ? "valid" : "invalid";
    authorization.challenge = authorization.status;
  }

  #withOrder(id: string, serve: (order: OrderState) => Reply | Promise<Reply>): Reply | Promise<Reply> {
    const order = this.orders.get(id);
    return order === undefined ? problem(404, "malformed", "no such order") : serve(order);
  }

  #withAuthorization(id: string, serve: (authorization: AuthorizationState) => Reply): Reply {
    const found = [...this.orders.values()].flatMap((order) => order.authorizations).find((a) => a.id === id);
    return found === undefined ? problem(404, "malformed", "no such authorization") : serve(found);
  }

  #orderBody(order: OrderState): Record<string, unknown> {
    // A server that is behind still says "ready" for a while after it took the CSR.
    const status = order.status === "processing" && order.left > this.looksUntilIssued ? "ready" : order.status;
    return {
      status,
      ...(this.expires === undefined ? {} : { expires: this.expires }),
      identifiers: order.identifiers,
      authorizations: this.listed(order.authorizations.map(({ id }) => this.#url("authorization", id))),
      finalize: this.#url("finalize", order.id),
      ...(order.status === "valid" ? { certificate: this.#url("certificate", order.id) } : {}),
      ...(order.error === undefined ? {} : { error: order.error }),
      futureMember: { nested: true },
    };
  }

  #authorizationBody(authorization: AuthorizationState): object {
    return {
      identifier: { type: "dns", value: authorization.value },
      status: authorization.status,
      ...(authorization.wildcard ? { wildcard: true } : {}),
      challenges: this.challengeTypes.map((type) => this.#challengeBody(type, authorization)),
    };
  }

  #challengeBody(type: string, authorization: AuthorizationState): object {
    const ours = type === "dns-01";
    return {
      type,
      url: this.#url("challenge", ours ? authorization.id : `${authorization.id}/${type}`),
      status: ours ? authorization.challenge : "pending",
      token: authorization.token,
      ...(ours && authorization.error !== undefined ? { error: authorization.error } : {}),
    };
  }

  #directory(): object {
    const { meta, ...others } = this.directoryExtra;
    return {
      newNonce: this.#url("newNonce"),
      newAccount: this.#url("newAccount"),
      newOrder: this.#url("newOrder"),
      "9RqWm3": "https://community.example/random",
      meta: { externalAccountRequired: this.externalAccountRequired, ...(meta as object | undefined) },
      ...others,
    };
  }

  #url(resource: string, id?: string): string {
    return `${this.base}${this.prefix}/${resource}${id === undefined ? "" : `/${id}`}`;
  }
}

function problem(status: number, type: string, detail: string, more: object = {}): Reply {
  return { status, body: { type: `${prefix}${type}`, detail, status, ...more } };
}

/** The TXT value for a token, computed independently. */
export async function txtValue(token: string, key: JWK): Promise<string> {
  return createHash("sha256")
    .update(`${token}.${await calculateJwkThumbprint(key)}`)
    .digest("base64url");
}

function answer(fault: Extract<Fault, { kind: "answer" }>): Reply {
  return {
    status: fault.status,
    ...(fault.body === undefined ? {} : { text: fault.body }),
    headers: { "content-type": "application/problem+json", ...fault.headers },
  };
}
