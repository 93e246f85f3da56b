const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Returns an instant as every text shows it: "2027-02-25 00:46 UTC". Takes milliseconds, or a time of RFC 3339. */
export function timeText(at: number | string | Date): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Returns how far an instant is from now: "in 89 days", "3 days ago". */
export function distanceText(at: number, now: number): string {
  const ms = Math.abs(at - now);
  const [count, unit] =
    ms >= 2 * day ? [ms / day, "day"] : ms >= 2 * hour ? [ms / hour, "hour"] : [Math.max(1, ms / minute), "minute"];
  const whole = Math.floor(count);
  const text = `${whole} ${unit}${whole === 1 ? "" : "s"}`;
  return at >= now ? `in ${text}` : `${text} ago`;
}
