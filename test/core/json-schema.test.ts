import { expect, test } from "vitest";
import { fieldsOf } from "../../src/core/fields.ts";
import { schemasOf } from "../../src/core/json-schema.ts";
import { loadProvider, providerIds } from "../../src/providers.ts";

test("a secret is named in the file and referred to in an Issuer, never written down", async () => {
  const { config, issuer } = schemasOf(await loadProvider("dnspod"));
  expect(config.properties["secretKey"]).toMatchObject({
    anyOf: [{ required: ["env"] }, { required: ["file"] }],
  });
  expect(issuer.properties).not.toHaveProperty("secretKey");
  for (const key of ["secretKeySecretRef", "secretKeyRef"]) {
    expect(issuer.properties[key]).toMatchObject({ type: "object", required: ["name", "key"] });
  }
});

test("what is no secret keeps its type and its default", async () => {
  const { config, issuer } = schemasOf(await loadProvider("rfc2136"));
  expect(issuer.properties["transport"]).toMatchObject({ type: "string", default: "tcp" });
  expect(config.properties["ttl"]).toMatchObject({ anyOf: [{ type: "integer" }, {}, {}] });
  expect(config.required).toContain("nameserver");
});

test.each(providerIds())("%s: every field is in both schemas under each of its names, and nothing else", async (id) => {
  const provider = await loadProvider(id);
  const { config, issuer } = schemasOf(provider);
  const fields = fieldsOf(provider);
  expect(Object.keys(config.properties).sort()).toEqual(fields.flatMap((f) => [f.name, ...f.aliases]).sort());
  const inIssuer = fields.flatMap((f) => [...(f.secret ? [] : [f.name, ...f.aliases]), ...f.references]);
  expect(Object.keys(issuer.properties).sort()).toEqual([...new Set(inIssuer)].sort());
});
