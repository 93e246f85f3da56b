import { afterEach, expect, test } from "vitest";
import { issue } from "../../src/issuer/issue.ts";
import { openWorld, type World } from "./world.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

test("other contacts are told to the CA at the next use, once; none at all leaves them as they are", async () => {
  world = await openWorld();
  const { box, store, request, deps } = world;
  const contacts = () => [...box.ca.state.accounts.values()].map((a) => a.contact);
  const updates = () => box.log.entries.filter((e) => e.kind === "acme" && e.path.startsWith("/account/")).length;
  const use = async (names: readonly string[], ...contact: string[]) => {
    const wanted = request(names, { force: true });
    await issue({ ...wanted, ca: { ...wanted.ca, contact } }, await deps());
  };
  await use(["example.test"], "mailto:old@example.test");
  expect(contacts()).toEqual([["mailto:old@example.test"]]);
  await Promise.all([
    use(["a.example.test"], "mailto:new@example.test"),
    use(["b.example.test"], "mailto:new@example.test"),
  ]);
  expect(contacts()).toEqual([["mailto:new@example.test"]]);
  expect((await store.accounts.load(box.directoryUrl))?.contact).toEqual(["mailto:new@example.test"]);
  expect(updates()).toBe(1);
  await use(["example.test"]);
  await use(["example.test"], "mailto:new@example.test");
  expect(contacts()).toEqual([["mailto:new@example.test"]]);
  expect(updates()).toBe(1);
});
