import { afterEach, expect, test } from "vitest";
import { faultKinds, type HttpService, startHttpService } from "./http-service.ts";

let service: HttpService | undefined;
let handled = 0;

afterEach(async () => {
  await service?.close();
  expect(service?.defects ?? []).toEqual([]);
});

async function start(): Promise<HttpService> {
  handled = 0;
  service = await startHttpService({
    operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: method !== "GET" }),
    handle: ({ body, query, rawQuery, headers }) => {
      handled++;
      return {
        status: 201,
        headers: { "x-echo": "yes" },
        body: { body, rawQuery, a: query.getAll("a"), h: headers["x-h"] },
      };
    },
  });
  return service;
}

test("hands the request to the fake as it was sent and logs it", async () => {
  const { url, calls } = await start();
  const answer = await fetch(`${url}/zones/a%2Fb?a=1&a=%20`, { method: "POST", body: "ü", headers: { "X-H": "1" } });
  expect(answer.status).toBe(201);
  expect(answer.headers.get("x-echo")).toBe("yes");
  expect(await answer.json()).toEqual({ body: "ü", rawQuery: "a=1&a=%20", a: ["1", " "], h: "1" });
  expect(calls).toMatchObject([
    { number: 1, operation: "POST /zones/a%2Fb", write: true, status: 201, fault: undefined, request: { body: "ü" } },
  ]);
});

test("does each kind of fault on the call it was meant for, and on no other", async () => {
  const { url, inject, calls } = await start();
  const outcomes: unknown[] = [];
  for (const kind of faultKinds) {
    const before = handled;
    inject({ kind, nth: 2, when: ({ write }) => write });
    await fetch(`${url}/`);
    await fetch(`${url}/`, { method: "PUT" });
    const answer = await fetch(`${url}/`, { method: "PUT", signal: AbortSignal.timeout(200) }).catch(() => undefined);
    const text = await answer?.text();
    outcomes.push([
      kind,
      answer?.status,
      answer?.headers.get("retry-after"),
      text?.startsWith("<!D"),
      handled - before,
    ]);
    expect((await fetch(`${url}/`, { method: "PUT" })).status).toBe(201);
    expect(calls.filter(({ fault }) => fault === kind).map(({ number }) => number % 4)).toEqual([3]);
  }
  expect(outcomes).toEqual([
    ["throttle", 429, null, false, 2],
    ["throttleRetryAfter", 429, "1", false, 2],
    ["error500", 500, null, false, 2],
    ["reset", undefined, undefined, undefined, 2],
    ["hang", undefined, undefined, undefined, 2],
    ["html200", 200, null, true, 2],
    ["html502", 502, null, true, 2],
    ["lostResponse", undefined, undefined, undefined, 3],
  ]);
});

test("closes although requests hang, and then refuses connections", async () => {
  const { url, inject, close } = await start();
  inject({ kind: "hang", times: Number.POSITIVE_INFINITY });
  const hanging = Promise.allSettled([fetch(url), fetch(url)]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await close();
  expect((await hanging).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(fetch(url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  await close();
});
