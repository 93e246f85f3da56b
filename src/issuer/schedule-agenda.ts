/** Keys by the instant they are due at; each key once. */
export interface Agenda {
  readonly size: number;
  /** Puts the key at this instant, wherever it was. */
  set(key: string, at: number): void;
  delete(key: string): void;
  at(key: string): number | undefined;
  /** The earliest instant. */
  first(): number | undefined;
  /** Takes out the earliest key if it is due. */
  take(now: number): string | undefined;
  keys(): IterableIterator<string>;
}

interface Entry {
  readonly key: string;
  readonly at: number;
}

/** A binary heap that forgets lazily: an entry that is no longer its key's own is skipped. */
export function createAgenda(): Agenda {
  const heap: Entry[] = [];
  const own = new Map<string, Entry>();

  const less = (i: number, j: number) => (heap[i]?.at ?? 0) < (heap[j]?.at ?? 0);
  const swap = (i: number, j: number) => {
    const a = heap[i];
    const b = heap[j];
    if (a === undefined || b === undefined) return;
    heap[i] = b;
    heap[j] = a;
  };
  const push = (entry: Entry) => {
    heap.push(entry);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!less(i, parent)) return;
      swap(i, parent);
      i = parent;
    }
  };
  const pop = () => {
    swap(0, heap.length - 1);
    heap.pop();
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && less(child, least)) least = child;
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  const head = (): Entry | undefined => {
    for (let top = heap[0]; top !== undefined; top = heap[0]) {
      if (own.get(top.key) === top) return top;
      pop();
    }
    return undefined;
  };

  return {
    get size() {
      return own.size;
    },
    set(key, at) {
      const entry = { key, at };
      own.set(key, entry);
      push(entry);
      // What was put off again and again must not pile up below.
      if (heap.length > 64 && heap.length > 4 * own.size) {
        heap.length = 0;
        for (const kept of own.values()) push(kept);
      }
    },
    delete: (key) => void own.delete(key),
    at: (key) => own.get(key)?.at,
    first: () => head()?.at,
    take(now) {
      const top = head();
      if (top === undefined || top.at > now) return undefined;
      pop();
      own.delete(top.key);
      return top.key;
    },
    keys: () => own.keys(),
  };
}
