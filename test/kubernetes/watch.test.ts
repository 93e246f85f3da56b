import { expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import type { ConfigMapData } from "../../src/kubernetes/api.ts";
import type { KubernetesError } from "../../src/kubernetes/error.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import type { KubeApiServer } from "../fakes/kube-apiserver.ts";
import { configMap, grant, inPod, startApi, until, webhookUser } from "./support.ts";

const name = "extension-apiserver-authentication";
const map = (value: string) => configMap(name, "kube-system", { ca: value });

/** Role extension-apiserver-authentication-reader. */
function allow(api: KubeApiServer): void {
  const rule = { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["configmaps"], resourceNames: [name] };
  grant(api, webhookUser, rule, "kube-system");
}

async function watching(api: KubeApiServer, now?: () => number) {
  const seen: (string | undefined)[] = [];
  const troubles: KubernetesError[] = [];
  const events: Dns01Event[] = [];
  const stop = new AbortController();
  const observer = (event: Dns01Event) => events.push(event);
  const fast = createFastClock(100);
  const pauses: number[] = [];
  const clock: Clock = {
    ...fast,
    ...(now === undefined ? {} : { now }),
    sleep(ms, signal) {
      // Time limits are longer than any pause.
      if (ms < 60_000) pauses.push(ms);
      return fast.sleep(ms, signal);
    },
  };
  const { kube } = await inPod(api, api.token(webhookUser), { clock, observer, timeoutMs: 300_000 });
  const onChange = (current: ConfigMapData | undefined) => seen.push(current?.data["ca"]);
  kube.watchConfigMap("kube-system", name, onChange, stop.signal, (error) => troubles.push(error));
  const shows = async (...expected: (string | undefined)[]) => {
    await until(() => seen.length >= expected.length);
    expect(seen).toEqual(expected);
  };
  return { seen, troubles, events, pauses, shows, stop };
}

test("shows the present state, then each change, over one watch with the field selector RBAC needs", async () => {
  const api = await startApi();
  allow(api);
  api.store.put(map("1"));
  const { shows, stop } = await watching(api);
  await shows("1");
  await until(() => api.watches() === 1);
  api.store.put(configMap("other", "kube-system", { ca: "x" }));
  api.store.put(map("2"));
  await shows("1", "2");
  api.store.remove("ConfigMap", name, "kube-system");
  await shows("1", "2", undefined);
  api.store.put(map("3"));
  await shows("1", "2", undefined, "3");
  const urls = api.requests.map(({ method, url }) => `${method} ${url}`);
  expect(urls).toHaveLength(2);
  expect(urls[0]).toBe(`GET /api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3D${name}`);
  expect(urls[1]).toMatch(
    /^WATCH .*\?watch=true&fieldSelector=.*&resourceVersion=\d+&allowWatchBookmarks=true&timeoutSeconds=\d+$/,
  );
  stop.abort();
  await until(() => api.watches() === 0);
});

test("an object that is not there yet is shown as undefined, and when it comes", async () => {
  const api = await startApi();
  allow(api);
  const { shows, stop } = await watching(api);
  await shows(undefined);
  api.store.put(map("1"));
  await shows(undefined, "1");
  stop.abort();
});

test("goes on from where it was when the server ends the watch, from the bookmark if there was one", async () => {
  const api = await startApi();
  allow(api);
  api.store.put(map("1"));
  const { shows, troubles, stop } = await watching(api);
  await until(() => api.watches() === 1);
  for (let i = 0; i < 5; i++) api.store.tick();
  const bookmarked = api.store.version();
  api.bookmark();
  api.endWatches();
  await until(() => api.requests.filter(({ method }) => method === "WATCH").length === 2);
  expect(api.requests.at(-1)?.url).toContain(`resourceVersion=${bookmarked}&`);
  api.store.put(map("2"));
  await shows("1", "2");
  expect(troubles).toEqual([]);
  expect(api.requests.filter(({ method }) => method === "GET")).toHaveLength(1);
  stop.abort();
});

test("410 Gone: lists again, and shows what it missed once", async () => {
  const api = await startApi();
  allow(api);
  api.store.put(map("1"));
  const { shows, troubles, events, stop } = await watching(api);
  await until(() => api.watches() === 1);
  let away = true;
  api.intercept = ({ url }) => (away && url?.includes("watch=true") ? "reset" : undefined);
  api.cut();
  // A cut is a trouble, so it lists; then the watch's version is compacted away before it is asked for.
  await until(() => troubles.length > 1);
  api.intercept = ({ url }) => {
    if (!away || !url?.includes("watch=true")) return undefined;
    away = false;
    api.store.put(map("2"));
    api.store.compact();
    return undefined;
  };
  await shows("1", "2");
  expect(events.at(-1)).toMatchObject({
    level: "debug",
    text: expect.stringMatching(/too old resource version.*410 Expired.*listing again/),
  });
  await until(() => api.watches() === 1);
  api.store.put(map("3"));
  await shows("1", "2", "3");
  stop.abort();
});

test("never dies: forbidden, refused, reset, garbage, server gone; then it is back by itself", async () => {
  const api = await startApi();
  api.store.put(map("1"));
  const { shows, seen, troubles, events, stop } = await watching(api);
  await until(() => troubles.length >= 2);
  expect(troubles[0]?.message).toContain(`cannot list resource "configmaps"`);
  expect(troubles[0]?.status).toBe(403);
  expect(events.some((event) => event.type === "log" && event.text.endsWith("; tries again"))).toBe(true);
  expect(seen).toEqual([]);
  allow(api);
  await shows("1");
  await until(() => api.watches() === 1);
  for (const answer of ["reset", { status: 500, body: "no" }, { status: 200, body: "{nonsense" }] as const) {
    const before = troubles.length;
    api.intercept = () => answer;
    api.cut();
    await until(() => troubles.length >= before + 2);
  }
  api.intercept = undefined;
  await until(() => api.watches() === 1);
  api.store.put(map("2"));
  await shows("1", "2");
  stop.abort();
});

test("a server that ends every watch at once is asked less and less often", async () => {
  const api = await startApi();
  allow(api);
  api.store.put(map("1"));
  // Time stands still, so that none of them lasted, however busy this machine is.
  const { pauses, stop } = await watching(api, () => 0);
  const timer = setInterval(() => api.endWatches(), 1);
  await until(() => pauses.length >= 8);
  clearInterval(timer);
  stop.abort();
  for (const [at, ceiling] of [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000].entries()) {
    expect(pauses[at]).toBeGreaterThanOrEqual(ceiling / 2);
    expect(pauses[at]).toBeLessThanOrEqual(ceiling);
  }
});
