/** Returns a number with its noun: "1 value", "2 values", "1 nameserver address". */
export function counted(count: number, noun: string): string {
  const plural = noun.endsWith("ss") ? `${noun}es` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}
