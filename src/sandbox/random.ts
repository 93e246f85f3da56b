/** Chance that replays: the same seed gives the same weather, shuffles and choices. Keys, nonces and tokens never come from here. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** True with this probability. */
  chance(rate: number): boolean;
  shuffled<T>(items: readonly T[]): readonly T[];
  pick<T>(items: readonly T[]): T | undefined;
}

/** mulberry32 over a 32-bit seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    // A rate of 0 draws nothing, so that adding a fault does not move the draws of the others.
    chance: (rate) => rate > 0 && next() < rate,
    shuffled(items) {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        const [a, b] = [copy[i], copy[j]];
        if (a === undefined || b === undefined) continue;
        copy[i] = b;
        copy[j] = a;
      }
      return copy;
    },
    pick: (items) => items[Math.floor(next() * items.length)],
  };
}
