import { Dns01Error } from "../core/errors.ts";
import { asDns01Error, type UpkeepEvent } from "./kept.ts";
import type { Look } from "./schedule.ts";

/** Space is freed and mounts come back by hand: soon enough after that, and seldom enough for the log. */
export const diskRetryMs = 60_000;

/** Returns true for an error of the file system that holds the state: nothing was learned of the CA or the names. */
export function isDiskTrouble(error: unknown): boolean {
  return Dns01Error.is(error) && typeof error.details?.["errno"] === "string";
}

/** Wraps looks so that one that fails because of the disk, at any write, is repeated within a minute. */
export function patientWithDisk(deps: {
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: UpkeepEvent) => void;
}): (name: string, look: () => Promise<Look>) => Promise<Look> {
  const unlessDisk = async <T>(name: string, work: () => Promise<T>, later: (at: number) => T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (deps.signal.aborted || !isDiskTrouble(error)) throw error;
      const until = deps.now() + diskRetryMs;
      deps.onEvent({ type: "put-off", name, until, reason: asDns01Error(error).message });
      return later(until);
    }
  };
  return async (name, lookAt) => {
    const look = await unlessDisk<Look>(name, lookAt, (at) => ({ at }));
    if (!("work" in look)) return look;
    return { urgency: look.urgency, work: () => unlessDisk(name, look.work, (at) => at) };
  };
}
