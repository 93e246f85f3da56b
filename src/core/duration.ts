const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "90s", "5m", "1h30m" in milliseconds; undefined for anything else, a bare number included. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(number) * (unitMs[unit ?? ""] ?? Number.NaN);
  }
  return Number.isFinite(total) && total <= 400 * 86_400_000 ? total : undefined;
}

/** Milliseconds for people: "412 ms", "5.2 s", "3 m 20 s". One decimal at all times, so that a running clock keeps its width. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
}

/** The same within a sentence: "10 s". */
export function durationText(ms: number): string {
  return formatMs(ms).replace(".0 s", " s");
}
