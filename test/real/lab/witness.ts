import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, type Server as HttpsServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import type { ApiCertificate } from "./certificates.ts";

/** A challenge that a client answered, and what the nameservers served at that instant. */
export interface AnsweredChallenge {
  readonly at: number;
  readonly identifier: string;
  readonly value: string;
  /** Servers that did not serve the value; empty when the answer was in time. */
  readonly missingAt: readonly string[];
}

export interface AcmeRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** Shares of requests with trouble, each in [0, 1]. */
export interface AcmeFaults {
  /** Answered 503 without reaching the CA. */
  readonly unavailable: number;
  /** Carried out by the CA, but the response is lost with the connection. */
  readonly lost: number;
}

export interface Witness {
  readonly directory: string;
  readonly answered: readonly AnsweredChallenge[];
  readonly requests: readonly AcmeRequest[];
  faults: AcmeFaults;
  /** Forgets what was seen so far. */
  clear(): void;
  close(): Promise<void>;
}

/** Which of the zone's servers do not serve `value` for `identifier` right now. */
export type Judge = (identifier: string, value: string) => Promise<readonly string[]>;

const calm: AcmeFaults = { unavailable: 0, lost: 0 };

/**
 * A TLS proxy in front of a CA that sees every request in the clear. It works out each challenge's TXT value from the
 * account key and the token by itself (RFC 8555 §8.1, §8.4), and at the instant a challenge is answered asks every
 * nameserver, before the CA hears of it.
 */
export async function startWitness(
  caDirectory: string,
  api: ApiCertificate,
  judge: Judge,
  random: () => number = Math.random,
): Promise<Witness> {
  const upstream = new URL(caDirectory);
  const agent = new Agent({ ca: readFileSync(api.root), keepAlive: true });
  const book = new Notebook();
  let answered: AnsweredChallenge[] = [];
  let requests: AcmeRequest[] = [];
  const witness = { faults: calm };
  const server = createServer({ key: readFileSync(api.key), cert: readFileSync(api.cert) }, (incoming, outgoing) => {
    void handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const at = Date.now();
    const path = incoming.url ?? "/";
    const body = await read(incoming);
    const note = (status: number) => requests.push({ at, method: incoming.method ?? "", path, status });
    // Also when the CA does not hear of it: the client has said that the values are there.
    const challenge = book.challengeAnswered(path, body);
    if (challenge !== undefined)
      answered.push({ at, ...challenge, missingAt: await judge(challenge.identifier, challenge.value) });
    if (path !== upstream.pathname && random() < witness.faults.unavailable) {
      note(503);
      outgoing.writeHead(503, { "content-type": "text/plain" }).end("try again");
      return;
    }
    const response = await forward(upstream, agent, incoming, body);
    note(response.status);
    book.learn(body, response);
    if (path !== upstream.pathname && random() < witness.faults.lost) {
      incoming.socket.destroy();
      return;
    }
    outgoing.writeHead(response.status, response.headers).end(response.body);
  };
  const port = await listen(server);
  return {
    directory: `https://127.0.0.1:${port}${upstream.pathname}`,
    get answered() {
      return answered;
    },
    get requests() {
      return requests;
    },
    get faults() {
      return witness.faults;
    },
    set faults(faults) {
      witness.faults = faults;
    },
    clear() {
      answered = [];
      requests = [];
    },
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Response {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** What the proxy has learnt from the traffic: account keys by account URL, tokens by challenge path. */
class Notebook {
  readonly #thumbprints = new Map<string, string>();
  readonly #tokens = new Map<string, { readonly token: string; readonly identifier: string }>();

  learn(requestBody: Buffer, response: Response): void {
    const jwk = objectAt(header(requestBody), "jwk");
    const location = response.headers.location;
    if (jwk !== undefined && location !== undefined) this.#thumbprints.set(location, thumbprint(jwk));
    const answer = parse(response.body);
    const identifier = objectAt(answer, "identifier")?.["value"];
    const challenges = answer?.["challenges"];
    if (typeof identifier !== "string" || !Array.isArray(challenges)) return;
    for (const challenge of challenges as readonly unknown[]) {
      if (!isObject(challenge) || challenge["type"] !== "dns-01") continue;
      const { url, token } = { url: challenge["url"], token: challenge["token"] };
      if (typeof url === "string" && typeof token === "string")
        this.#tokens.set(new URL(url).pathname, { token, identifier });
    }
  }

  /** Set when the request tells the CA to validate: a POST of an empty object to a challenge (RFC 8555 §7.5.1). */
  challengeAnswered(path: string, body: Buffer): { readonly identifier: string; readonly value: string } | undefined {
    const challenge = this.#tokens.get(path);
    const kid = header(body)?.["kid"];
    if (challenge === undefined || typeof kid !== "string" || payload(body) !== "{}") return undefined;
    const authorization = `${challenge.token}.${this.#thumbprints.get(kid)}`;
    const value = createHash("sha256").update(authorization).digest("base64url");
    return { identifier: challenge.identifier, value };
  }
}

/** RFC 7638: SHA-256 over the required members in lexical order. */
function thumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = jwk["kty"] === "RSA" ? ["e", "kty", "n"] : ["crv", "kty", "x", "y"];
  const text = JSON.stringify(Object.fromEntries(members.map((member) => [member, jwk[member]])));
  return createHash("sha256").update(text).digest("base64url");
}

function header(jws: Buffer): Readonly<Record<string, unknown>> | undefined {
  const text = parse(jws)?.["protected"];
  return typeof text === "string" ? parse(Buffer.from(text, "base64url")) : undefined;
}

function payload(jws: Buffer): string | undefined {
  const text = parse(jws)?.["payload"];
  return typeof text === "string" ? Buffer.from(text, "base64url").toString() : undefined;
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function objectAt(
  value: Readonly<Record<string, unknown>> | undefined,
  key: string,
): Readonly<Record<string, unknown>> | undefined {
  const member = value?.[key];
  return isObject(member) ? member : undefined;
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The Host header is kept, so that the CA's URLs lead through the proxy. */
function forward(upstream: URL, agent: Agent, incoming: IncomingMessage, body: Buffer): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(incoming.url ?? "/", upstream),
      { method: incoming.method, headers: incoming.headers, agent },
      (response) => {
        read(response).then(
          (bytes) => resolve({ status: response.statusCode ?? 502, headers: response.headers, body: bytes }),
          reject,
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

function listen(server: HttpsServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
