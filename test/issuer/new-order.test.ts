import { afterEach, beforeEach, expect, test } from "vitest";
import type { AcmeClient } from "../../src/acme/types.ts";
import { TransientError } from "../../src/core/errors.ts";
import { issue } from "../../src/issuer/issue.ts";
import { placeOrder } from "../../src/issuer/new-order.ts";
import { openWorld, type World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

/** As a CA that fails so over every order that replaces something; with `always`, over any. */
function failing(details: Readonly<Record<string, unknown>>, always = false) {
  const asked: (string | undefined)[] = [];
  const client = {
    directory: async () => ({ renewalInfo: "https://ca.example/ari" }),
    newOrder: async ({ replaces }: { readonly replaces?: string }) => {
      asked.push(replaces === undefined ? "without" : "with");
      if (always || replaces !== undefined) throw new TransientError("newOrder: the CA fails", { details });
      return { status: "pending" };
    },
  };
  return { client: client as unknown as AcmeClient, asked };
}

const ownFault = { status: 500, problem: { type: "urn:ietf:params:acme:error:serverInternal" } };

test("a CA that breaks down over what is to be replaced gets the order without it, or nothing would ever be renewed", async () => {
  const deps = await world.deps();
  const request = world.request(["r.example.test"]);
  await issue(request, deps);
  const stored = await world.store.certificates.load(request.name);
  const own = failing(ownFault);
  await expect(placeOrder(own.client, request, stored, deps)).resolves.toMatchObject({ order: { status: "pending" } });
  expect(own.asked).toEqual(["with", "without"]);

  const down = failing(ownFault, true);
  await expect(placeOrder(down.client, request, stored, deps)).rejects.toThrow("the CA fails");
  expect(down.asked).toEqual(["with", "without"]);

  // An outage is no word about the order.
  const proxy = failing({ status: 503 });
  await expect(placeOrder(proxy.client, request, stored, deps)).rejects.toThrow("the CA fails");
  expect(proxy.asked).toEqual(["with"]);
});
