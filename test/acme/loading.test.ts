import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import { accountKey } from "./support.ts";

const require = createRequire(import.meta.url);
const loaded = (part: string) => Object.keys(require.cache).filter((path) => path.includes(`node_modules/${part}/`));

it("the client loads only what signs, and leaves acme-client whole for others", async () => {
  const options = { directoryUrl: "https://ca.example.test/directory", accountKey };
  const client = await createAcmeClient(options, { userAgent: "dns01/test" });
  for (const part of ["axios", "node-forge", "asn1js", "@peculiar/x509", "tsyringe"]) expect(loaded(part)).toEqual([]);
  client.close();
  const acme = require("acme-client") as {
    axios: { request: unknown };
    crypto: { createCsr(of: { altNames: string[] }): Promise<[Buffer, Buffer]> };
  };
  expect(acme.axios.request).toBeTypeOf("function");
  const [, csr] = await acme.crypto.createCsr({ altNames: ["example.test"] });
  expect(csr.toString()).toContain("BEGIN CERTIFICATE REQUEST");
  // And the other way round: what is there already is used.
  (await createAcmeClient(options, { userAgent: "dns01/test" })).close();
  expect(loaded("axios").length).toBeGreaterThan(0);
});
