import { expect, test } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { followOwnApiServices } from "../../src/webhook/own-api-service.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { grant, inPod, startApi, until, webhookUser } from "../kubernetes/support.ts";

const groups = ["acme.dns01.io", "acme.dnspod.com"];

function apiService(group: string, status: string, reason: string, message: string) {
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `v1alpha1.${group}` },
    spec: { group, version: "v1alpha1", service: { name: "dns01", namespace: "dns01" } },
    status: { conditions: [{ type: "Available", status, reason, message }] },
  };
}

async function following(may = true) {
  const api = await startApi();
  const allow = () => {
    const resourceNames = groups.map((group) => `v1alpha1.${group}`);
    const rule = { verbs: ["get", "list", "watch"], apiGroups: ["apiregistration.k8s.io"], resources: ["apiservices"] };
    grant(api, webhookUser, { ...rule, resourceNames });
  };
  if (may) allow();
  const { kube } = await inPod(api, api.token(webhookUser), { clock: createFastClock(1000), timeoutMs: 600_000 });
  const seen: (readonly [string, boolean | undefined])[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const observer = (event: Dns01Event) => event.type === "log" && lines.push(`${event.level}: ${event.text}`);
  const metrics = {
    apiService: (group: string, available: boolean | undefined) => void seen.push([group, available]),
  };
  followOwnApiServices({ watcher: kube, groups, observer, metrics, signal: stop.signal });
  return { api, allow, seen, lines, stop };
}

test("says why an APIService is not available, once for each cause, and when it is again", async () => {
  const { api, seen, lines, stop } = await following();
  await until(() => lines.length === 2);
  expect(lines.toSorted()).toEqual(
    groups.map((g) => `warn: APIService v1alpha1.${g} does not exist: nobody can have challenges of this group solved`),
  );
  await until(() => api.watches() === 2);
  const [group = ""] = groups;
  const refused = (port: number) =>
    `failing or missing response from https://10.0.0.7:8443/apis/${group}/v1alpha1: read tcp 10.0.0.5:${port}: reset`;
  api.store.put(apiService(group, "False", "FailedDiscoveryCheck", refused(41234)));
  await until(() => lines.length === 3);
  expect(lines[2]).toBe(
    `warn: APIService v1alpha1.${group} is not available (FailedDiscoveryCheck): ${refused(41234)}`,
  );
  // Another port of the same cause is no news; the metric follows all the same.
  api.store.put(apiService(group, "False", "FailedDiscoveryCheck", refused(51234)));
  api.store.put(apiService(group, "True", "Passed", "all checks passed"));
  await until(() => lines.length === 4);
  expect(lines[3]).toBe(`info: APIService v1alpha1.${group} is available`);
  expect(seen.filter(([of]) => of === group).map(([, available]) => available)).toEqual([false, false, false, true]);
  api.store.put({ ...apiService(group, "", "", ""), status: {} });
  await until(() => lines.length === 5);
  expect(lines[4]).toMatch(/is not available \(Unknown\): the API server has not said anything about it yet$/);
  stop.abort();
});

test("a missing right is said once and is no fault; it is used when it is there", async () => {
  const { api, allow, seen, lines, stop } = await following(false);
  await until(() => api.requests.filter(({ status }) => status === 403).length >= 4);
  expect(lines).toEqual([
    expect.stringMatching(/^info: goes without a look at its own APIServices, .*apiservices.* is forbidden: User/),
  ]);
  expect(seen.every(([, available]) => available === undefined)).toBe(true);
  for (const group of groups) api.store.put(apiService(group, "True", "Passed", "all checks passed"));
  allow();
  await until(() => lines.length === 3);
  expect(lines.slice(1).toSorted()).toEqual(groups.map((g) => `info: APIService v1alpha1.${g} is available`));
  stop.abort();
});
