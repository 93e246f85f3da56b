import { rm, writeFile } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { group, type Harness, startHarness, until } from "./harness.ts";
import { makeCa, makeClusterPki, serverAuth, serviceName } from "./pki.ts";

const open: Harness[] = [];
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.close();
});

const minute = 60_000;

test.each([
  ["a key that is not the certificate's", async () => (await makeCa("x")).key, /is not the key of/],
  ["half a key", async () => "-----BEGIN PRIVATE KEY-----\nMIG", /holds no private key/],
  ["no key", async () => undefined, /no such file or directory/],
])("a bad pair (%s) is told once, and the one before stays", async (_name, key, words) => {
  const harness = await startHarness();
  open.push(harness);
  const text = await key();
  if (text === undefined) await rm(harness.keyFile);
  else await writeFile(harness.keyFile, text);
  await until(() => harness.complaints().length > 0);
  expect(harness.complaints()).toEqual([expect.stringMatching(words)]);
  expect(harness.complaints()[0]).not.toContain("MIG");
  expect((await harness.aggregator().challenge(group, "dnspod")).status).toBe(201);
  expect(await harness.metrics.text()).toContain('reloads_total{result="failed"} 1');
});

test("at the start a bad pair is a ConfigError that names the file", async () => {
  const other = await makeCa("other");
  const pki = await makeClusterPki();
  const started = startHarness({ pki: { ...pki, serving: { ...pki.serving, key: other.key } } });
  await expect(started).rejects.toThrow(ConfigError);
  await expect(started).rejects.toThrow(/tls\.key is not the key of .*tls\.crt/);
});

test("readiness turns bad before the end, and a renewed certificate makes it good again", async () => {
  let now = Date.now();
  const pki = await makeClusterPki();
  const harness = await startHarness({ pki, now: () => new Date(now) });
  open.push(harness);
  const aggregator = harness.aggregator();
  const ready = async () => (await aggregator.exchange({ path: "/readyz" })).text;
  const end = Math.floor(Date.now() / 1000) * 1000 + 24 * 60 * minute;
  now = end - 12 * minute;
  expect(await ready()).toBe("ok");
  now = end - 9 * minute;
  expect(await ready()).toContain("[-]serving-certificate failed");
  const next = { usages: [serverAuth], names: [serviceName], notAfter: new Date(end + 24 * 60 * minute) };
  await harness.install(await pki.servingCa.issue("renewed", next));
  await until(async () => (await ready()) === "ok");
  const seconds = Math.floor((end + 24 * 60 * minute) / 1000);
  expect(await harness.metrics.text()).toMatch(
    new RegExp(`dns01_webhook_serving_certificate_expiry_timestamp_seconds ${seconds}`),
  );
});
