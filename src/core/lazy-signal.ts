/**
 * An AbortController whose signal is only made when somebody asks for it. Work has several limits at once, most of which
 * are never reached and never looked at, and one AbortSignal costs as much as all the rest of a step (Node 20).
 */
export class LazySignal {
  static readonly #owners = new WeakMap<AbortSignal, LazySignal>();

  /** Where a signal comes from, so that listeners need not go through its events. */
  static of(signal: AbortSignal): LazySignal | undefined {
    return LazySignal.#owners.get(signal);
  }

  #controller: AbortController | undefined;
  #listeners: Set<() => void> | undefined;
  #reason: Error | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  /** For whoever needs a real one: fetch, sockets, adapters. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      LazySignal.#owners.set(this.#controller.signal, this);
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#controller?.abort(reason);
    for (const listener of listeners ?? []) listener();
  }

  /** Calls `listener` once when it fires, unless the function returned is called before. */
  onAbort(listener: () => void): () => void {
    // An object of its own, so that the same function given twice counts twice.
    const entry = () => listener();
    this.#listeners ??= new Set();
    this.#listeners.add(entry);
    return () => void this.#listeners?.delete(entry);
  }
}

/** Whatever can end a wait. */
export type Stop = AbortSignal | LazySignal;

/** A real signal of it, for whoever needs one. */
export function signalOf(stop: Stop): AbortSignal {
  return stop instanceof LazySignal ? stop.signal : stop;
}
