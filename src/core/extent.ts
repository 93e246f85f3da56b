/** So much of the room each list and object takes: it bounds how deep the rest can go with how long it is. */
const perObject = 64;

/**
 * How much of the room is left behind data as JSON has it; negative as soon as there is none, and then nothing more of it
 * is looked at.
 */
export function roomAfter(data: unknown, room: number): number {
  if (typeof data === "string") return room - data.length;
  if (typeof data !== "object" || data === null) return room - 1;
  let left = room - perObject;
  if (Array.isArray(data)) {
    for (const entry of data as readonly unknown[]) {
      if (left < 0) break;
      left = roomAfter(entry, left);
    }
    return left;
  }
  for (const key in data) {
    if (left < 0) break;
    left = roomAfter((data as Readonly<Record<string, unknown>>)[key], left - key.length);
  }
  return left;
}
