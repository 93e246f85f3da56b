import { randomUUID } from "node:crypto";
import type { DomainName } from "../../src/core/name.ts";
import { relativeTo } from "../../src/core/name.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { ApiError, checkParameters, runAction } from "./dnspod-actions.ts";
import { legacyReply } from "./dnspod-legacy.ts";
import { createDnspodStore, type DnspodOptions, type DnspodStore } from "./dnspod-store.ts";
import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";
import { type Tc3Key, verifyTc3 } from "./tc3-signature.ts";

export interface FakeDnspodOptions extends DnspodOptions {
  /** What a user signs in with. Default "key". */
  readonly signIn?: "key" | "loginToken";
  /** How far the service's clock is ahead of ours. */
  readonly clockAheadMs?: number;
  /** How long keys of the token service live, in seconds. Default 7,200. */
  readonly sessionSeconds?: number;
}

export interface FakeDnspod extends AdapterFake {
  readonly store: DnspodStore;
  /** Keys that are accepted; empty it and none is. */
  readonly keys: Tc3Key[];
  /** What was asked of the token service, newest last. */
  readonly sessions: readonly Readonly<Record<string, unknown>>[];
  /** From now on every call of these actions is answered with this code; `undefined` takes that back. */
  refuse(code: string | undefined, ...actions: readonly string[]): void;
}

export const fakeKey: Tc3Key = {
  secretId: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA",
  secretKey: "Gu5t9xGARNpq86cd98joQYCN3Cozk1qA",
};
export const fakeLoginToken = "13490,6b5976c68aba5b14a0558b77c17c3932";

/** Tencent Cloud's API for DNSPod, its token service, and the legacy API of dnsapi.cn, on one port. */
export async function startDnspod(apexes: readonly DomainName[], options: FakeDnspodOptions = {}): Promise<FakeDnspod> {
  const store = createDnspodStore(apexes, options);
  const keys: Tc3Key[] = [fakeKey];
  const sessions: Readonly<Record<string, unknown>>[] = [];
  const requestIds: string[] = [];
  const refused = new Map<string, string | undefined>();
  let loginToken = fakeLoginToken;
  let only: DomainName | undefined;

  const wrap = (content: Readonly<Record<string, unknown>>): FakeReply => {
    const RequestId = randomUUID();
    requestIds.push(RequestId);
    return { body: { Response: { ...content, RequestId } } };
  };
  const fail = (code: string, message: string) => {
    // The real messages have times, counters and request ids in them.
    return wrap({ Error: { Code: code, Message: `${message} [request id:${randomUUID()}] at ${Date.now()}` } });
  };

  const cloud = (request: FakeRequest): FakeReply => {
    const action = String(request.headers["x-tc-action"]);
    const version = request.headers["x-tc-version"];
    try {
      if (request.method !== "POST" || request.path !== "/") throw new ApiError("UnsupportedProtocol");
      if (request.headers["content-type"] !== "application/json") throw new ApiError("InvalidParameter");
      const given: unknown = JSON.parse(request.body);
      if (version === "2018-08-13") return wrap(session(request, action, given as Readonly<Record<string, unknown>>));
      if (version !== "2021-03-23") throw new ApiError("NoSuchVersion");
      const fault = verifyAt(request, "dnspod");
      if (fault !== undefined) throw new ApiError(fault);
      const code = refused.get(action);
      if (code !== undefined) throw new ApiError(code);
      const parameters = checkParameters(action, given);
      if (only !== undefined && store.byName(String(parameters["Domain"]))?.apex !== only) {
        throw new ApiError("UnauthorizedOperation", `you are not authorized to perform operation (dnspod:${action})`);
      }
      return wrap(runAction(store, action, parameters));
    } catch (error) {
      if (error instanceof ApiError) return fail(error.code, error.message);
      throw error;
    }
  };

  const verifyAt = (request: FakeRequest, service: string): string | undefined => {
    const ahead = options.clockAheadMs ?? 0;
    return Math.abs(ahead) > 300_000 ? "AuthFailure.SignatureExpire" : verifyTc3(request, service, keys);
  };

  /** Temporary keys, which the service then accepts. */
  const session = (
    request: FakeRequest,
    action: string,
    given: Readonly<Record<string, unknown>>,
  ): Readonly<Record<string, unknown>> => {
    sessions.push({ action, region: request.headers["x-tc-region"], ...given });
    const need = (...names: readonly string[]) => {
      for (const name of names) {
        if (typeof given[name] !== "string") throw new ApiError("MissingParameter", `\`${name}\``);
      }
    };
    if (request.headers["x-tc-region"] === undefined) throw new ApiError("MissingParameter", "`Region`");
    if (action === "AssumeRole") {
      const fault = verifyAt(request, "sts");
      if (fault !== undefined) throw new ApiError(fault);
      need("RoleArn", "RoleSessionName");
    } else if (action === "AssumeRoleWithWebIdentity") {
      if (request.headers.authorization !== "SKIP") throw new ApiError("AuthFailure.InvalidAuthorization");
      need("ProviderId", "WebIdentityToken", "RoleArn", "RoleSessionName");
    } else throw new ApiError("InvalidAction");
    const code = refused.get(action);
    if (code !== undefined) throw new ApiError(code);
    const { sessionSeconds = 7200 } = options;
    const key = { secretId: `AKID-${randomUUID()}`, secretKey: randomUUID(), token: randomUUID() };
    keys.push(key);
    const Credentials = { Token: key.token, TmpSecretId: key.secretId, TmpSecretKey: key.secretKey };
    const ExpiredTime = Math.floor(Date.now() / 1000) + sessionSeconds;
    return { Credentials, ExpiredTime, Expiration: new Date(ExpiredTime * 1000).toISOString() };
  };

  const isLegacy = ({ path }: FakeRequest) => /^\/[A-Z][a-z]+\.[A-Z]/.test(path);
  const http: HttpService = await startHttpService({
    handle: (request) => (isLegacy(request) ? legacyReply(store, loginToken, request) : cloud(request)),
    operationOf: (request) => {
      const operation = isLegacy(request) ? request.path.slice(1) : String(request.headers["x-tc-action"] ?? "?");
      return { operation, write: /^(Create|Delete)Record|^Record\.(Create|Remove)$/.test(operation) };
    },
    // Neither API says for how long: there is no Retry-After.
    throttleReply: (request) =>
      isLegacy(request)
        ? { body: { status: { code: "-2", message: "API usage is limited", created_at: new Date().toISOString() } } }
        : fail("RequestLimitExceeded", "Your current request times equals to `21` in a second"),
  });

  const at = (apex: DomainName, fqdn: DomainName) => {
    const name = relativeTo(fqdn, apex);
    return store.standing(store.byApex(apex)).filter((record) => record.name === name);
  };
  const [defaultLine = { id: "0", name: "默认" }] = store.lines;
  const { signIn = "key" } = options;
  const { secretId, secretKey } = fakeKey;
  return {
    http,
    store,
    keys,
    sessions,
    config: signIn === "key" ? { secretId, secretKey, endpoint: http.url } : { loginToken, endpoint: http.url },
    values: (apex, fqdn) => at(apex, fqdn).flatMap(({ type, value }) => (type === "TXT" ? [value] : [])),
    put(apex, fqdn, values, ttl) {
      const at = { name: relativeTo(fqdn, apex), type: "TXT", line: defaultLine };
      const domain = store.byApex(apex);
      const beside = store.valuesAt(domain, at);
      for (const value of values) {
        const made = store.create(domain, { ...at, value, ttl }, beside);
        if (typeof made === "string") throw new Error(`the fake refuses ${value}: ${made}`);
      }
    },
    putOtherType(apex, fqdn) {
      const name = relativeTo(fqdn, apex);
      const domain = store.byApex(apex);
      const made = store.create(domain, { name, type: "A", line: defaultLine, value: "192.0.2.1", ttl: 600 });
      return () => store.standing(domain).some((record) => record === made);
    },
    ttlSeconds: (apex, fqdn) => at(apex, fqdn).find(({ type }) => type === "TXT")?.ttl,
    refuseCredentials() {
      keys.length = 0;
      loginToken = "1,other";
    },
    limitTo(apex) {
      only = apex;
    },
    requestIds: () => requestIds,
    refuse(code, ...actions) {
      for (const action of actions) refused.set(action, code);
    },
  };
}
