import { createHash } from "node:crypto";
import { ConfigError } from "../core/errors.ts";

/** Room for what is put around a name ("certificate-", for example) within the 255 octets of most file systems. */
const longest = 200;
/** Names that Windows gives to devices, with any extension. */
const reserved = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/;
const wildcard = "_wildcard";

/**
 * One path segment for a name a person chose, the same on every file system: no `*`, no capital letters (some disks take
 * "A" for "a"), no separator, no leading or final dot, no device name. "*.example.com" is `_wildcard.example.com`; any
 * other octet outside `a-z 0-9 . _ -` is `%xx`. Reversible by `decodeFileName`, except that a segment of more than 200
 * octets is cut and ends in `%~` and a hash.
 */
export function encodeFileName(name: string): string {
  if (name === "") throw new ConfigError([{ path: "name", message: "the name is empty" }]);
  if (/^\*\../s.test(name)) return shorten(`${wildcard}${escapeEnd(escapeAll(name.slice(1)))}`, name);
  const text = escapeEnd(escapeStart(escapeAll(name)));
  // A name that looks like the spelling of a wildcard keeps out of its way.
  const isTaken = text === wildcard || text.startsWith(`${wildcard}.`);
  return shorten(isTaken ? `${hex("_")}${text.slice(1)}` : text, name);
}

/** The name behind a path segment; undefined when the segment was cut or is none of ours. */
export function decodeFileName(segment: string): string | undefined {
  const text = segment.startsWith(`${wildcard}.`) ? `*${segment.slice(wildcard.length)}` : segment;
  const octets = text.replace(/%([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  const name = Buffer.from(octets, "latin1").toString("utf8");
  return name !== "" && encodeFileName(name) === segment ? name : undefined;
}

/** The folder of a CA's account: the directory URL without "https://", "/" written as "+". */
export function encodeCa(directoryUrl: string): string {
  const parts = directoryUrl.replace(/^https:\/\//, "").split("/");
  return shorten(parts.map((part) => (part === "" ? "" : encodeFileName(part))).join("+"), directoryUrl);
}

function escapeAll(text: string): string {
  return [...Buffer.from(text).toString("latin1")].map((c) => (/[a-z0-9._-]/.test(c) ? c : hex(c))).join("");
}

/** Hidden files, "..", what commands take for an option, device names. */
function escapeStart(text: string): string {
  return /^[.-]/.test(text) || reserved.test(text) ? hex(text.slice(0, 1)) + text.slice(1) : text;
}

/** Windows drops a final dot. */
function escapeEnd(text: string): string {
  return text.endsWith(".") ? `${text.slice(0, -1)}${hex(".")}` : text;
}

function shorten(text: string, original: string): string {
  if (text.length <= longest) return text;
  const hash = createHash("sha256").update(original).digest("hex").slice(0, 40);
  return `${text.slice(0, longest - 42).replace(/%.?$/, "")}%~${hash}`;
}

function hex(latin1: string): string {
  return `%${latin1.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
