/** Keys by the instant they are due at; each key once. */
export interface Agenda {
  readonly size: number;
  /** Puts the key at this instant, wherever it was. */
  set(key: string, at: number): void;
  delete(key: string): void;
  /** The earliest instant. */
  first(): number | undefined;
  /** Takes out the earliest key if it is due. */
  take(now: number): string | undefined;
  /** Puts every key at this instant. */
  setAll(at: number): void;
}

interface Entry {
  readonly key: string;
  /** Where it is in the heap; -1 when it was taken out. */
  place: number;
}

/**
 * A binary heap whose entries know their place: what is put off or taken away moves, and leaves nothing behind. What was
 * taken out is kept in mind until it is deleted, since it usually comes back.
 */
export function createAgenda(): Agenda {
  const heap: Entry[] = [];
  /** The instants in the same places, side by side: comparing them is most of the work. */
  const times: number[] = [];
  const entries = new Map<string, Entry>();

  const move = (from: number, to: number): void => {
    const entry = heap[from];
    if (entry === undefined) return;
    heap[to] = entry;
    times[to] = times[from] ?? 0;
    entry.place = to;
  };

  /** Puts the entry where it belongs, from this free place up or down. */
  const settle = (entry: Entry, at: number, from: number): void => {
    let place = from;
    for (let above = (place - 1) >> 1; place > 0 && (times[above] ?? 0) > at; above = (place - 1) >> 1) {
      move(above, place);
      place = above;
    }
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (times[below + 1] ?? 0) < (times[below] ?? 0)) below += 1;
      if ((times[below] ?? 0) >= at) break;
      move(below, place);
      place = below;
    }
    heap[place] = entry;
    times[place] = at;
    entry.place = place;
  };

  const remove = (entry: Entry): void => {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = heap.pop();
    const at = times.pop() ?? 0;
    if (last !== undefined && last !== entry) settle(last, at, place);
  };

  return {
    get size() {
      return heap.length;
    },
    set(key, at) {
      let entry = entries.get(key);
      if (entry === undefined) {
        entry = { key, place: -1 };
        entries.set(key, entry);
      }
      if (entry.place < 0) {
        entry.place = heap.length;
        heap.push(entry);
        times.push(at);
      }
      settle(entry, at, entry.place);
    },
    delete(key) {
      const entry = entries.get(key);
      if (entry === undefined) return;
      remove(entry);
      entries.delete(key);
    },
    first: () => times[0],
    take(now) {
      const top = heap[0];
      if (top === undefined || (times[0] ?? 0) > now) return undefined;
      remove(top);
      return top.key;
    },
    setAll: (at) => void times.fill(at),
  };
}
