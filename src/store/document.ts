import { damaged } from "./disk-errors.ts";

/** A JSON object as it was read; members are looked at through the functions below. */
export type Json = Readonly<Record<string, unknown>>;

/** Brings a document from one schema version to the next; must not fail on what that version allowed. */
type Migration = (older: Json) => Json;

/** A kind of file with a schema version. */
export interface DocumentKind {
  /** What it is called in messages. */
  readonly title: string;
  readonly current: number;
  /** By the version they start from. Reading migrates; the next write stores the new form. */
  readonly migrations?: Readonly<Record<number, Migration>>;
  /** What to do when it cannot be read; one sentence. */
  readonly remedy: string;
}

/**
 * Parses a file of the store and brings it to the current schema. Members nobody knows are kept. The error says where it
 * broke and never what stood there: the file may hold a key.
 */
export function parseDocument(text: string, path: string, kind: DocumentKind): Json {
  const fail = (what: string) => damaged(path, `${kind.title} ${what}`, kind.remedy);
  let document: Json;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new SyntaxError();
    document = parsed as Json;
  } catch {
    throw fail(text.trim() === "" ? "is empty" : "is not a JSON object: it was cut short or edited");
  }
  const schema = document["schema"];
  if (typeof schema !== "number" || !Number.isSafeInteger(schema)) throw fail("has no schema version");
  if (schema > kind.current) {
    const newer = `${kind.title} has schema ${schema}, but this dns01 knows only up to ${kind.current}`;
    throw damaged(path, newer, "It was written by a newer dns01: use that version, or another --state folder.");
  }
  for (let version = schema; version < kind.current; version++) {
    const migrate = kind.migrations?.[version];
    if (migrate === undefined) throw fail(`has schema ${version}, which cannot be migrated`);
    document = { ...migrate(document), schema: version + 1 };
  }
  return document;
}

/** The text of a document. */
export function formatDocument(document: Json): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Checks members, naming file and member when one is not what it must be. */
export function membersOf(document: Json, path: string, kind: DocumentKind) {
  const fail = (member: string, what: string) => damaged(path, `${kind.title}: "${member}" ${what}`, kind.remedy);
  return {
    text(member: string): string {
      const value = document[member];
      if (typeof value !== "string") throw fail(member, "is not a text");
      return value;
    },
    optionalText(member: string): string | undefined {
      const value = document[member];
      if (value !== undefined && typeof value !== "string") throw fail(member, "is not a text");
      return value;
    },
    texts(member: string): readonly string[] {
      const value = document[member];
      if (!Array.isArray(value) || !value.every((v) => typeof v === "string"))
        throw fail(member, "is not a list of texts");
      return value;
    },
    /** RFC 3339. */
    time(member: string): string {
      const value = document[member];
      if (typeof value !== "string" || Number.isNaN(Date.parse(value))) throw fail(member, "is not a time");
      return value;
    },
    objects(member: string): readonly Json[] {
      const value = document[member];
      const isObject = (v: unknown): v is Json => typeof v === "object" && v !== null && !Array.isArray(v);
      if (!Array.isArray(value) || !value.every(isObject)) throw fail(member, "is not a list of objects");
      return value;
    },
  };
}
