import { type Change, defineProvider, type Provider, parseName, type TxtBackend, z } from "../src/index.ts";

const config = z.strictObject({
  zones: z.string().default("").describe("zones it holds, separated by commas; empty: every name of two labels"),
});

/** TXT values by zone and owner name, see memoryKey. */
export type MemoryStore = Map<string, Set<string>>;

/** Parent and child zone may both be there, and a name then belongs to one of them. */
export function memoryKey(apex: string, fqdn: string): string {
  return `${apex} ${fqdn}`;
}

/** A DNS service that lives in this process: for trying things out, and the measure for the conformance suite. */
export function memoryProvider(store: MemoryStore = new Map()): Provider<typeof config> {
  return defineProvider({
    id: "memory",
    title: "Memory (nothing leaves the process)",
    config,
    traits: { ttlSeconds: { min: 0, default: 60 } },
    connect: ({ zones }) => memoryBackend(store, zones),
  });
}

function memoryBackend(store: MemoryStore, zones: string): TxtBackend {
  const listed = zones.split(",").filter((zone) => zone.trim() !== "");
  const apexes = new Set(listed.map((zone) => parseName(zone.trim(), "zones")));
  const holds = (apex: string) =>
    apexes.size > 0 ? [...apexes].some((a) => a === apex) : apex.split(".").length === 2;
  return {
    findZone: async (apex) => (holds(apex) ? { apex, id: apex } : undefined),
    apply: async (zone, edits) =>
      edits.map(({ owner, add, remove }): Change => {
        const key = memoryKey(zone.apex, owner.fqdn);
        const values = store.get(key) ?? new Set<string>();
        const missing = add.filter((value) => !values.has(value));
        const present = remove.filter((value) => values.has(value));
        for (const value of missing) values.add(value);
        for (const value of present) values.delete(value);
        if (values.size > 0) store.set(key, values);
        else store.delete(key);
        return missing.length + present.length > 0 ? "changed" : "unchanged";
      }),
  };
}

export default memoryProvider();
