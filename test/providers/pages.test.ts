import { expect, test } from "vitest";
import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Provider } from "../../src/core/provider.ts";
import { loadProvider } from "../../src/providers.ts";
import { startAlidns } from "../fakes/alidns.ts";
import { startCloudflareFake } from "../fakes/cloudflare.ts";
import { startDesecFake } from "../fakes/desec.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { startHetznerFake } from "../fakes/hetzner.ts";
import { startHuaweicloud } from "../fakes/huaweicloud.ts";
import { startPowerdns } from "../fakes/powerdns.ts";
import { startRoute53 } from "../fakes/route53.ts";
import { startProgram } from "./program.ts";
import type { AdapterFake } from "./trial.ts";

type Start = (zones: readonly DomainName[]) => Promise<AdapterFake>;

const services: readonly (readonly [id: string, start: Start])[] = [
  ["alidns", startAlidns],
  ["cloudflare", startCloudflareFake],
  ["desec", startDesecFake],
  ["dnspod", startDnspod],
  ["dnspod", (zones) => startDnspod(zones, { signIn: "loginToken" })],
  ["hetzner", startHetznerFake],
  ["huaweicloud", startHuaweicloud],
  ["powerdns", startPowerdns],
  ["route53", startRoute53],
];

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const page = '<!DOCTYPE html>\n<html lang="en"><head><title>Not found</title></head><body>nginx</body></html>';

/** Runs `act` against a proxy that answers with its page from the nth request on; whether a request met it. */
async function behindProxy(
  provider: Provider,
  start: Start,
  at: { readonly act: "present" | "cleanUp"; readonly nth: number; readonly status: number },
): Promise<boolean> {
  const { act, nth, status } = at;
  const fake = await start([apex]);
  if (act === "cleanUp") fake.put(apex, owner, ["ours"], 600);
  const program = await startProgram(provider, fake, { once: true, zoneCut: apex });
  try {
    const reply = () => ({ status, headers: { "content-type": "text/html" }, body: page });
    const fault = fake.http.inject({ kind: "reply", nth, times: Number.POSITIVE_INFINITY, reply });
    const ended = program[act](owner, "ours").then(
      () => "well",
      () => "with an error",
    );
    const standing = (await ended) === "well" && fake.values(apex, owner).includes("ours");
    if (fault.met()) expect({ ...at, ended: await ended }).toEqual({ ...at, ended: "with an error" });
    else expect(standing).toBe(act === "present");
    return fault.met();
  } finally {
    program.stop();
    await (fake.stop?.() ?? fake.http.close());
  }
}

test.each(services)("%s never takes a proxy's page for an answer, whatever its status", async (id, start) => {
  const provider = await loadProvider(id);
  for (const act of ["present", "cleanUp"] as const) {
    for (const status of [200, 400, 404, 409, 410, 412, 422]) {
      for (let nth = 1; await behindProxy(provider, start, { act, nth, status }); nth++) expect(nth).toBeLessThan(20);
    }
  }
});
