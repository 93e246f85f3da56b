import { canonicalRequest, hmacSha256, sha256 } from "./canonical.ts";

export interface Acs3Request {
  readonly host: string;
  readonly action: string;
  readonly version: string;
  /** Made by queryOf. */
  readonly query: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string | undefined;
  readonly now: Date;
  /** Another one for every request. */
  readonly nonce: string;
}

/**
 * Headers of a signed POST without a body to an RPC API of Alibaba Cloud.
 * @see https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
export function acs3Headers(request: Acs3Request): Readonly<Record<string, string>> {
  const { host, action, version, query, accessKeyId, accessKeySecret, securityToken, now, nonce } = request;
  const headers = {
    "x-acs-action": action,
    "x-acs-content-sha256": sha256(""),
    "x-acs-date": now.toISOString().replace(/\.\d+/, ""),
    "x-acs-signature-nonce": nonce,
    "x-acs-version": version,
    ...(securityToken === undefined ? {} : { "x-acs-security-token": securityToken }),
  };
  const { hash, signedHeaders } = canonicalRequest({
    method: "POST",
    path: "/",
    query,
    headers: { ...headers, host },
    body: "",
  });
  const signature = hmacSha256(accessKeySecret, `ACS3-HMAC-SHA256\n${hash}`);
  const authorization = `ACS3-HMAC-SHA256 Credential=${accessKeyId},SignedHeaders=${signedHeaders},Signature=${signature}`;
  return { ...headers, authorization };
}
