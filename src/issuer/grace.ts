/**
 * A signal that fires `graceMs` after the given one. Writes use it: one that is cut off half-way may still land after
 * the clean-up that follows, while one that is let finish is taken out for certain.
 */
export function withGrace(
  signal: AbortSignal,
  graceMs: number,
): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => {
    timer = setTimeout(() => controller.abort(signal.reason), graceMs);
  };
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    done: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    },
  };
}
