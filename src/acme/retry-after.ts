/**
 * Milliseconds a response asks to wait: seconds or an HTTP date (RFC 9110 §10.2.3). A date is compared with the
 * response's own `Date`, so that a clock of ours that is wrong does not matter. Undefined when absent or unreadable.
 */
export function retryAfterMs(
  headers: { readonly "retry-after"?: string | undefined; readonly date?: string | undefined },
  wallNow: number,
): number | undefined {
  const text = headers["retry-after"]?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  // Date.parse takes "-5" for a year.
  const at = /^[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) return undefined;
  const served = Date.parse(headers.date ?? "");
  return Math.max(0, at - (Number.isNaN(served) ? wallNow : served));
}

/** Less than this is the way of the answer, and the whole seconds that `Date` counts. */
const noSkewMs = 30_000;

/**
 * An instant of the CA's (RFC 3339) as a clock that is wrong will show it then, told by the response's own `Date`: ACME
 * needs no clock, and an order of an hour must not count as expired where the clock is an hour ahead.
 */
export function byOurClock(
  time: string | undefined,
  headers: { readonly date?: string | undefined },
  wallNow: number,
): string | undefined {
  const skew = wallNow - Date.parse(headers.date ?? "");
  const at = Date.parse(time ?? "");
  if (Number.isNaN(at) || !(Math.abs(skew) >= noSkewMs) || Math.abs(at + skew) > 8.64e15) return time;
  return new Date(at + skew).toISOString();
}

/** "3 s", "2 min", "24 h", for messages. */
export function inWords(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.ceil(seconds / 3600)} h`;
}
