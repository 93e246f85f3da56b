import type { Document, LineCounter } from "yaml";
import type { ConfigIssue } from "../core/errors.ts";

export type Path = readonly (string | number)[];

/** A file that was read as YAML, and where in it everything stands. */
export interface ParsedDocument {
  /** Plain data; undefined when it cannot be read, and for an empty file. */
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
  /** "dns01.yaml:12 solvers[0].provider" */
  readonly place: (path: Path) => string;
}

/** Reads the text of one file; what is wrong with its syntax is told with its line. */
export async function parseYaml(file: string, bytes: Uint8Array): Promise<ParsedDocument> {
  const nowhere = (path: Path) => `${file} ${pathText(path)}`.trimEnd();
  const text = decode(bytes);
  if (text === undefined) {
    const message = `is no UTF-8 text${bytes.includes(0) ? " (UTF-16, or no text at all)" : ""}`;
    return { value: undefined, issues: [{ path: file, message }], place: nowhere };
  }
  // Most runs have no file: the parser is loaded only for one.
  const { LineCounter, parseDocument } = await import("./yaml.ts");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = placeIn(file, document, lines);
  // An unknown tag is a warning of the parser; here it would silently become text.
  const faults = [...document.errors, ...document.warnings].map((e) => ({
    path: `${file}:${lines.linePos(e.pos[0]).line}`,
    message: syntaxMessage(e.code, e.message),
  }));
  if (faults.length > 0) return { value: undefined, issues: inOrder(faults), place };
  try {
    return { value: document.toJS() ?? undefined, issues: [], place };
  } catch (error) {
    // Aliases without an anchor, or that would grow without bound.
    const message = error instanceof Error ? error.message : String(error);
    const name = /: (\S+)$/.exec(message)?.[1];
    const at = name === undefined ? -1 : text.indexOf(`*${name}`);
    const path = at < 0 ? file : `${file}:${lines.linePos(at).line}`;
    return { value: undefined, issues: [{ path, message: `is no YAML: ${message}` }], place };
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case "DUPLICATE_KEY":
      return "this key stands twice in the same mapping; keep one";
    case "MULTIPLE_DOCS":
      return 'a second document begins here ("---"); the file holds one';
    case "TAB_AS_INDENT":
      return "a tab indents here; YAML takes spaces only";
    default:
      return `is no YAML: ${message}`;
  }
}

/** The line of a path: its own, else that of the nearest thing around it (what an alias or a merge brought has none). */
function placeIn(file: string, document: Document, lines: LineCounter) {
  const nodeAt = (path: Path): unknown => (path.length === 0 ? document.contents : document.getIn(path, true));
  const startOf = (path: Path): number | undefined => {
    const key = path.at(-1);
    // Of an entry of a mapping the line of its key: the value may begin further down.
    const pairs: unknown = key === undefined ? undefined : itemsOf(nodeAt(path.slice(0, -1)));
    const pair = Array.isArray(pairs) ? pairs.find((item: unknown) => keyOf(item) === String(key)) : undefined;
    return rangeStart(pair === undefined ? nodeAt(path) : (pair as { readonly key: unknown }).key);
  };
  return (path: Path): string => {
    for (let length = path.length; length >= 0; length--) {
      const start = startOf(path.slice(0, length));
      if (start !== undefined) return `${file}:${lines.linePos(start).line} ${pathText(path)}`.trimEnd();
    }
    return `${file} ${pathText(path)}`.trimEnd();
  };
}

function itemsOf(node: unknown): unknown {
  return typeof node === "object" && node !== null && "items" in node ? node.items : undefined;
}

/** The text of a pair's key; undefined for what is no pair. */
function keyOf(item: unknown): string | undefined {
  const key: unknown = typeof item === "object" && item !== null && "key" in item ? item.key : undefined;
  return typeof key === "object" && key !== null && "value" in key ? String(key.value) : undefined;
}

function rangeStart(node: unknown): number | undefined {
  const range: unknown = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  const start: unknown = Array.isArray(range) ? range[0] : undefined;
  return typeof start === "number" ? start : undefined;
}

/** solvers[0].config.tsigSecret */
export function pathText(path: Path): string {
  return path.map((p, i) => (typeof p === "number" ? `[${p}]` : i === 0 ? p : `.${p}`)).join("");
}

/** Each fault once, in the order of the file's lines; what has no line comes first. */
export function inOrder(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  const told = new Map(issues.map((issue) => [`${issue.path}\n${issue.message}`, issue]));
  const line = ({ path }: ConfigIssue) => Number(/^[^\s]*:(\d+)(?:\s|$)/.exec(path)?.[1] ?? 0);
  return [...told.values()].sort((a, b) => line(a) - line(b));
}
