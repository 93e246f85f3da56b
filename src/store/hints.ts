import { join } from "node:path";
import type { Disk } from "./disk.ts";
import { encodeFileName } from "./file-name.ts";

/** What was learned of a provider's zone and may be forgotten at any time, as one JSON value each. */
export interface Hints {
  /** Undefined when nothing is known, or the file cannot be read. */
  load(provider: string, zone: string): Promise<unknown>;
  save(provider: string, zone: string, value: unknown): Promise<void>;
}

/** `hints/PROVIDER/ZONE.json`. */
export function openHints(disk: Disk): Hints {
  const pathOf = (provider: string, zone: string) =>
    join(disk.root, "hints", encodeFileName(provider), `${encodeFileName(zone)}.json`);
  return {
    async load(provider, zone) {
      try {
        const text = await disk.read(pathOf(provider, zone));
        return text === undefined ? undefined : (JSON.parse(text) as unknown);
      } catch {
        return undefined;
      }
    },
    save: (provider, zone, value) => disk.write(pathOf(provider, zone), `${JSON.stringify(value)}\n`),
  };
}
