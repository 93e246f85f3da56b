import { afterEach, expect, test } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import type { AcmeClient } from "../../src/acme/types.ts";
import type { Dns01Error } from "../../src/core/errors.ts";
import { failureKind } from "../../src/issuer/failure-kind.ts";
import { issue } from "../../src/issuer/issue.ts";
import type { IssueDeps, IssueRequest } from "../../src/issuer/request.ts";
import { startIssuing } from "../acme/issuing.ts";
import { openWorld, updatesOf, type World } from "./world.ts";

const day = 86_400_000;
const name = "a.example.test";
let world: World;
/** How far the CA's clock is ahead of ours. */
let aheadMs = 0;
afterEach(async () => {
  aheadMs = 0;
  await world.close();
});

const open = async () => {
  world = await openWorld({ now: () => new Date(Date.now() + aheadMs) });
};

async function order(more: Partial<IssueDeps> = {}, request: Partial<IssueRequest> = { force: true }) {
  return await issue(world.request([name], request), await world.deps(more));
}

async function failure(more: Partial<IssueDeps> = {}): Promise<Dns01Error> {
  const outcome: unknown = await order(more).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) throw new Error("it should have failed");
  return outcome as Dns01Error;
}

const requests = (to: string) => world.box.log.entries.filter((e) => e.kind === "acme" && e.path.startsWith(to)).length;
const serial = async () => (await world.store.certificates.load(name))?.meta.serial;

/** The sandbox's CA, seen through a client that tells something else. */
const altered = (alter: (client: AcmeClient) => Partial<AcmeClient>): Partial<IssueDeps> => ({
  connectAcme: async (options) => {
    const client = await createAcmeClient(options, { userAgent: "dns01/test" });
    return { ...client, ...alter(client) };
  },
});

/** The order is the sandbox's, its certificate another CA's. */
const signedBy = (sign: (csr: Uint8Array) => Promise<string>) =>
  altered((client) => {
    let request: Uint8Array = new Uint8Array();
    return {
      finalize: (placed, csr, signal) => {
        request = csr;
        return client.finalize(placed, csr, signal);
      },
      certificate: async () => ({ pem: await sign(request), alternates: [] }),
    };
  });

test("a certificate that is not valid yet replaces no good one; no other is ordered for it, and it is stored once its time has come", async () => {
  await open();
  const good = await order();
  aheadMs = 2 * day;
  const error = await failure();
  expect(error).toMatchObject({ code: "ACME", hint: expect.stringContaining("Check this machine's clock") });
  expect(error.message).toContain("it is not valid before");
  expect(failureKind(error, [name]).kind).toBe("refused");
  const placed = requests("/new-order");
  expect(await failure()).toMatchObject({ message: expect.stringContaining("it is not valid before") });
  expect(await serial()).toBe(good.serial);
  const corrected = await order({ now: () => new Date(Date.now() + 2 * day) });
  expect(corrected.serial).not.toBe(good.serial);
  expect(requests("/new-order")).toBe(placed);
});

test("after a day of waiting for a certificate to become valid, another one is ordered", async () => {
  await open();
  aheadMs = 30 * day;
  await failure();
  const placed = requests("/new-order");
  await failure({ now: () => new Date(Date.now() + 1.1 * day) });
  expect(requests("/new-order")).toBe(placed + 1);
});

test.each([
  ["has expired", () => startIssuing("Root", -1), "it expired at", "Check this machine's clock"],
  [
    "has a name that was not ordered",
    () => startIssuing("Root", 90, [{ type: "dns", value: "b.example.test" }]),
    "it names b.example.test, which was not ordered",
    "report it to the CA",
  ],
] as const)(
  "a certificate that %s replaces no good one; the next run orders another one",
  async (_, ca, said, hint) => {
    await open();
    const good = await order();
    const { issue: sign } = await ca();
    const error = await failure(signedBy(sign));
    expect(error).toMatchObject({ code: "ACME", hint: expect.stringContaining(hint) });
    expect(error.message).toContain(said);
    expect(failureKind(error, [name]).kind).toBe("refused");
    expect(await serial()).toBe(good.serial);
    const next = await order();
    expect(await serial()).toBe(next.serial);
  },
);

test("an order that lists more authorizations than names is given up before one of them is asked for", async () => {
  await open();
  const more = altered((client) => ({
    newOrder: async (wanted, signal) => {
      const placed = await client.newOrder(wanted, signal);
      const [first = ""] = placed.authorizations;
      return { ...placed, authorizations: Array.from({ length: 10_000 }, (_, i) => `${first}/${i}`) };
    },
  }));
  const error = await failure(more);
  expect(error).toMatchObject({ code: "ACME" });
  expect(error.message).toContain("lists 10000 authorizations, but it is for one name");
  expect(requests("/authz")).toBe(0);
  expect(updatesOf(world.box)).toEqual([]);
});
