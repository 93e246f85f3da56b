import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import { generateKey } from "../../src/acme/keys.ts";
import type { AcmeClient, Order } from "../../src/acme/types.ts";
import { AcmeError } from "../../src/core/errors.ts";
import { txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import type { Lab } from "./lab/lab.ts";
import { pause, until } from "./lab/patience.ts";
import type { Pebble } from "./lab/pebble.ts";
import { serviceFile } from "./lab/services.ts";
import { describeInLab } from "./lab/suite.ts";

const signal = () => AbortSignal.timeout(60_000);
const terms = { contact: ["mailto:ops@example.test"], termsOfServiceAgreed: true };

async function clientOf(ca: Pebble, directoryUrl = ca.directory): Promise<AcmeClient> {
  const accountKey = await generateKey("ec256");
  return createAcmeClient({ directoryUrl, accountKey, caRoot: ca.apiRoot }, { userAgent: "dns01/0.0.0-test" });
}

/** An order for apex and wildcard, carried through with nothing but the client and hand-made updates. */
async function carryThrough(lab: Lab, client: AcmeClient, zone: string): Promise<string> {
  const names = [zone, `*.${zone}`];
  const order = await client.newOrder({ identifiers: names }, signal());
  const authorizations = await Promise.all(order.authorizations.map((url) => client.authorization(url, signal())));
  expect(authorizations.map((a) => `${a.wildcard ? "*." : ""}${a.identifier.value}`).sort()).toEqual(names.sort());
  const challenges = authorizations.map((a) => {
    const challenge = a.challenges.find((c) => c.type === "dns-01");
    if (challenge?.token === undefined) throw new Error("no dns-01 challenge");
    return { url: challenge.url, value: client.dnsValue(challenge.token) };
  });
  const name = `_acme-challenge.${zone}`;
  const change = (does: "add" | "remove") =>
    changeZone(
      lab.realAt("knot"),
      zone,
      lab.keys["hmac-sha256"],
      challenges.map(({ value }) => ({ does, name, type: "TXT", data: value }) as const),
    );
  await change("add");
  await until(async () => (await txtValues(lab.realAt("nsd"), name)).length >= 2);
  await Promise.all(challenges.map(({ url }) => client.answer(url, signal())));
  const ready = await settled(client, order, ["ready", "invalid"]);
  expect(ready.status).toBe("ready");
  const valid = await settled(client, await client.finalize(ready, csr(lab.dir, names), signal()), [
    "valid",
    "invalid",
  ]);
  await change("remove");
  if (valid.certificate === undefined) throw new Error(`no certificate: ${JSON.stringify(valid)}`);
  return (await client.certificate(valid.certificate, signal())).pem;
}

async function settled(client: AcmeClient, order: Order, states: readonly string[]): Promise<Order> {
  let now = order;
  while (!states.includes(now.status)) {
    await pause(50);
    now = await client.order(order.url, signal());
  }
  return now;
}

function csr(dir: string, names: readonly string[]): Buffer {
  const at = mkdtempSync(join(dir, "csr-"));
  const san = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`;
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(at, "key.pem")];
  const args = ["req", "-new", ...key, "-subj", "/", "-addext", san, "-outform", "DER", "-out", join(at, "csr.der")];
  execFileSync(serviceFile("openssl"), args, { stdio: "pipe" });
  return readFileSync(join(at, "csr.der"));
}

describeInLab("the ACME client against Pebble", (inLab) => {
  test("an order for apex and wildcard ends with a chain", async () => {
    const lab = inLab();
    const client = await clientOf(lab.ca);
    await client.newAccount(terms, signal());
    const pem = await carryThrough(lab, client, "zone0.test");
    expect(pem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    client.close();
  });

  test("an account is found again by its key, and an unknown key has none", async () => {
    const lab = inLab();
    const client = await clientOf(lab.ca);
    expect(await client.findAccount(signal())).toBeUndefined();
    const made = await client.newAccount(terms, signal());
    expect(await client.findAccount(signal())).toMatchObject({ url: made.url, status: "valid" });
    client.close();
  });

  test("half of all nonces refused cost about twice the requests", async () => {
    const lab = inLab();
    const counts: number[] = [];
    for (const nonceReject of [0, 50]) {
      const client = await clientOf(await lab.startCa({ nonceReject }));
      await client.newAccount(terms, signal());
      for (const zone of ["zone1.test", "zone2.test", "zone3.test"]) await carryThrough(lab, client, zone);
      counts.push(client.requests);
      client.close();
    }
    const [calm, refused] = counts;
    console.log(`three orders: ${calm} requests, ${refused} with half of the nonces refused`);
    // Each signed request takes two attempts on average; chance is given some room.
    expect(refused).toBeLessThan((calm ?? 0) * 2.8);
  });

  test("answers that are lost or replaced by 503 do not stop an order", async () => {
    const lab = inLab();
    const witness = await lab.witness();
    witness.faults = { unavailable: 0.15, lost: 0.1 };
    const client = await clientOf(lab.ca, witness.directory);
    await client.newAccount(terms, signal());
    const seen = () => witness.requests.some((request) => request.status === 503);
    for (let order = 0; order < 2 || (order < 10 && !seen()); order++) {
      expect(await carryThrough(lab, client, order % 2 === 0 ? "zone4.test" : "zone5.test")).toContain(
        "BEGIN CERTIFICATE",
      );
    }
    expect(seen()).toBe(true);
    client.close();
  });

  test("external account binding: required, accepted in both alphabets, refused with a wrong key", async () => {
    const lab = inLab();
    const hmac = Buffer.concat([Buffer.from("fbefbefbef", "hex"), randomBytes(40)]);
    const ca = await lab.startCa({ eab: { one: hmac.toString("base64url") } });
    const none = await clientOf(ca);
    await expect(none.newAccount(terms, signal())).rejects.toMatchObject({
      problem: { type: "urn:ietf:params:acme:error:externalAccountRequired" },
    });
    for (const hmacKey of [hmac.toString("base64url"), hmac.toString("base64")]) {
      const client = await clientOf(ca);
      const account = await client.newAccount({ ...terms, eab: { kid: "one", hmacKey } }, signal());
      expect(account.status).toBe("valid");
      client.close();
    }
    const wrong = await clientOf(ca);
    const eab = { kid: "one", hmacKey: randomBytes(32).toString("base64url") };
    await expect(wrong.newAccount({ ...terms, eab }, signal())).rejects.toBeInstanceOf(AcmeError);
    for (const client of [none, wrong]) client.close();
  });

  test("a refused name carries the CA's problem document", async () => {
    const lab = inLab();
    const client = await clientOf(await lab.startCa({ blocklist: ["zone6.test"] }));
    await client.newAccount(terms, signal());
    await expect(client.newOrder({ identifiers: ["zone6.test"] }, signal())).rejects.toMatchObject({
      code: "ACME",
      problem: { type: "urn:ietf:params:acme:error:rejectedIdentifier" },
    });
    client.close();
  });

  test("a CA that is not trusted is an error at once, and says how to trust it", async () => {
    const lab = inLab();
    const accountKey = await generateKey("ec256");
    const client = await createAcmeClient(
      { directoryUrl: lab.ca.directory, accountKey },
      { userAgent: "dns01/0.0.0-test" },
    );
    const error: unknown = await client.directory(signal()).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).toMatch(/--ca-root|ca-root/);
    client.close();
  });

  test("other chains are listed", async () => {
    const lab = inLab();
    const client = await clientOf(await lab.startCa({ alternateRoots: 2 }));
    await client.newAccount(terms, signal());
    const order = await client.newOrder({ identifiers: ["zone7.test"] }, signal());
    const [url] = order.authorizations;
    const authorization = await client.authorization(url ?? "", signal());
    const challenge = authorization.challenges.find((c) => c.type === "dns-01");
    const name = "_acme-challenge.zone7.test";
    const data = client.dnsValue(challenge?.token ?? "");
    await changeZone(lab.realAt("knot"), "zone7.test", lab.keys["hmac-sha256"], [
      { does: "add", name, type: "TXT", data },
    ]);
    await until(async () => (await txtValues(lab.realAt("nsd"), name)).includes(data));
    await client.answer(challenge?.url ?? "", signal());
    const ready = await settled(client, order, ["ready", "invalid"]);
    const valid = await settled(client, await client.finalize(ready, csr(lab.dir, ["zone7.test"]), signal()), [
      "valid",
    ]);
    const { alternates } = await client.certificate(valid.certificate ?? "", signal());
    expect(alternates).toHaveLength(2);
    for (const alternate of alternates) {
      expect((await client.certificate(alternate, signal())).pem).toContain("BEGIN CERTIFICATE");
    }
    client.close();
  });
});
