import { type DomainName, isWithin, parseName } from "../../src/index.ts";
import type { AdapterFake } from "../providers/trial/subject.ts";
import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";

const username = "lego";
const password = "pässw0rd: of/the+bridge";

export interface HttpreqFake extends AdapterFake {
  readonly http: HttpService;
  /** What a success says; default an empty JSON object. */
  answerWith(reply: FakeReply): void;
}

/**
 * A server of lego's httpreq protocol in its default mode. It keeps to the letter what lego sends: POST, JSON, the two
 * members, the final dot; and it picks the zone itself, as such servers do.
 */
export async function startHttpreq(zones: readonly DomainName[]): Promise<HttpreqFake> {
  const stored = new Map<string, string[]>();
  let accepted = true;
  let success: FakeReply = { body: {} };
  const zoneOf = (fqdn: string) =>
    zones.filter((zone) => isWithin(parseName(fqdn), zone)).sort((a, b) => b.length - a.length)[0];

  const handle = (request: FakeRequest): FakeReply => {
    const act = request.path.match(/^\/api\/(present|cleanup)$/)?.[1];
    if (act === undefined) return { status: 404, body: "404 page not found\n" };
    if (request.method !== "POST") return { status: 405, body: "method not allowed\n" };
    const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    if (!accepted || request.headers.authorization !== expected) return { status: 401, body: "unauthorized\n" };
    if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) return refuse(415, "JSON only");
    const { fqdn, value, ...rest } = JSON.parse(request.body) as Readonly<Record<string, unknown>>;
    if (typeof fqdn !== "string" || typeof value !== "string" || Object.keys(rest).length > 0)
      return refuse(400, "fqdn and value, nothing else");
    if (!/^[a-z0-9_.-]+\.$/.test(fqdn)) return refuse(400, "fqdn has to be absolute");
    const name = fqdn.slice(0, -1);
    if (zoneOf(name) === undefined) return refuse(422, "no zone of mine");
    const others = (stored.get(name) ?? []).filter((v) => v !== value);
    stored.set(name, act === "present" ? [...others, value] : others);
    return success;
  };

  const http = await startHttpService({
    handle,
    operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: true }),
  });
  return {
    http,
    config: { endpoint: `${http.url}/api/`, username, password },
    values: (apex, fqdn) => (zoneOf(fqdn) === apex ? (stored.get(fqdn) ?? []) : []),
    put: (_apex, fqdn, values) => void stored.set(fqdn, [...(stored.get(fqdn) ?? []), ...values]),
    refuseCredentials: () => {
      accepted = false;
    },
    answerWith: (reply) => {
      success = reply;
    },
  };
}

function refuse(status: number, error: string): FakeReply {
  return { status, body: { error } };
}
