import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificatesOf } from "../../src/acme/certificate.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import type { KeyType } from "../../src/acme/key-types.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { makePfx, opens } from "../../src/deploy/pfx.ts";
import { type Issuing, startIssuing } from "../acme/issuing.ts";

const dir = mkdtempSync(join(tmpdir(), "dns01-pfx-"));
const password = 'pässwörd "x" 密码';
let issuing: Issuing;
beforeAll(async () => {
  issuing = await startIssuing();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const program = "openssl";
const withOpenssl = (() => {
  try {
    return execFileSync(program, ["version"], { encoding: "utf8" }).startsWith("OpenSSL 3");
  } catch {
    return false;
  }
})();

async function certified(type: KeyType) {
  const privkey = await generateKey(type);
  const chain = await issuing.issue(await buildCsr(privkey, ["example.test"]));
  const [cert = "", ...rest] = certificatesOf(chain);
  return { privkey, cert, chain: rest.join("") };
}

function openssl(file: string, ...args: readonly string[]): string {
  return execFileSync(program, ["pkcs12", "-in", file, "-passin", "env:PW", ...args], {
    encoding: "utf8",
    env: { ...process.env, PW: password },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

describe.each([
  ["ec256", false],
  ["ec384", false],
  ["rsa2048", false],
  ["ec256", true],
  ["rsa2048", true],
] as const)("a PKCS #12 file of an %s key (legacy: %s)", (type, legacy) => {
  test("is opened with its password only, and is of its kind", async () => {
    const bytes = makePfx(await certified(type), "example.test", { password, legacy });
    expect(await opens(bytes, { password, legacy })).toBe(true);
    expect(await opens(bytes, { password: `${password}x`, legacy })).toBe(false);
    expect(await opens(bytes, { password, legacy: !legacy })).toBe(false);
    const spoilt = Buffer.from(bytes);
    spoilt[spoilt.length >> 1] = (spoilt[spoilt.length >> 1] ?? 0) ^ 1;
    expect(await opens(spoilt, { password, legacy })).toBe(false);
  });

  test.skipIf(!withOpenssl)("gives openssl the key, the chain and the name", async () => {
    const pem = await certified(type);
    const file = join(dir, `${type}-${legacy}.pfx`);
    writeFileSync(file, makePfx(pem, "Schlüssel", { password, legacy }));
    const key = openssl(file, "-nocerts", "-nodes");
    expect(createPrivateKey(key).equals(createPrivateKey(pem.privkey))).toBe(true);
    const chain = certificatesOf(openssl(file, "-nokeys"));
    expect(chain.map((one) => new X509Certificate(one).fingerprint256)).toEqual(
      certificatesOf(pem.cert + pem.chain).map((one) => new X509Certificate(one).fingerprint256),
    );
    expect(openssl(file, "-nocerts", "-nodes")).toContain("friendlyName: Schl");
  });
});
