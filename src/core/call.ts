import { LazySignal, type Stop } from "./lazy-signal.ts";
import type { Call } from "./provider.ts";

/** A call whose signal is only made when somebody looks at it. */
interface StoppableCall extends Call {
  readonly stop: Stop;
}

/** What a backend is given by whoever may have a stop instead of a signal. */
export function callOf(stop: Stop, facts: Omit<Call, "signal">): Call {
  if (!(stop instanceof LazySignal)) return { ...facts, signal: stop };
  const call: StoppableCall = {
    ...facts,
    stop,
    get signal() {
      return stop.signal;
    },
  };
  return call;
}

/** What ends the call, without making a signal of it. */
export function stopOf(call: Call): Stop {
  return (call as Partial<StoppableCall>).stop ?? call.signal;
}
