import { abortReason, type Clock } from "../core/clock.ts";

/** Lets one loop sleep until a time or until something happens, whichever comes first. */
export interface Waker {
  wake(): void;
  /** Resolves at `time` or at the next wake(), also one since the last call; rejects when the signal fires. */
  until(time: number): Promise<void>;
  /** Lets go of the signal. */
  release(): void;
}

/** Sleeps are left to run out: at most one for each time that was the earliest. They end with the signal. */
export function createWaker(clock: Clock, signal: AbortSignal): Waker {
  let woken = false;
  let scheduled = Number.POSITIVE_INFINITY;
  let settle: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | undefined;

  const wake = () => {
    woken = true;
    settle?.resolve();
  };
  const onAbort = () => settle?.reject(abortReason(signal));
  signal.addEventListener("abort", onAbort, { once: true });

  return {
    wake,
    async until(time) {
      if (signal.aborted) throw abortReason(signal);
      if (!woken) {
        if (time < scheduled) schedule(time);
        await new Promise<void>((resolve, reject) => {
          settle = { resolve, reject };
        });
        settle = undefined;
      }
      woken = false;
    },
    release: () => signal.removeEventListener("abort", onAbort),
  };

  function schedule(time: number): void {
    scheduled = time;
    clock.sleep(Math.max(0, time - clock.now()), signal).then(
      () => {
        if (scheduled === time) scheduled = Number.POSITIVE_INFINITY;
        wake();
      },
      () => {},
    );
  }
}
