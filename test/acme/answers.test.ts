import { beforeAll, expect, it } from "vitest";
import { parsePem } from "../../src/acme/answers.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import { Unreadable } from "../../src/acme/exchange.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { startIssuing } from "./issuing.ts";

let chain: string;
beforeAll(async () => {
  const csr = await buildCsr(await generateKey("ec256"), ["example.test"]);
  chain = (await (await startIssuing()).issue(csr)).trimEnd();
});

const read = (text: string) => parsePem({ status: 200, headers: {}, body: Buffer.from(text) });

it("reads a chain with whatever stands around its certificates", () => {
  for (const rest of ["", "\n", "\r\n\r\n", "\n# that was the end-entity's chain\n"]) {
    expect(read(`subject=CN = example.test\n${chain}${rest}`)).toContain(chain);
  }
});

it("takes a chain that is cut off for none", () => {
  for (const end of ["", "\n-", "\n-----BEGIN CERTIF", "\n-----BEGIN CERTIFICATE-----\nMIIB"]) {
    const cut = end === "" ? chain.slice(0, 400) : chain + end;
    expect(() => read(cut), end).toThrow(Unreadable);
  }
});
