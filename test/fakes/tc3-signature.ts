import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FakeRequest } from "./http-service.ts";

export interface Tc3Key {
  readonly secretId: string;
  readonly secretKey: string;
  /** Set for temporary keys, which need it in X-TC-Token. */
  readonly token?: string | undefined;
}

/**
 * Checks a request as Tencent Cloud's gateway does; answers the error code, or `undefined` when it is genuine. As the
 * SDKs do it, the host is signed without its port, and the service in the scope is the first label of the host.
 * @see https://cloud.tencent.com/document/api/1427/56189
 */
export function verifyTc3(request: FakeRequest, service: string, keys: readonly Tc3Key[]): string | undefined {
  const { headers, method, path, rawQuery, rawBody } = request;
  const header = (name: string): string => {
    const value = headers[name];
    return typeof value === "string" ? value : "";
  };
  const timestamp = header("x-tc-timestamp");
  if (!/^\d{10}$/.test(timestamp)) return "InvalidParameter";
  const found =
    /^TC3-HMAC-SHA256 Credential=([^/\s]+)\/(\d{4}-\d\d-\d\d)\/([^/\s]+)\/tc3_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      header("authorization"),
    );
  const [, secretId = "", date = "", scope = "", signedHeaders = "", signature = ""] = found ?? [];
  if (found === null) return "AuthFailure.InvalidAuthorization";
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return "AuthFailure.SignatureExpire";
  const key = keys.find((k) => k.secretId === secretId);
  if (key === undefined) return "AuthFailure.SecretIdNotFound";
  if (header("x-tc-token") !== (key.token ?? "")) return "AuthFailure.TokenFailure";

  const [host = ""] = header("host").split(":");
  const [label = ""] = host.split(".");
  const names = signedHeaders.split(";");
  const wellFormed =
    date === new Date(Number(timestamp) * 1000).toISOString().slice(0, 10) &&
    (scope === service || scope === label) &&
    names.includes("content-type") &&
    names.includes("host") &&
    names.join() === [...names].sort().join();
  if (!wellFormed) return "AuthFailure.SignatureFailure";

  const canonicalHeaders = names
    .map((name) => `${name}:${(name === "host" ? host : header(name)).trim().toLowerCase()}\n`)
    .join("");
  const canonical = [method, path, rawQuery, canonicalHeaders, signedHeaders, sha256(rawBody)].join("\n");
  const toSign = ["TC3-HMAC-SHA256", timestamp, `${date}/${scope}/tc3_request`, sha256(canonical)].join("\n");
  const signingKey = [date, scope, "tc3_request"].reduce<Buffer>(hmac, Buffer.from(`TC3${key.secretKey}`));
  const genuine = timingSafeEqual(hmac(signingKey, toSign), Buffer.from(signature, "hex"));
  return genuine ? undefined : "AuthFailure.SignatureFailure";
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
