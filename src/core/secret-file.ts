import { codeText } from "./system-error.ts";
import { reasonText } from "./thrown.ts";

/**
 * Whether this is the path of a file that holds a secret, and not the secret itself: it is easily written where its file
 * belongs, the more so as other programs take it there. What may be one is not repeated.
 */
export function isSurelyPath(text: string): boolean {
  return /^(?:~?\/|\.\.?[/\\]|[A-Za-z]:[/\\])|^[a-z._/-]+$/.test(text) || text.length < 16;
}

/** That a secret's file cannot be read, in words. `written` is how the user named it, `path` what was tried. */
export function unreadableSecret(written: string, error: unknown, path = written): string {
  if (isSurelyPath(written)) return `cannot read ${path}: ${reasonText(error)}`;
  const code = error instanceof Error && "code" in error ? `: ${codeText(String(error.code))}` : "";
  return `cannot read the file that is named here${code}; this takes a path, and not the secret itself`;
}
