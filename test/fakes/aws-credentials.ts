import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";
import { checkSignature, isRefusal, type SigningKey } from "./sigv4.ts";
import { xml } from "./xml.ts";

export interface CredentialSources {
  readonly http: HttpService;
  /** What every source here hands out. */
  readonly issued: SigningKey;
}

export interface CredentialRules {
  /** Who may assume a role. */
  readonly callers?: readonly SigningKey[];
  /** Region of STS. */
  readonly region: string;
  readonly role: string;
  readonly externalId?: string;
  readonly webIdentityToken?: string;
  /** Of the container endpoint. */
  readonly authorization?: string;
}

/**
 * Where AWS programs get temporary credentials from: STS at "/", the endpoint of containers at "/container", the
 * metadata service of instances (version 2) under "/latest".
 */
export async function startCredentialSources(rules: CredentialRules): Promise<CredentialSources> {
  const issued = {
    accessKeyId: "ASIAISSUEDEXAMPLE",
    secretAccessKey: "issued/secret",
    sessionToken: "issued//token==",
  };
  const Expiration = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, "");
  const asJson = {
    Code: "Success",
    AccessKeyId: issued.accessKeyId,
    SecretAccessKey: issued.secretAccessKey,
    Token: issued.sessionToken,
    Expiration,
  };

  const sts = (request: FakeRequest): FakeReply => {
    const form = new URLSearchParams(request.body);
    const action = form.get("Action") ?? "";
    if (action === "AssumeRole") {
      const judged = checkSignature(request, { keys: rules.callers ?? [], region: rules.region, service: "sts" });
      if (isRefusal(judged)) return stsError(judged.status, judged.code, judged.message);
      if (form.get("ExternalId") !== (rules.externalId ?? null))
        return stsError(403, "AccessDenied", notAllowed(rules.role));
    } else if (action !== "AssumeRoleWithWebIdentity" || form.get("WebIdentityToken") !== rules.webIdentityToken) {
      return stsError(400, "InvalidIdentityToken", "The web identity token is not valid");
    }
    if (form.get("RoleArn") !== rules.role) return stsError(403, "AccessDenied", notAllowed(form.get("RoleArn") ?? ""));
    const credentials =
      xml("AccessKeyId", issued.accessKeyId) +
      xml("SecretAccessKey", issued.secretAccessKey) +
      xml("SessionToken", issued.sessionToken) +
      xml("Expiration", Expiration);
    const user = `<AssumedRoleUser>${xml("Arn", `${rules.role}/session`)}${xml("AssumedRoleId", "AROA:session")}</AssumedRoleUser>`;
    return {
      headers: { "content-type": "text/xml" },
      body:
        `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>` +
        `<Credentials>${credentials}</Credentials>${user}</${action}Result></${action}Response>`,
    };
  };

  const metadata = ({ method, path, headers }: FakeRequest): FakeReply => {
    if (method === "PUT" && path === "/latest/api/token") return { body: "imds-token" };
    if (headers["x-aws-ec2-metadata-token"] !== "imds-token") return { status: 401 };
    const list = /^\/latest\/meta-data\/iam\/security-credentials(-extended)?\/?(.*)$/.exec(path);
    if (list === null || list[1] !== undefined) return { status: 404 };
    return { body: list[2] === "" ? "instance-role" : asJson };
  };

  const http = await startHttpService({
    operationOf: ({ method, path, body }) => ({
      operation: new URLSearchParams(body).get("Action") ?? `${method} ${path}`,
      write: false,
    }),
    handle(request) {
      if (request.path === "/") return sts(request);
      if (request.path.startsWith("/latest/")) return metadata(request);
      if (request.path !== "/container") return { status: 404 };
      return request.headers.authorization === rules.authorization ? { body: asJson } : { status: 401 };
    },
  });
  return { http, issued };
}

function notAllowed(role: string): string {
  return `User: arn:aws:iam::123456789012:user/dns01 is not authorized to perform: sts:AssumeRole on resource: ${role}`;
}

function stsError(status: number, code: string, message: string): FakeReply {
  const error = `<Error><Type>Sender</Type>${xml("Code", code)}${xml("Message", message)}</Error>`;
  return {
    status,
    headers: { "content-type": "text/xml" },
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}<RequestId>1</RequestId></ErrorResponse>`,
  };
}
