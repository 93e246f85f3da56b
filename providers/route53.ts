import type { Change } from "@aws-sdk/client-route-53";
import { defineProvider, type RRsetApi, rrsetBackend, type TxtBackend } from "../src/index.ts";
import { connectClient } from "./route53/access.ts";
import { createCalls } from "./route53/calls.ts";
import { config } from "./route53/config.ts";
import { classify, twins } from "./route53/errors.ts";
import { waitForInsync } from "./route53/insync.ts";
import { createRefusals, type Refusals } from "./route53/refusals.ts";
import { batchesOf, changesOf, rrsetOf } from "./route53/sets.ts";

export default defineProvider({
  id: "route53",
  title: "Amazon Route 53",
  docs: "https://docs.aws.amazon.com/Route53/latest/APIReference/Welcome.html",
  config,
  // An account has 10 requests a second and 50 in a burst, and shares them with all else that uses it.
  traits: { ttlSeconds: { min: 0, default: 60, env: ["AWS_TTL"] }, rate: { requests: 40, perMs: 5000 } },
  classify,
  connect: async (given, deps): Promise<TxtBackend> => {
    const { aws, client } = await connectClient(given, deps);
    const calls = createCalls(aws, client);
    const { hostedZoneID: pinned, privateZone } = given;

    /** For one operation, which is told the id of each change. */
    const api = (refusals: Refusals, changed: (changeId: string) => void): RRsetApi => ({
      conditional: true,
      batchesOf,
      async findZone(apex, { signal }) {
        if (pinned !== undefined)
          return (await calls.apexOf(pinned, signal)) === apex ? { apex, id: pinned } : undefined;
        const zones = await calls.zonesNamed(apex, signal);
        const [zone, ...more] = zones.filter(({ isPrivate }) => isPrivate === privateZone);
        if (zone !== undefined && more.length > 0) throw twins(apex, [zone, ...more]);
        if (zone === undefined && zones.length > 0) {
          deps.warn(
            `the hosted zone ${apex} is ${privateZone ? "public" : "private"} and left out; hostedZoneID would take it`,
          );
        }
        return zone && { apex, id: zone.id };
      },
      visibleZones: async ({ signal }) =>
        pinned === undefined ? calls.zoneNames(privateZone, signal) : [await calls.apexOf(pinned, signal)],
      read: async ({ zone, fqdn }, { signal }) => rrsetOf(await calls.txtSets(zone.id, fqdn, signal)),
      async replace(zone, changes, { signal }) {
        const send = (sent: readonly Change[]) => calls.change(zone.id, sent, signal);
        changed(await refusals.ask(changes, changes.flatMap(changesOf), send));
      },
    });
    return {
      ...rrsetBackend(api(createRefusals(), () => {})),
      async apply(zone, edits, call) {
        const changeIds: string[] = [];
        const swaps = rrsetBackend(api(createRefusals(), (id) => changeIds.push(id)));
        const changes = await swaps.apply(zone, edits, call);
        if (!given.waitForInsync || !edits.some(({ add }) => add.length > 0)) return changes;
        for (const id of changeIds) {
          await waitForInsync(zone, call, ({ signal }) => calls.isInsync(id, signal), deps.warn);
        }
        return changes;
      },
    };
  },
});
