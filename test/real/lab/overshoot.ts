/** How long the slowest server took, and how long after that the yes came; milliseconds. */
export interface Delay {
  readonly delayMs: number;
  readonly overshootMs: number;
}

/** Mean overshoot beside the goal 0.1 + 0.05·√T s (propagation.md §9) over the same delays. For people: never asserted. */
export function summary(delays: readonly Delay[]): string {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
  const overshoot = mean(delays.map((delay) => delay.overshootMs));
  const goal = mean(delays.map((delay) => 100 + 50 * Math.sqrt(delay.delayMs / 1000)));
  const delay = mean(delays.map((d) => d.delayMs)) / 1000;
  return `mean delay ${delay.toFixed(2)} s, mean overshoot ${overshoot.toFixed(0)} ms (goal ${goal.toFixed(0)} ms)`;
}
