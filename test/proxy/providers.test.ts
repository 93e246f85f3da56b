import { afterEach, describe, expect, test, vi } from "vitest";
import { AbortedError } from "../../src/core/errors.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { connectSolver, loadProvider } from "../../src/providers.ts";
import { startAlidns } from "../fakes/alidns.ts";
import { startCloudflareFake } from "../fakes/cloudflare.ts";
import { startDesecFake } from "../fakes/desec.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { type ForwardProxy, type ForwardProxyOptions, startForwardProxy } from "../fakes/forward-proxy.ts";
import { startRoute53 } from "../fakes/route53.ts";
import { failureOf } from "../providers/program.ts";
import type { AdapterFake } from "../providers/trial.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ends.splice(0).reverse()) await end();
});

function setEnv(env: Readonly<Record<string, string>>): void {
  for (const name of names) vi.stubEnv(name, env[name]);
}

async function proxied(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const proxy = await startForwardProxy(options);
  ends.push(() => proxy.close());
  return proxy;
}

async function present(id: string, fake: AdapterFake, signal = new AbortController().signal): Promise<void> {
  const end = new AbortController();
  ends.push(
    () => fake.stop?.() ?? fake.http.close(),
    () => end.abort(),
  );
  const provider = await loadProvider(id);
  const resolved = await resolveConfig(provider, { config: fake.config });
  const retry = { attempts: 1, baseMs: 1, maxMs: 1 };
  const solver = await connectSolver(provider, resolved, { signal: end.signal, retry });
  await solver.present([{ owner, values: ["value"], zoneCut: apex }], signal);
}

const fakes: Readonly<Record<string, () => Promise<AdapterFake>>> = {
  alidns: () => startAlidns([apex]),
  cloudflare: () => startCloudflareFake([apex]),
  desec: () => startDesecFake([apex]),
  dnspod: () => startDnspod([apex]),
  route53: () => startRoute53([apex]),
};

describe.each(Object.entries(fakes))("%s", (id, start) => {
  test("reaches its service through the proxy of the environment, with the login of its address", async () => {
    const proxy = await proxied({ login: "me:s@cret" });
    setEnv({ HTTP_PROXY: `http://me:s%40cret@${proxy.host}` });
    const fake = await start();
    await present(id, fake);
    expect(fake.values(apex, owner)).toEqual(["value"]);
    expect(proxy.asked).toHaveLength(fake.http.calls.length);
    for (const asked of proxy.asked) expect(asked).toContain(` ${fake.http.url}/`);
  });

  test("reaches it directly where NO_PROXY names it", async () => {
    const proxy = await proxied();
    const fake = await start();
    setEnv({ HTTP_PROXY: `http://${proxy.host}`, HTTPS_PROXY: `http://${proxy.host}`, NO_PROXY: fake.http.host });
    await present(id, fake);
    expect(fake.values(apex, owner)).toEqual(["value"]);
    expect(proxy.asked).toEqual([]);
  });

  test("names the proxy that is not there, without its password", async () => {
    const proxy = await startForwardProxy();
    await proxy.close();
    setEnv({ HTTP_PROXY: `http://me:hidden@${proxy.host}` });
    const error = await failureOf(present(id, await start()));
    expect(error).toMatchObject({ code: "TRANSIENT", hint: expect.stringContaining("HTTPS_PROXY") });
    expect(error.message).toContain(`cannot connect to the proxy ${proxy.host}`);
    expect(JSON.stringify(error) + error.message).not.toContain("hidden");
  });
});

test("a proxy that wants a login is named, and what to do", async () => {
  const proxy = await proxied({ login: "me:right" });
  setEnv({ HTTP_PROXY: `http://me:wrong@${proxy.host}` });
  const error = await failureOf(present("desec", await startDesecFake([apex])));
  expect(error).toMatchObject({ code: "REJECTED", hint: expect.stringContaining("USER:PASSWORD@HOST:PORT") });
  expect(error.message).toContain(`the proxy ${proxy.host} answered 407`);
  expect(error.message).not.toContain("wrong");
});

test.each([
  [407, "REJECTED", /requires a login/],
  [403, "REJECTED", /does not pass on requests to api\.example\.test:443/],
  [502, "TRANSIENT", /cannot reach api\.example\.test:443/],
])("a proxy that answers %i to CONNECT is named, and what to do", async (answer, code, said) => {
  const proxy = await proxied({ answer });
  setEnv({ HTTPS_PROXY: `http://${proxy.host}` });
  const fake = await startDesecFake([apex]);
  const elsewhere = { ...fake, config: { ...fake.config, endpoint: "https://api.example.test" } };
  const error = await failureOf(present("desec", elsewhere));
  expect(error).toMatchObject({ code, hint: expect.any(String) });
  expect(error.message).toContain(`the proxy ${proxy.host} answered ${answer}`);
  expect(error.message).toMatch(said);
  expect(proxy.asked).toEqual(["CONNECT api.example.test:443"]);
});

test("a request that is given up closes its connection to the proxy", async () => {
  const proxy = await proxied();
  setEnv({ HTTP_PROXY: `http://${proxy.host}` });
  const fake = await startDesecFake([apex]);
  fake.http.inject({ kind: "hang" });
  const stop = new AbortController();
  const work = failureOf(present("desec", fake, stop.signal));
  await vi.waitFor(() => expect(fake.http.hanging).toBe(1));
  stop.abort(new AbortedError("enough"));
  await work;
  await vi.waitFor(() => expect([fake.http.hanging, proxy.connections]).toEqual([0, 0]));
});

test("an address that is no proxy's is refused before anything is sent", async () => {
  setEnv({ HTTP_PROXY: "socks5://me:hidden@p.test:1080" });
  const fake = await startDesecFake([apex]);
  const error = await failureOf(present("desec", fake));
  expect(error).toMatchObject({ code: "CONFIG" });
  expect(error.message).toContain("HTTP_PROXY: is not the address of a proxy");
  expect(error.message).not.toContain("hidden");
  expect(fake.http.calls).toEqual([]);
});
