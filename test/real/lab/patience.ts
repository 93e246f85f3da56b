/** Waits until `holds` is true, asking every few milliseconds; throws after `timeoutMs`: a busy machine takes many seconds. */
export async function until(holds: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not come true within ${timeoutMs} ms: ${holds.toString()}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
