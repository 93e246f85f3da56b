import { defineProvider, z } from "dns01";

export const zones = new Map();

export default defineProvider({
  id: "maphost",
  title: "Map Host",
  config: z.strictObject({}),
  traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({
    findZone: async (apex) => (zones.has(apex) ? { apex, id: apex } : undefined),
    apply: async (zone, edits) =>
      edits.map(({ owner, add, remove }) => {
        const all = zones.get(zone.apex);
        const before = all.get(owner.fqdn) ?? [];
        const after = [...new Set([...before.filter((v) => !remove.includes(v)), ...add])];
        all.set(owner.fqdn, after);
        return before.join() === after.join() ? "unchanged" : "changed";
      }),
  }),
});
