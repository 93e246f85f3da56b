import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import type { IssueDeps } from "../../src/issuer/request.ts";
import { takeOut } from "../../src/issuer/take-out.ts";
import { createValueLedger } from "../../src/issuer/values.ts";
import { openWorld, type World } from "./world.ts";

const fqdn = parseName("_acme-challenge.example.test");
const other = parseName("other.example.test");
const zoneCut = parseName("example.test");

let world: World;
let deps: IssueDeps;
beforeEach(async () => {
  world = await openWorld();
  deps = await world.deps();
});
afterEach(() => world.close());

const placing = (error: Error): IssueDeps => ({ ...deps, dns: { ...deps.dns, place: () => Promise.reject(error) } });
const silentDns = (aliases: readonly DomainName[] = []) =>
  placing(new DiscoveryError("temporary", "nobody answers", [], { aliases }));
const out = (name: DomainName, values: readonly string[], with_: IssueDeps) => takeOut(name, values, with_);
const standing = (owner = fqdn) => [...world.box.zone.txt(owner)].sort();
const warned = () => world.events.flatMap((e) => (e.type === "warning" ? [e.code] : []));

/** As `dns01 present` does, at this owner. */
const present = (owner: DomainName, name: DomainName, ...values: readonly string[]) =>
  createValueLedger(deps, "").present([{ owner, fqdn: name, zoneCut, values }], deps.signal);

/** By somebody else, who left no word of it here. */
const presentElsewhere = async (owner: DomainName, ...values: readonly string[]) =>
  (await deps.solvers.solverFor(owner)).present([{ owner, values }], deps.signal);

describe("without any answer from DNS", () => {
  test("a value is taken out where the journal says it was put, and only that one, without a warning", async () => {
    await present(other, fqdn, "mine", "mine too");
    await presentElsewhere(other, "theirs");
    const done = await out(fqdn, ["mine"], silentDns());
    expect(done).toMatchObject([{ owner: other, changed: true, provider: "rfc2136", zone: { apex: zoneCut } }]);
    expect(standing(other)).toEqual(["mine too", "theirs"]);
    expect((await world.store.journal.list()).map(({ value }) => value)).toEqual(["mine too"]);
    expect(warned()).toEqual([]);
  });

  test("a value that the journal does not know is looked for at the name itself, with a warning", async () => {
    await presentElsewhere(fqdn, "lost");
    expect(await out(fqdn, ["lost"], silentDns())).toMatchObject([{ owner: fqdn, changed: true }]);
    expect(standing()).toEqual([]);
    expect(warned()).toEqual(["W_ALIAS_UNCHECKED"]);
    const warning = world.events.find((e) => e.type === "warning");
    expect(warning).toMatchObject({ text: expect.stringMatching(/^whether _acme-challenge.*\(nobody answers\)/) });
  });

  test("the last of the aliases that was heard of is taken, not the name before it", async () => {
    await presentElsewhere(other, "lost");
    const done = await out(fqdn, ["lost"], silentDns([fqdn, other]));
    expect(done).toMatchObject([{ owner: other, changed: true }]);
    expect(standing(other)).toEqual([]);
  });

  test("what was presented for another name stays there, whatever its value", async () => {
    await present(other, other, "same");
    expect(await out(fqdn, ["same"], silentDns())).toMatchObject([{ owner: fqdn, changed: false }]);
    expect(standing(other)).toEqual(["same"]);
    expect(await world.store.journal.list()).toHaveLength(1);
  });

  test("of two values each is taken out where it is", async () => {
    await present(other, fqdn, "known");
    await presentElsewhere(fqdn, "lost");
    const done = await out(fqdn, ["known", "lost"], silentDns());
    expect(done.map(({ owner, changed }) => [owner, changed]).sort()).toEqual([
      [fqdn, true],
      [other, true],
    ]);
    expect([...standing(), ...standing(other)]).toEqual([]);
  });
});

test("aliases that lead nowhere are no silence", async () => {
  const error = new DiscoveryError("alias", "it says so", []);
  await expect(out(fqdn, ["v"], placing(error))).rejects.toBe(error);
});

test("a zone that nothing in DNS points to any more is asked for at the provider", async () => {
  await presentElsewhere(fqdn, "lost");
  const undelegated = placing(new DiscoveryError("no-delegation", "no such domain", []));
  expect(await out(fqdn, ["lost"], undelegated)).toMatchObject([{ owner: fqdn, changed: true }]);
  expect(standing()).toEqual([]);
  expect(warned()).toEqual(["W_ALIAS_UNCHECKED"]);
});

test("an entry of a provider that is not configured does not stand in for DNS", async () => {
  const entry = { certificate: "", provider: "elsewhere", zone: zoneCut, owner: other, fqdn, value: "v" };
  await world.store.journal.add([entry]);
  await presentElsewhere(fqdn, "v");
  expect(await out(fqdn, ["v"], deps)).toMatchObject([{ owner: fqdn, changed: true }]);
  expect(await world.store.journal.list()).toHaveLength(1);
});

test("a run of ours that is under way keeps its entry", async () => {
  await createValueLedger(deps, "busy").present([{ owner: fqdn, zoneCut, values: ["v"] }], deps.signal);
  expect(await out(fqdn, ["v"], silentDns())).toMatchObject([{ changed: true }]);
  expect(await world.store.journal.list()).toMatchObject([{ certificate: "busy" }]);
});
