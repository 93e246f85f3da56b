import { expect, test } from "vitest";
import cloudflare from "../../../providers/cloudflare.ts";
import dnspod from "../../../providers/dnspod.ts";
import { type CloudflareZone, startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { asIssuer, createCluster, name, namespace, ok, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");

/** A service, and replicas of the webhook that know one Issuer. */
async function start() {
  const fake = await startDnspod([apex]);
  const cluster = createCluster();
  const config = asIssuer(dnspod, fake.config, cluster);
  const replica = () => startReplica([dnspod], { solver: "dnspod", cluster, config });
  return { fake, cluster, replica };
}

test("scenario 1, the webhook's part: apex and wildcard one after the other, at whichever replica", async () => {
  const { fake, replica } = await start();
  const [one, two] = [await replica(), await replica()];
  // cert-manager asks for the same name twice; only the value tells the wildcard's challenge from the apex's.
  for (const key of ["value-of-the-apex", "value-of-the-wildcard"]) {
    expect(await one.present({ key })).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual([key]);
    // It calls again whenever it could not store that it had.
    expect(await two.present({ key })).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual([key]);
    expect(await two.cleanUp({ key })).toEqual(ok);
    expect(await one.cleanUp({ key })).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual([]);
  }
  for (const each of [one, two]) await each.solving.close();
  await fake.http.close();
});

test("a replica for which the zone was missing a moment ago cleans up what another has presented since", async () => {
  const fake = await startCloudflareFake([apex]);
  const cluster = createCluster();
  const options = { solver: "cloudflare", cluster, config: asIssuer(cloudflare, fake.config, cluster) };
  const [one, two] = [await startReplica([cloudflare], options), await startReplica([cloudflare], options)];
  const zones = fake.zones as CloudflareZone[];
  const notYet = zones.splice(0);
  expect(await two.present({})).toMatchObject({ code: "ZONE_NOT_FOUND" });
  zones.push(...notYet);
  expect(await one.present({})).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  expect(await two.cleanUp({})).toEqual(ok);
  expect(fake.values(apex, owner)).toEqual([]);
  for (const each of [one, two]) await each.solving.close();
  await fake.http.close();
});

test("scenario 24, the webhook's part: uninstalled with open challenges, the next installation cleans up", async () => {
  const { fake, cluster, replica } = await start();
  const before = await replica();
  const keys = ["one", "two"];
  for (const key of keys) expect(await before.present({ key })).toEqual(ok);
  await before.solving.close();
  const after = await replica();
  expect(await after.cleanUp({ key: "one" })).toEqual(ok);
  expect(fake.values(apex, owner)).toEqual(["two"]);
  // Whose Secret went with the rest is told, and its Challenge can go.
  cluster.remove(namespace);
  expect(await after.cleanUp({ key: "two" })).toEqual(ok);
  expect(after.eventsOf("leftover").map(({ owner: left, value }) => [left, value])).toEqual([[owner, "two"]]);
  await after.solving.close();
  await fake.http.close();
});
