import type { ServiceFault } from "../../../src/testing/index.ts";
import { type Bends, inEachShape, isFault, wrapRequests } from "../shapes.ts";
import { directBackend } from "../world.ts";
import type { Mutant } from "./mutant.ts";

/** A write that fails in this way is taken for done. */
function swallowing(fault: ServiceFault): Bends {
  const { record, rrset, direct } = wrapRequests(async (request, write) => {
    try {
      return await request();
    } catch (error) {
      if (write && isFault(error, fault)) return undefined as never;
      throw error;
    }
  });
  return {
    record,
    rrset,
    direct: (backend, world) => ({
      ...direct(backend, world),
      apply: async (zone, edits, call) =>
        (await direct(backend, world).apply(zone, edits, call)) ?? edits.map(() => "changed"),
    }),
  };
}

/** A failure of this kind ends the whole change. */
function givingUp(fault: ServiceFault): Bends {
  return wrapRequests(async (request) => {
    try {
      return await request();
    } catch (error) {
      throw isFault(error, fault) ? new Error("failed") : error;
    }
  });
}

const swallowed = ["throttle", "unavailable", "reset", "page"] as const;
const more: Readonly<Record<string, readonly string[]>> = {
  throttle: ["errors.retry-after"],
  unavailable: ["faults.owners"],
};
const names = { throttle: "throttled", unavailable: "refused", reset: "cut off", page: "answered by a proxy" };

export const faultMutants: readonly Mutant[] = [
  ...swallowed.flatMap((fault) =>
    inEachShape(
      {
        rule: `faults.${fault}`,
        fault: `takes a write that was ${names[fault]} for done`,
        also: ["faults.last", ...(more[fault] ?? [])],
      },
      swallowing(fault),
    ),
  ),
  {
    rule: "faults.owners",
    fault: "takes names that failed for done when there are several",
    connect: (world) => {
      const right = directBackend(world);
      return {
        ...right,
        async apply(zone, edits, call) {
          if (edits.length === 1) return right.apply(zone, edits, call);
          const all = await Promise.allSettled(edits.map((edit) => right.apply(zone, [edit], call)));
          return all.map((one) => (one.status === "fulfilled" ? (one.value[0] ?? "unchanged") : "changed"));
        },
      };
    },
  },
  ...inEachShape(
    {
      rule: "faults.lost",
      fault: "gives up when an answer is lost",
      also: ["faults.last", "errors.temporary", "restarts.lost-add", "restarts.lost-remove", "secrecy.events"],
    },
    givingUp("lost"),
  ),
];
