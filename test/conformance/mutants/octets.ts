import { rrsetBackend } from "../../../src/core/rrsets.ts";
import { rrsetApi } from "../world.ts";
import type { Mutant } from "./mutant.ts";

/** What becomes of a value that is read and written again with the set. */
const spoils: Readonly<Record<string, (value: string) => string>> = {
  "puts quotes around what others wrote and escapes it once more": (value) => value.replace(/["\\]/g, "\\$&"),
  "takes for a quote what belongs to the value": (value) => value.replaceAll('"', ""),
  "takes a backslash and digits of the value for an escape": (value) =>
    value.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code))),
  "keeps the first string of what others wrote": (value) => Buffer.from(value).subarray(0, 255).toString(),
  "reads the octets of others as Latin-1": (value) => Buffer.from(value).toString("latin1"),
};

export const octetMutants: readonly Mutant[] = Object.entries(spoils).map(([fault, spoil]) => ({
  rule: "siblings.octets",
  fault: `${fault} when it writes a set`,
  connect: (world) => {
    const api = rrsetApi(world, true);
    return rrsetBackend({
      ...api,
      replace: (zone, changes, call) => {
        const spoiled = changes.map((change) => ({
          ...change,
          next: change.next && { ...change.next, values: change.next.values.map(spoil) },
        }));
        return api.replace(zone, spoiled, call);
      },
    });
  },
}));
