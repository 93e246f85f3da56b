import { unquoteTxt } from "../core/presentation.ts";

/** What a fake shows of the TXT values that are easily spoiled. */
export interface ShownText {
  /** A value that was put there. */
  stored(value: string): void;
  /** An answer of the fake. */
  answered(body: unknown): void;
  /** Whether each such value that was shown was shown as it is, or quoted as RFC 1035 §5.1 has it. */
  isWell(): boolean;
}

/** Fakes that put quotes around a value and escape nothing were good enough for every rule but the one about octets. */
export function createShownText(): ShownText {
  const awkward = new Set<string>();
  const texts = new Set<string>();
  return {
    stored(value) {
      if (value.length > 255 || !/^[\x20-\x7e]*$/.test(value) || /["\\]/.test(value)) awkward.add(value);
    },
    answered(body) {
      if (awkward.size > 0) for (const text of textsIn(body)) texts.add(text);
    },
    isWell: () => {
      const quoted = new Set([...texts].filter((text) => /^\s*"/.test(text)).map(unquoteTxt));
      const isHidden = (value: string) => ![...texts].some((text) => text.includes(value.slice(0, 4)));
      return [...awkward].every((value) => texts.has(value) || quoted.has(value) || isHidden(value));
    },
  };
}

/** Every text in it, however deep. */
export function* textsIn(body: unknown): Generator<string> {
  if (typeof body === "string") yield body;
  else if (typeof body === "object" && body !== null) for (const inner of Object.values(body)) yield* textsIn(inner);
}
