/** Enough to tell values apart. */
const shown = 8;

/** Returns the beginning of a challenge's value, for tables and logs. */
export function shortValue(value: string): string {
  return value.length > shown ? `${value.slice(0, shown)}…` : value;
}
