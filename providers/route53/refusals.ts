import type { Change } from "@aws-sdk/client-route-53";
import { Dns01Error, type RRsetChange } from "../../src/index.ts";
import { classify } from "./errors.ts";

export interface Refusals {
  /** Runs `send` with what shall be sent for `changes`; `plain` is what that is as a rule. */
  ask<T>(
    changes: readonly RRsetChange[],
    plain: readonly Change[],
    send: (sent: readonly Change[]) => Promise<T>,
  ): Promise<T>;
}

/** So often in a row nobody changes a set and changes it back while we look at it. */
const most = 3;

/**
 * Counts how often in a row the same swap was refused although reading it again showed nothing new.
 *
 * Route 53 does not do that. moto and what is built on it (LocalStack) do: they refuse to create a set that equals one
 * they ever created, deleted or not. Such a change is then asked for in other words that are just as safe.
 */
export function createRefusals(): Refusals {
  let last = "";
  let refusals = 0;
  return {
    async ask(changes, plain, send) {
      const same = JSON.stringify(changes);
      if (same !== last) refusals = 0;
      last = same;
      try {
        return await send(refusals < most ? plain : inOtherWords(plain, 1 + refusals - most));
      } catch (error) {
        const known = Dns01Error.is(error) ? error : classify(error);
        if (known?.code === "CONFLICT") refusals++;
        throw error;
      }
    },
  };
}

/**
 * Where the old set is deleted first, UPSERT meets nothing and is CREATE. A new set gets another TTL, a second more with
 * each try: still a CREATE, which is refused if anything stands there.
 */
function inOtherWords(changes: readonly Change[], seconds: number): readonly Change[] {
  const called = ({ ResourceRecordSet: set }: Change) => `${set?.Name} ${set?.SetIdentifier}`;
  const deleted = new Set(changes.filter(({ Action }) => Action === "DELETE").map(called));
  return changes.map((change) => {
    const { Action, ResourceRecordSet: set } = change;
    if (Action !== "CREATE" || set === undefined) return change;
    if (deleted.has(called(change))) return { Action: "UPSERT", ResourceRecordSet: set };
    return { Action, ResourceRecordSet: { ...set, TTL: (set.TTL ?? 0) + seconds } };
  });
}
