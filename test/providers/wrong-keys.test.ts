import { expect, test } from "vitest";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { loadProvider } from "../../src/providers.ts";
import { startAlidns } from "../fakes/alidns.ts";
import { startCloudflareFake } from "../fakes/cloudflare.ts";
import { startDesecFake } from "../fakes/desec.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { startHetznerFake } from "../fakes/hetzner.ts";
import { startHuaweicloud } from "../fakes/huaweicloud.ts";
import { startPowerdns } from "../fakes/powerdns.ts";
import { startRoute53 } from "../fakes/route53.ts";
import { callsOf, startProgram } from "./program.ts";
import type { AdapterFake } from "./trial.ts";

type Start = (zones: readonly DomainName[]) => Promise<AdapterFake>;

test.each<[id: string, start: Start, wrong: Readonly<Record<string, string>>]>([
  ["alidns", startAlidns, { secretKey: "wrong" }],
  ["alidns", startAlidns, { accessKey: "wrong" }],
  ["cloudflare", startCloudflareFake, { apiToken: "0".repeat(40) }],
  ["desec", startDesecFake, { token: "wrong" }],
  ["dnspod", startDnspod, { secretKey: "wrong" }],
  ["dnspod", startDnspod, { secretId: "AKIDwrong" }],
  ["hetzner", startHetznerFake, { apiToken: "0".repeat(64) }],
  ["huaweicloud", startHuaweicloud, { secretAccessKey: "wrong" }],
  ["powerdns", startPowerdns, { apiKey: "wrong" }],
  ["route53", startRoute53, { secretAccessKey: "wrong" }],
])("%s: wrong keys are asked with once, not for every label", async (id, start, config) => {
  const fake = await start([parseName("example.com")]);
  const program = await startProgram(await loadProvider(id), fake, { config });
  const error = await program.fail("_acme-challenge.www.example.com", "value");
  expect(error).toMatchObject({ code: "AUTH", hint: expect.any(String) });
  expect(callsOf(fake)).toHaveLength(1);
  program.stop();
  await fake.http.close();
});
