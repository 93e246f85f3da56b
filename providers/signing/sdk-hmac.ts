import { canonicalRequest, hmacSha256 } from "./canonical.ts";

export interface SdkHmacRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Made by queryOf. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly now: Date;
}

/**
 * Headers of a signed request to an API of Huawei Cloud; those given are among them and signed.
 * @see https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
 */
export function sdkHmacHeaders(request: SdkHmacRequest): Readonly<Record<string, string>> {
  const { method, host, path, query, body, accessKeyId, secretAccessKey, now } = request;
  const date = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = { ...request.headers, "x-sdk-date": date };
  const { hash, signedHeaders } = canonicalRequest({
    method,
    path: `${path.replace(/\/+$/, "")}/`,
    query,
    headers: { ...headers, host },
    body,
  });
  const signature = hmacSha256(secretAccessKey, `SDK-HMAC-SHA256\n${date}\n${hash}`);
  const authorization = `SDK-HMAC-SHA256 Access=${accessKeyId}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return { ...headers, authorization };
}
