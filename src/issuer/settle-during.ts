import { linkSignal, over } from "../core/abort.ts";
import { Dns01Error } from "../core/errors.ts";
import type { Stop } from "../core/lazy-signal.ts";
import { isUnsettled, type SettleOptions, settle, type Written } from "../core/settle.ts";
import { withGrace } from "./grace.ts";

/** How long a look that has begun may go on after the caller gave up: cut off, a repair could land after the clean-up. */
const LOOK_GRACE_MS = 5_000;

export interface DuringOptions extends Pick<SettleOptions, "clock" | "observer"> {
  /** The caller gives up. */
  readonly signal: Stop;
}

/**
 * Runs `wait`, the wait for the nameservers, beside the second looks at what was written (src/core/settle.ts), so that
 * these cost no time of their own. Looks at nothing where everything is settled.
 *
 * Once the result `isSeen`, every nameserver has shown the values, which says more than another read: the looks end in
 * their pause. One that has begun is awaited, so that nothing is answered with a repair under way. If any of them had to
 * repair something, some server may have shown the values before they were undone: then they have to stand the whole
 * time, and to be seen once more. What remains is a writer who had read before our write and writes after all servers
 * were seen, within what one write takes. A result that is not seen (nobody asked the servers) waits for the looks.
 *
 * When this ends, however it ends, no look is under way any more: a clean-up may follow.
 */
export async function settleDuring<T>(
  written: readonly Written[],
  wait: () => Promise<T>,
  isSeen: (result: T) => boolean,
  options: DuringOptions,
): Promise<T> {
  const looks = written.filter(isUnsettled).map((one) => startLooks(one, options));
  try {
    const result = await wait();
    if (!isSeen(result)) {
      await Promise.all(looks.map(({ done }) => done));
      return result;
    }
    const undisturbed = await Promise.all(looks.map((look) => look.finish()));
    if (!undisturbed.includes(false)) return result;
    // A look that fails now is no reason to fail: the servers are asked again.
    await Promise.allSettled(looks.map(({ done }) => done));
    return await wait();
  } catch (error) {
    // Says why the servers never showed the values.
    const conflict = looks.map(({ failure }) => failure()).find((f) => Dns01Error.is(f) && f.code === "CONFLICT");
    throw options.signal.aborted ? error : (conflict ?? error);
  } finally {
    await Promise.all(looks.map((look) => look.stop()));
  }
}

interface Looks {
  /** Fails where the looks do. */
  readonly done: Promise<void>;
  failure(): unknown;
  /** No further look is needed: ends the pause, or waits for the look that has begun. Answers whether all were well. */
  finish(): Promise<boolean>;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

function startLooks(written: Written, { clock, observer, signal }: DuringOptions): Looks {
  const pause = linkSignal(signal);
  const grace = withGrace(pause.signal, LOOK_GRACE_MS);
  let isWell = true;
  let failure: unknown;
  let look: PromiseWithResolvers | undefined;
  const onLook: SettleOptions["onLook"] = (state) => {
    if (state === "begun") look = withResolvers();
    else {
      isWell &&= state === "stood";
      look?.resolve();
      look = undefined;
    }
  };
  const done = settle(written, { clock, observer, signal: pause.signal, lookSignal: grace.signal, onLook });
  const ended = done
    .catch((error: unknown) => {
      if (error !== over) {
        isWell = false;
        failure = error;
      }
    })
    .finally(() => {
      look?.resolve();
      look = undefined;
      pause.release();
      grace.done();
    });
  const stop = () => {
    pause.abort(over);
    return ended;
  };
  return {
    done,
    failure: () => failure,
    async finish() {
      await look?.promise;
      if (isWell) await stop();
      return isWell;
    },
    stop,
  };
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve: () => resolve() };
}
