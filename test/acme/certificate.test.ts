import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  authorityKeyId,
  certificateInfo,
  certificatesOf,
  matchesKey,
  renewAfter,
  splitChain,
  verifyIssued,
} from "../../src/acme/certificate.ts";
import { chooseChain } from "../../src/acme/chains.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import { generateKey } from "../../src/acme/keys.ts";
import type { AcmeClient, Order } from "../../src/acme/types.ts";
import { AcmeError } from "../../src/core/errors.ts";
import { timeText } from "../../src/core/time-text.ts";
import { startIssuing } from "./issuing.ts";
import { failureOf, never } from "./support.ts";

const domains = ["example.test", "*.example.test"];
const now = new Date();
let key: string;
let csr: Uint8Array;
let chain: string;
let otherChain: string;
beforeAll(async () => {
  key = await generateKey("ec256");
  csr = await buildCsr(key, domains);
  chain = await (await startIssuing("Root One")).issue(csr);
  otherChain = await (await startIssuing("Root Two")).issue(csr);
});

describe("what a certificate says", () => {
  it("is its serial, two digits an octet, its issuer, its names and its time", () => {
    const info = certificateInfo(chain);
    expect(info).toMatchObject({
      serial: "0ABC12",
      issuer: "Intermediate of Root One",
      subject: "",
      names: domains,
      keyType: "ec256",
    });
    expect(info.notAfter.getTime() - info.notBefore.getTime()).toBe(90 * 86_400_000);
  });

  it("has the key identifier of its issuer", async () => {
    expect(await authorityKeyId(chain)).toMatch(/^[0-9a-f]{40}$/i);
  });

  it("belongs to one key", async () => {
    expect(matchesKey(chain, key)).toBe(true);
    expect(matchesKey(chain, await generateKey("ec256"))).toBe(false);
  });

  it("splits into leaf and chain, whatever the line ends and the text around", () => {
    const messy = `subject=x\r\n${chain.replaceAll("\n", "\r\n")}trailing`;
    const { cert, chain: rest } = splitChain(messy);
    expect(new X509Certificate(cert).subject).toBeUndefined();
    expect(certificatesOf(rest)).toHaveLength(1);
    expect(cert + rest).not.toContain("\r");
    expect(cert.endsWith("-----END CERTIFICATE-----\n")).toBe(true);
  });
});

describe("what the CA sent", () => {
  it("is accepted when it is what was ordered", async () => {
    await verifyIssued(chain, { domains, csr, now });
  });

  it("is refused with another key", async () => {
    const other = await buildCsr(await generateKey("ec256"), domains);
    await expect(verifyIssued(chain, { domains, csr: other, now })).rejects.toThrow(/key is not the one/);
  });

  it("is refused without one of the names", async () => {
    await expect(verifyIssued(chain, { domains: [...domains, "a.test"], csr, now })).rejects.toThrow(/lacks a\.test/);
  });

  it("is refused with names that were not ordered, of any type", async () => {
    const error = await failureOf(verifyIssued(chain, { domains: ["example.test"], csr, now }));
    expect(error.message).toContain("it names *.example.test, which was not ordered");
    expect(error).toMatchObject({ details: { missing: [], extra: ["*.example.test"] } });
    const addressed = await (await startIssuing("Root", 90, [{ type: "ip", value: "192.0.2.1" }])).issue(csr);
    await expect(verifyIssued(addressed, { domains, csr, now })).rejects.toThrow("it names IP Address:192.0.2.1");
    const many = Array.from({ length: 500 }, (_, i) => `n${i}.test`);
    const lacking = await failureOf(verifyIssued(chain, { domains: [...domains, ...many], csr, now }));
    expect(lacking.message).toContain("n9.test and 490 more");
  });

  it("may spell a name in capitals", async () => {
    await verifyIssued(chain, { domains: ["EXAMPLE.test", "*.Example.test"], csr, now });
  });

  it.each([
    ["an hour too early by our clock, as clocks differ", -1, undefined],
    ["earlier than that", -1.1, "it is not valid before"],
    ["in its last hour", 90 * 24 - 1, undefined],
    ["expired", 90 * 24, "it expired at"],
  ])("%s: accepted, or refused with what the clock says", async (_, hours, fault) => {
    const at = new Date(certificateInfo(chain).notBefore.getTime() + hours * 3_600_000);
    const verified = verifyIssued(chain, { domains, csr, now: at });
    if (fault === undefined) return await verified;
    const error = await failureOf(verified);
    expect(error).toBeInstanceOf(AcmeError);
    expect(error).toMatchObject({ code: "ACME", hint: expect.stringContaining("Check this machine's clock") });
    expect(error.message).toContain(fault);
    expect(error.message).toContain(`this machine's clock says ${timeText(at)}`);
  });

  it("is refused when the leaf is not first", async () => {
    const reversed = certificatesOf(chain).toReversed().join("");
    await expect(verifyIssued(reversed, { domains, csr, now })).rejects.toThrow(AcmeError);
  });

  it("is refused when a certificate of the chain did not sign the one before", async () => {
    const mixed = splitChain(chain).cert + splitChain(otherChain).chain;
    await expect(verifyIssued(mixed, { domains, csr, now })).rejects.toThrow(
      "certificate 1 of the chain is not signed by the next",
    );
  });

  it("is refused when it is no certificate", async () => {
    for (const text of ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
      await expect(verifyIssued(text, { domains, csr, now })).rejects.toThrow(AcmeError);
    }
  });
});

describe("the time to renew", () => {
  const after = (days: number) => {
    const from = Date.parse("2026-01-01T00:00:00Z");
    return (renewAfter(from, from + days * 86_400_000) - from) / 86_400_000;
  };
  it("leaves a third of the lifetime, or half of it below ten days", () => {
    expect([90, 45, 10, 9.99, 160 / 24].map((days) => Math.round(after(days) * 1000) / 1000)).toEqual([
      60, 30, 6.667, 4.995, 3.333,
    ]);
  });
});

describe("the chain", () => {
  const order: Order = {
    url: "https://ca.test/order/1",
    status: "valid",
    identifiers: [],
    authorizations: [],
    finalize: "https://ca.test/finalize/1",
    certificate: "https://ca.test/cert/1",
  };
  const serve = (asked: string[], alternates: readonly string[], refused = false) =>
    ({
      certificate: async (url: string) => {
        asked.push(url);
        if (refused && url.endsWith("/1/1")) throw new AcmeError("gone", { type: "malformed" });
        return { pem: url.endsWith("/1/1") ? otherChain : chain, alternates };
      },
    }) as unknown as AcmeClient;
  const alternates = ["https://ca.test/cert/1/1"];

  it("is the default one, and no other is fetched, without a preference", async () => {
    const asked: string[] = [];
    expect(await chooseChain(serve(asked, alternates), order, undefined, never)).toEqual({ pem: chain, warnings: [] });
    expect(asked).toHaveLength(1);
  });

  it("is the default one, and no other is fetched, when it ends at the preferred root", async () => {
    const asked: string[] = [];
    expect((await chooseChain(serve(asked, alternates), order, "Root One", never)).pem).toBe(chain);
    expect(asked).toHaveLength(1);
  });

  it("is the alternate that ends at the preferred root", async () => {
    expect(await chooseChain(serve([], alternates), order, "Root Two", never)).toEqual({
      pem: otherChain,
      warnings: [],
    });
  });

  it("may be chosen by an intermediate", async () => {
    const { pem, warnings } = await chooseChain(serve([], alternates), order, "Intermediate of Root Two", never);
    expect([pem, warnings]).toEqual([otherChain, []]);
  });

  it("is the default one with a warning that names the offers when none fits", async () => {
    const { pem, warnings } = await chooseChain(serve([], alternates), order, "Root Three", never);
    expect(pem).toBe(chain);
    expect(warnings[0]?.text).toContain('"Root One", "Root Two"');
  });

  it("is looked for among ten others at most, each asked for once", async () => {
    const asked: string[] = [];
    const many = Array.from({ length: 500 }, (_, i) => `https://ca.test/cert/2/${i}`);
    await chooseChain(serve(asked, [...alternates, ...alternates, ...many]), order, "Root Three", never);
    expect(asked).toHaveLength(11);
  });

  it("is refused when it holds more certificates than any chain", async () => {
    const sent = Array.from(
      { length: 32 },
      (_, i) => `${chain.slice(0, 28)}${1000 + i}\n-----END CERTIFICATE-----\n`,
    ).join("");
    const client = { certificate: async () => ({ pem: chain + sent, alternates: [] }) } as unknown as AcmeClient;
    const error = await failureOf(chooseChain(client, order, undefined, never));
    expect(error.message).toContain("its chain has 34 certificates");
  });

  it("does not fail because an alternate cannot be had", async () => {
    const { pem, warnings } = await chooseChain(serve([], alternates, true), order, "Root Two", never);
    expect(pem).toBe(chain);
    expect(warnings).toHaveLength(1);
  });

  it("is put in order when the CA sends it in another one, with more, or with one twice", async () => {
    const [leaf = "", intermediate = ""] = certificatesOf(chain);
    const foreign = splitChain(otherChain).chain;
    for (const sent of [leaf + foreign + intermediate, leaf + leaf + intermediate, leaf + intermediate + foreign]) {
      const client = { certificate: async () => ({ pem: sent, alternates: [] }) } as unknown as AcmeClient;
      const { pem } = await chooseChain(client, order, "Root One", never);
      expect(pem).toBe(leaf + intermediate);
      await verifyIssued(pem, { domains, csr, now });
    }
  });

  it("cannot be had from an order without a certificate", async () => {
    const { certificate: _, ...bare } = order;
    expect((await failureOf(chooseChain(serve([], []), bare, undefined, never))).message).toContain(
      "names no certificate",
    );
  });
});
