import { expect, test } from "vitest";
import type { ConfigError } from "../../src/core/errors.ts";
import { parseIdentifier } from "../../src/core/name.ts";
import type { CertificateMeta, StoredCertificate } from "../../src/issuer/ports.ts";
import { approve, type Change, type Replacing } from "../../src/issuer/replacing.ts";
import type { IssueRequest } from "../../src/issuer/request.ts";

const words = { domains: "--domain", keyType: "--key-type", expand: "--expand", replace: "--replace" };
const silent: Replacing = { expand: false, replace: false, isKeyChosen: false, words };
const stored = (domains: readonly string[], more: Partial<CertificateMeta> = {}) =>
  ({ name: "a.test", domains, keyType: "ec256", serial: "01", ...more }) as CertificateMeta;
const wanted = (domains: readonly string[], more: Partial<IssueRequest> = {}) =>
  ({
    name: "a.test",
    identifiers: domains.map((domain) => parseIdentifier(domain)),
    keyType: "ec256",
    dryRun: false,
    ...more,
  }) as IssueRequest;

/** What is ordered, or what is wrong with it. */
async function outcome(order: IssueRequest, before: CertificateMeta | undefined, more: Partial<Replacing> = {}) {
  try {
    const { identifiers, keyType } = await approve(order, before, { ...silent, ...more });
    return `${identifiers.map((i) => i.text).join(" ")} ${keyType}`;
  } catch (error) {
    const { code, issues, hint } = error as ConfigError;
    expect(code).toBe("CONFIG");
    return [...issues.map(({ path, message }) => `${path}: ${message}`), hint];
  }
}

const both = ["a.test", "www.a.test"];

test("the same names in another order, and what is not stored yet, need no approval", async () => {
  expect(await outcome(wanted(both.toReversed()), stored(both))).toBe("www.a.test a.test ec256");
  expect(await outcome(wanted(both), undefined)).toBe("a.test www.a.test ec256");
});

test.each([[["a.test"]], [["a.test", "new.a.test"]], [[...both, "new.a.test"]]])(
  "an order for %j in place of two names is an error that names both lists",
  async (names) => {
    expect(await outcome(wanted(names), stored(both))).toEqual([
      `--domain: the stored certificate a.test is for a.test, www.a.test; this order is for ${names.join(", ")}`,
      "Use --expand to keep the stored names and add the others, or --replace to order exactly what was asked for.",
    ]);
  },
);

test("--expand adds the names, --replace takes them as they are", async () => {
  const order = wanted(["new.a.test", "a.test"]);
  expect(await outcome(order, stored(both), { expand: true })).toBe("a.test www.a.test new.a.test ec256");
  expect(await outcome(order, stored(both), { replace: true })).toBe("new.a.test a.test ec256");
  expect(await outcome({ ...order, dryRun: true }, stored(both), { expand: true })).toContain("www.a.test");
  expect(await outcome({ ...order, dryRun: true }, stored(both))).toBe("new.a.test a.test ec256");
});

test("a key type that nobody chose does not replace another one; one that was chosen does", async () => {
  const before = stored(both, { keyType: "rsa2048" });
  expect(await outcome(wanted(both), before)).toEqual([
    "--key-type: is missing: the key of the stored certificate a.test is rsa2048; this order is for ec256",
    "Set --key-type to rsa2048 to keep it, or --replace to order exactly what was asked for.",
  ]);
  expect(await outcome(wanted(both), before, { isKeyChosen: true })).toBe("a.test www.a.test ec256");
  expect(await outcome(wanted(both), before, { expand: true })).toBe("a.test www.a.test rsa2048");
  expect(await outcome(wanted(both), before, { replace: true })).toBe("a.test www.a.test ec256");
  const [, key, hint] = await outcome(wanted(["a.test"]), before);
  expect([key, hint]).toEqual([
    expect.stringContaining("is rsa2048; this order is for ec256"),
    expect.stringContaining("keep the stored names and key type"),
  ]);
});

test("a certificate with a key of the user's is not replaced by one of ours, unless that is said", async () => {
  const before = stored(both, { csr: true });
  const refused = await outcome(wanted(both), before);
  expect(refused[0]).toContain("is a key of your own (CSR); this order is for ec256");
  expect((await outcome(wanted(["a.test"]), before, { expand: true }))[0]).toContain("cannot add names");
  expect(await outcome(wanted(both), before, { replace: true })).toBe("a.test www.a.test ec256");
  const csr = new Uint8Array([0x30]);
  expect(await outcome(wanted(both, { csr }), stored(both), { isKeyChosen: true })).toContain("a.test");
  expect((await outcome(wanted(["a.test"], { csr }), before, { isKeyChosen: true }))[0]).toContain(
    "this order is for a.test",
  );
});

test("the user is asked once, and only about a change", async () => {
  const asked: Change[] = [];
  const ask = (answer?: "expand" | "replace") => async (change: Change) => {
    asked.push(change);
    return answer;
  };
  await outcome(wanted(both), stored(both), { ask: ask() });
  await outcome(wanted(["a.test"]), stored(both), { ask: ask(), replace: true });
  expect(asked).toEqual([]);
  expect(await outcome(wanted(["b.test"]), stored(both), { ask: ask("expand") })).toBe(
    "a.test www.a.test b.test ec256",
  );
  expect(await outcome(wanted(["b.test"]), stored(both), { ask: ask("replace") })).toBe("b.test ec256");
  expect((await outcome(wanted(["b.test"]), stored(both), { ask: ask() }))[0]).toContain("this order is for b.test");
  expect(asked).toHaveLength(3);
});

test("what another process stored after the approval is not replaced; a renewal in between changes nothing", async () => {
  const run = async (before: CertificateMeta | undefined, now: CertificateMeta, more: Partial<Replacing> = {}) => {
    const order = wanted(["a.test"]);
    const { guard } = await approve(order, before, { ...silent, ...more });
    const gate = guard((_request, _stored, work) => work());
    return await gate(order, { meta: now } as StoredCertificate, async () => "ordered").catch(
      (e: ConfigError) => e.code,
    );
  };
  expect(await run(undefined, stored(both))).toBe("CONFIG");
  expect(await run(stored(["a.test"]), stored(both))).toBe("CONFIG");
  expect(await run(undefined, stored(["a.test"]))).toBe("ordered");
  expect(await run(stored(both), stored(both, { serial: "02" }), { ask: async () => "replace" })).toBe("ordered");
  expect(await run(undefined, stored(both), { replace: true })).toBe("ordered");
});
