/** Counts what a server of a test receives, so that a test can wait for it and not for time. */
export interface Arrivals<K extends string> {
  note(kind: K): void;
  /** Resolves when at least so many of each have come, at once if they have. */
  reach(wanted: Partial<Readonly<Record<K, number>>>): Promise<void>;
}

export function countArrivals<K extends string>(): Arrivals<K> {
  const counts = new Map<K, number>();
  let waiting: readonly { readonly isThere: () => boolean; readonly go: () => void }[] = [];
  return {
    note(kind) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      const done = waiting.filter(({ isThere }) => isThere());
      waiting = waiting.filter((one) => !done.includes(one));
      for (const { go } of done) go();
    },
    reach(wanted) {
      const entries = Object.entries(wanted) as [K, number][];
      const isThere = () => entries.every(([kind, count]) => (counts.get(kind) ?? 0) >= count);
      if (isThere()) return Promise.resolve();
      return new Promise((go) => {
        waiting = [...waiting, { isThere, go }];
      });
    },
  };
}
