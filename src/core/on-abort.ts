import { LazySignal, type Stop } from "./lazy-signal.ts";

/**
 * The listeners of each signal, behind one real listener: Node warns on stderr about the eleventh at one AbortSignal, and
 * an order of twenty names waits for more than that with the signal of its caller. Weak, and empty when nobody waits.
 */
const hubs = new WeakMap<AbortSignal, Hub>();

interface Hub {
  readonly listeners: Set<() => void>;
  readonly fire: () => void;
}

/** Calls `listener` once when the signal fires, unless the function returned is called before. */
export function onAbort(signal: Stop, listener: () => void): () => void {
  if (signal instanceof LazySignal) return signal.onAbort(listener);
  const owner = LazySignal.of(signal);
  if (owner !== undefined) return owner.onAbort(listener);
  const { listeners, fire } = hubs.get(signal) ?? createHub(signal);
  // An object of its own, so that the same function given twice counts twice.
  const entry = () => listener();
  listeners.add(entry);
  return () => {
    listeners.delete(entry);
    if (listeners.size > 0 || hubs.get(signal)?.listeners !== listeners) return;
    hubs.delete(signal);
    signal.removeEventListener("abort", fire);
  };
}

function createHub(signal: AbortSignal): Hub {
  const listeners = new Set<() => void>();
  const fire = () => {
    hubs.delete(signal);
    for (const listener of [...listeners]) listener();
  };
  const hub = { listeners, fire };
  hubs.set(signal, hub);
  signal.addEventListener("abort", fire, { once: true });
  return hub;
}
