// What moves the cursor, paints, renames the window or turns the direction of writing; line ends and tabs stay.
const control = /(?:(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069])+/gu;

/**
 * A text for people with nothing in it that a terminal obeys: nameservers, services and hooks have a word in what is
 * shown, and theirs is to be read, not to hide or forge what stands around it.
 */
export function printable(text: string): string {
  return text.replace(control, (found: string, at: number) => (found === "\r" && text[at + 1] === "\n" ? "" : " "));
}

/** The same in one line: what is quoted within a sentence must not begin a line that looks like ours. */
export function printableLine(text: string): string {
  return printable(text).replace(/\s+/g, " ").trim();
}
