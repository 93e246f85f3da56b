import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FakeRequest } from "./http-service.ts";
import { verifyTc3 } from "./tc3-signature.ts";

/** The worked example of https://cloud.tencent.com/document/api/213/30654. */
const key = { secretId: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", secretKey: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE" };
const scope = `${key.secretId}/2019-02-25/cvm/tc3_request`;
const signature = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168";

function example(headers: Readonly<Record<string, string>> = {}, body?: string): FakeRequest {
  const text = body ?? '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}';
  return {
    method: "POST",
    path: "/",
    rawQuery: "",
    query: new URLSearchParams(),
    headers: {
      authorization: `TC3-HMAC-SHA256 Credential=${scope}, SignedHeaders=content-type;host, Signature=${signature}`,
      "content-type": "application/json; charset=utf-8",
      host: "cvm.tencentcloudapi.com",
      "x-tc-timestamp": "1551113065",
      ...headers,
    },
    rawBody: Buffer.from(text),
    body: text,
  };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 1_551_113_065_000 }));
afterEach(() => void vi.useRealTimers());

test("the vendor's own example is genuine, with and without a port", () => {
  expect(verifyTc3(example(), "cvm", [key])).toBeUndefined();
  expect(verifyTc3(example({ host: "cvm.tencentcloudapi.com:8443" }), "cvm", [key])).toBeUndefined();
});

test.each([
  ["another body", example({}, "{}"), "AuthFailure.SignatureFailure"],
  ["another host", example({ host: "cvm.example.com" }), "AuthFailure.SignatureFailure"],
  ["another content type", example({ "content-type": "application/json" }), "AuthFailure.SignatureFailure"],
  ["another second", example({ "x-tc-timestamp": "1551113066" }), "AuthFailure.SignatureFailure"],
  ["no timestamp", example({ "x-tc-timestamp": "" }), "InvalidParameter"],
  ["a token nobody asked for", example({ "x-tc-token": "t" }), "AuthFailure.TokenFailure"],
  ["no signature", example({ authorization: "SKIP" }), "AuthFailure.InvalidAuthorization"],
])("%s is not", (_what, request, code) => {
  expect(verifyTc3(request, "cvm", [key])).toBe(code);
});

test("keys and clocks are checked", () => {
  expect(verifyTc3(example(), "cvm", [])).toBe("AuthFailure.SecretIdNotFound");
  expect(verifyTc3(example(), "cvm", [{ ...key, secretKey: "other" }])).toBe("AuthFailure.SignatureFailure");
  expect(verifyTc3(example({ host: "dnspod.tencentcloudapi.com" }), "dnspod", [key])).toBe(
    "AuthFailure.SignatureFailure",
  );
  vi.setSystemTime(1_551_113_065_000 + 299_000);
  expect(verifyTc3(example(), "cvm", [key])).toBeUndefined();
  vi.setSystemTime(1_551_113_065_000 + 301_000);
  expect(verifyTc3(example(), "cvm", [key])).toBe("AuthFailure.SignatureExpire");
});
