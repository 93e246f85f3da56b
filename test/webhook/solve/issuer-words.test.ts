import { expect, test } from "vitest";
import dnspod from "../../../providers/dnspod.ts";
import { fieldsOf } from "../../../src/core/fields.ts";
import { loadProvider, providerIds } from "../../../src/providers.ts";
import { readIssuerConfig } from "../../../src/webhook/solve/config.ts";
import { inIssuerWords } from "../../../src/webhook/solve/issuer-words.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { asIssuer, createCluster, messageOf, name, startReplica } from "./world.ts";

test.each(providerIds())("%s: a message names no environment variable, but the Issuer's field", async (id) => {
  const provider = await loadProvider(id);
  for (const { name: field, env, secret, references } of fieldsOf(provider)) {
    const way = secret ? (references[0] ?? field) : field;
    for (const variable of env) {
      expect(inIssuerWords(provider, `Check ${field} (${variable}).`)).toBe(`Check ${way}.`);
      expect(inIssuerWords(provider, `Check ${variable}: it ends.`)).toBe(`Check ${way}: it ends.`);
      expect(inIssuerWords(provider, `${variable}X`)).toBe(`${variable}X`);
    }
  }
});

test("the answer to wrong keys names the references into the Secret", async () => {
  const fake = await startDnspod([name("example.com")]);
  const cluster = createCluster();
  const config = asIssuer(dnspod, { ...fake.config, secretKey: "wrong-wrong-wrong-wrong" }, cluster);
  const replica = await startReplica([dnspod], { solver: "dnspod", cluster, config });
  const said = messageOf(await replica.present({}));
  expect(said).toMatch(/ Check that secretKeySecretRef belongs to secretIdSecretRef\.$/);
  await replica.solving.close();
  await (fake.stop?.() ?? fake.http.close());
});

test("the answer about keys of the pod's environment names its variables", async () => {
  const fake = await startDnspod([name("example.com")]);
  const env = { TENCENTCLOUD_SECRET_ID: String(fake.config["secretId"]), TENCENTCLOUD_SECRET_KEY: "wrong-wrong-wrong" };
  const config = { endpoint: fake.http.url };
  const replica = await startReplica([dnspod], { solver: "dnspod", cluster: createCluster(), env, config });
  const said = messageOf(await replica.present({ allowAmbientCredentials: true }));
  expect(said).toContain("TENCENTCLOUD_SECRET_KEY");
  await replica.solving.close();
  await (fake.stop?.() ?? fake.http.close());
});

test("faults of an Issuer's config name no environment variable", () => {
  expect(() => readIssuerConfig(dnspod, {}, { allowed: [] })).toThrow(/or loginTokenSecretRef, with a token/);
});
