import { codeText, systemText } from "./system-error.ts";

/**
 * What was thrown, in words. Anything can be thrown, also what cannot be turned into text; this never throws itself.
 */
export function thrownText(thrown: unknown): string {
  try {
    if (typeof thrown !== "object" || thrown === null)
      return typeof thrown === "function" ? "a function" : String(thrown);
    const ofSystem = thrown instanceof Error ? systemText(thrown) : undefined;
    if (ofSystem !== undefined) return ofSystem;
    const { message, name } = thrown as { readonly message?: unknown; readonly name?: unknown };
    if (typeof message === "string" && message.trim() !== "") return message;
    if (thrown instanceof Error) return typeof name === "string" && name !== "" ? name : "an error without a message";
    const members = Object.keys(thrown);
    return `an object that is no error${members.length === 0 ? "" : ` (with ${members.slice(0, 8).join(", ")})`}`;
  } catch {
    return "something that cannot be shown";
  }
}

/** The same for a sentence that names the file or address itself: "permission denied". */
export function reasonText(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const words = codeText(code);
  return words === code ? thrownText(thrown) : words;
}
