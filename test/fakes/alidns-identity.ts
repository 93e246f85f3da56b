import { randomUUID } from "node:crypto";
import type { Acs3Key } from "./acs3-signature.ts";
import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";

export interface IdentityOptions {
  /** Tokens of the cluster's identity provider that are good. */
  readonly tokens?: readonly string[];
  readonly role?: string;
  /** Default: it answers requests without a token too. "hardened": only those with one. "old": it knows no tokens. */
  readonly metadata?: "normal" | "hardened" | "old";
  /** How long issued keys live. Default 3,600. */
  readonly lifeSeconds?: number;
}

export interface IdentityFake {
  readonly http: HttpService;
  /** Keys that were issued, newest last; the API's fake takes them from here. */
  readonly keys: Acs3Key[];
  /** Sends requests to the metadata address of ECS here. */
  readonly fetch: typeof fetch;
}

export const roleArn = "acs:ram::1234567890123456:role/dns01";
export const providerArn = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1";

/** Alibaba Cloud's token service (AssumeRoleWithOIDC) and the metadata service of an ECS instance. */
export async function startIdentity(options: IdentityOptions = {}): Promise<IdentityFake> {
  const { tokens = [], role = "dns-role", metadata = "normal", lifeSeconds = 3600 } = options;
  const keys: Acs3Key[] = [];
  const nonces = new Set<string>();
  const sessions = new Set<string>();

  const issue = () => {
    const key = { accessKeyId: `STS.${randomUUID()}`, accessKeySecret: randomUUID(), securityToken: randomUUID() };
    keys.push(key);
    const Expiration = new Date(Date.now() + lifeSeconds * 1000).toISOString().replace(/\.\d+/, "");
    return {
      ...{ AccessKeyId: key.accessKeyId, AccessKeySecret: key.accessKeySecret },
      ...{ SecurityToken: key.securityToken, Expiration },
    };
  };

  const sts = ({ method, headers, query, body }: FakeRequest): FakeReply => {
    const refuse = (status: number, Code: string): FakeReply => {
      // The service repeats what it was given.
      const Message = `${Code}: ${body}`;
      return { status, body: { RequestId: randomUUID(), HostId: headers.host, Code, Message } };
    };
    if (method !== "POST" || query.get("Action") !== "AssumeRoleWithOIDC" || query.get("Version") !== "2015-04-01") {
      return refuse(404, "InvalidAction.NotFound");
    }
    const signed = ["Signature", "SignatureMethod", "AccessKeyId"].some((name) => query.has(name));
    if (signed || headers.authorization !== undefined) return refuse(400, "IncompleteSignature");
    if (query.get("Format") !== "JSON") return refuse(400, "InvalidParameter.Format");
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(query.get("Timestamp") ?? ""))
      return refuse(400, "InvalidTimeStamp.Format");
    const nonce = query.get("SignatureNonce") ?? "";
    if (nonce === "" || nonces.has(nonce)) return refuse(400, "SignatureNonceUsed");
    nonces.add(nonce);
    // Addresses are logged on the way.
    if (query.has("OIDCToken")) return refuse(400, "InvalidParameter.OIDCToken");
    if (!headers["content-type"]?.startsWith("application/x-www-form-urlencoded"))
      return refuse(415, "UnsupportedMediaType");
    const form = new URLSearchParams(body);
    if (!/^[\w.@-]{2,64}$/.test(form.get("RoleSessionName") ?? ""))
      return refuse(400, "InvalidParameter.RoleSessionName");
    if (form.get("OIDCProviderArn") !== providerArn) return refuse(404, "EntityNotExist.OIDCProvider");
    if (form.get("RoleArn") !== roleArn) return refuse(404, "EntityNotExist.Role");
    if (!tokens.includes(form.get("OIDCToken") ?? "")) return refuse(400, "AuthenticationFail.OIDCToken.Expired");
    return { body: { RequestId: randomUUID(), Credentials: issue(), AssumedRoleUser: { Arn: roleArn } } };
  };

  const instance = ({ method, path, headers }: FakeRequest): FakeReply => {
    const page = (status: number): FakeReply => ({
      status,
      headers: { "content-type": "text/html" },
      body: "<html>no</html>",
    });
    if (path === "/latest/api/token") {
      if (metadata === "old") return page(404);
      const seconds = Number(headers["x-aliyun-ecs-metadata-token-ttl-seconds"]);
      if (method !== "PUT" || !(seconds >= 1 && seconds <= 21_600)) return page(400);
      const session = randomUUID();
      sessions.add(session);
      return { headers: { "content-type": "text/plain" }, body: session };
    }
    const session = headers["x-aliyun-ecs-metadata-token"];
    if (session === undefined ? metadata === "hardened" : !sessions.has(String(session))) return page(403);
    if (path !== `/latest/meta-data/ram/security-credentials/${role}`) return page(404);
    return { body: { ...issue(), LastUpdated: new Date().toISOString(), Code: "Success" } };
  };

  const http = await startHttpService({
    handle: (request) => (request.path.startsWith("/latest/") ? instance(request) : sts(request)),
    operationOf: ({ path, query }) => ({ operation: query.get("Action") ?? path, write: false }),
  });
  return {
    http,
    keys,
    fetch: (url, init) => fetch(String(url).replace(/^http:\/\/100\.100\.100\.200\//, `${http.url}/`), init),
  };
}
