import { expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import type { Provider } from "../../src/core/provider.ts";
import { loadProvider, providerIds } from "../../src/providers.ts";

/** What is wrong with one field, whatever else is missing. */
async function faultsOf(provider: Provider, name: string, value: string): Promise<readonly string[]> {
  const error: unknown = await resolveConfig(provider, { config: { [name]: value } }).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConfigError)) return [];
  return error.issues.filter(({ path }) => path === name).map(({ message }) => message);
}

/** Their protocol has its own form of address. */
const otherwise = ["httpreq"];

test.each(providerIds())("%s takes no address that would print a login or swallow its paths", async (id) => {
  const provider = await loadProvider(id);
  for (const { name, endpoint } of fieldsOf(provider)) {
    if (endpoint?.kind !== "url") continue;
    for (const url of ["http://user:pw-SECRET@host.example/", "ftp://host.example/pw-SECRET"]) {
      const faults = await faultsOf(provider, name, url);
      expect(faults, `${name}=${url}`).not.toEqual([]);
      expect(faults.join()).not.toContain("SECRET");
    }
    if (otherwise.includes(id)) continue;
    expect(await faultsOf(provider, name, "http://host.example/?token=pw-SECRET"), name).toEqual([
      "has a query or fragment (? or #): give the address that paths are added to",
    ]);
  }
});

/** Signed with, never sent; or sent in base64 or in the body. */
const notInHeaders = [
  "acme-dns.accounts",
  "alidns.secretKey",
  "dnspod.loginToken",
  "dnspod.secretKey",
  "httpreq.password",
  "huaweicloud.secretAccessKey",
  "rfc2136.tsigSecret",
  "route53.secretAccessKey",
];

test.each(providerIds())("%s finds out at once that a secret cannot be sent", async (id) => {
  const provider = await loadProvider(id);
  for (const { name, secret } of fieldsOf(provider)) {
    if (!secret) continue;
    expect((await faultsOf(provider, name, " \t ")).join(), name).toMatch(/is empty/);
    expect(await faultsOf(provider, name, "s3cr\0et-s3cret"), name).not.toEqual([]);
    if (notInHeaders.includes(`${id}.${name}`)) continue;
    for (const value of ["s3cret\ns3cret", "s3crét-s3cret", "s3cret s3cret"]) {
      const faults = await faultsOf(provider, name, value);
      expect(faults.join(), name).toMatch(/cannot be sent/);
      expect(faults.join()).not.toMatch(/s3cr/);
    }
  }
});

test.each([
  ["acme-dns", "username"],
  ["route53", "accessKeyID"],
  ["cloudflare", "email"],
])("%s: %s goes into a header, too", async (id, name) => {
  expect(await faultsOf(await loadProvider(id), name, "näme")).toEqual([
    "holds blanks, line ends or characters that cannot be sent: give it alone",
  ]);
});

test("the TTL has lego's name too where that is not the provider's id", async () => {
  const names = { alidns: "ALICLOUD_TTL", dnspod: "TENCENTCLOUD_TTL", powerdns: "PDNS_TTL", route53: "AWS_TTL" };
  for (const [id, name] of Object.entries(names)) {
    const provider = await loadProvider(id);
    expect(fieldsOf(provider).find((field) => field.name === "ttl")?.env, id).toContain(name);
  }
});
