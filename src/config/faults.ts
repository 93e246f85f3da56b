import type { z } from "zod";
import type { ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { type Path, pathText } from "./document.ts";

interface Fault extends ConfigIssue {
  /** What has to be left out for the rest to be sound. */
  readonly at: Path;
}

/** The schema's faults in the words of the file's author, each with its place. */
export function faultsOf(
  schema: z.ZodType,
  error: z.ZodError,
  value: unknown,
  place: (path: Path) => string,
): readonly Fault[] {
  const faults = error.issues.flatMap((issue) => describe(schema, issue, value, [], place));
  // Of one value it is enough to say what it should be.
  const first = new Map([...faults].reverse().map((fault) => [pathText(fault.at), fault]));
  return faults.filter((fault) => first.get(pathText(fault.at)) === fault);
}

function describe(
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  root: unknown,
  base: Path,
  place: (path: Path) => string,
): readonly Fault[] {
  const path = [...base, ...issue.path.map((p) => (typeof p === "symbol" ? String(p) : p))];
  const value = valueAt(root, path);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const meant =
        near === undefined
          ? known.length === 0
            ? ""
            : `; known are ${known.join(", ")}`
          : `; did you mean "${near}"?`;
      return { at: [...path, key], path: place([...path, key]), message: `unknown key "${key}"${meant}` };
    });
  }
  if (issue.code === "invalid_union") {
    // The branch for what was given: a mapping is held to the keys of the mapping.
    const branch = issue.errors.find((inner) => !inner.some((i) => i.path.length === 0 && i.code === "invalid_type"));
    if (branch !== undefined) return branch.flatMap((inner) => describe(schema, inner, root, path, place));
  }
  const message = value === undefined ? "is missing" : messageOf(issue, value);
  return [{ at: path, path: place(path), message }];
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.expected === "int" && typeof value === "number") return "has to be a whole number";
      // Where the schema has words of its own.
      if (issue.message.startsWith("has to be")) return `${issue.message}, and is ${kindOf(value)}`;
      return `has to be ${wanted[issue.expected] ?? issue.expected}, and is ${kindOf(value)}${slip(issue.expected, value)}`;
    case "invalid_union":
      return `has to be text or a mapping, and is ${kindOf(value)}`;
    case "invalid_value": {
      const choices = issue.values.map(String);
      const near = typeof value === "string" ? nearest(value, choices) : undefined;
      const hint =
        near === undefined ? `one of ${choices.join(", ")}` : `did you mean "${near}"? (${choices.join(", ")})`;
      return `${JSON.stringify(value)} is not known; ${hint}`;
    }
    case "too_small":
      return typeof value === "number" ? `has to be at least ${issue.minimum}` : "is empty";
    case "too_big":
      return typeof value === "number" ? `has to be at most ${issue.maximum}` : issue.message;
    case "invalid_format":
      return `${JSON.stringify(value)} ${issue.message}`;
    default:
      return issue.message;
  }
}

const wanted: Readonly<Record<string, string>> = {
  string: "text",
  array: "a list",
  object: "a mapping of keys",
  record: "a mapping of keys",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
};

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  return (
    { string: "text", number: "a number", boolean: "true or false", object: "a mapping" }[typeof value as string] ??
    typeof value
  );
}

/** The usual slips. */
function slip(expected: string, value: unknown): string {
  if (expected === "string" && (typeof value === "number" || typeof value === "boolean")) return ": put it in quotes";
  if (expected === "array" && typeof value === "string") return `: write [${JSON.stringify(value)}]`;
  return "";
}

/** The keys of the object at a path of the schema, for "did you mean". */
function knownKeys(schema: z.ZodType, path: Path): readonly string[] {
  let current: Def | undefined = inner(schema);
  for (const step of path) {
    if (current === undefined) return [];
    if (current.type === "object") current = inner(current.shape?.[String(step)]);
    else if (current.type === "array") current = inner(current.element);
    else if (current.type === "record") current = inner(current.valueType);
    else return [];
  }
  if (current?.type === "object") return Object.keys(current.shape ?? {});
  // What is no object is a secret, and refers to where it is kept.
  return current?.type === "unknown" ? ["env", "file"] : [];
}

/** What is read of zod's definitions. */
interface Def {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

function inner(schema: z.ZodType | undefined): Def | undefined {
  const def = schema?._zod.def as Def | undefined;
  if (def?.innerType !== undefined) return inner(def.innerType);
  if (def?.type === "union") return def.options?.map(inner).find((option) => option?.type === "object");
  return def;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, step)
        ? (value as Readonly<Record<string | number, unknown>>)[step]
        : undefined,
    root,
  );
}

/** A copy without what is at these paths; entries of lists become undefined, so that the others keep their place. */
export function without(value: unknown, paths: readonly Path[]): unknown {
  if (paths.some((path) => path.length === 0)) return undefined;
  if (paths.length === 0 || typeof value !== "object" || value === null) return value;
  const below = (key: string | number) =>
    paths.filter(([first]) => String(first) === String(key)).map((path) => path.slice(1));
  if (Array.isArray(value)) return value.map((entry: unknown, index) => without(entry, below(index)));
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, entry]) => [key, without(entry, below(key))] as const)
      .filter(([, entry]) => entry !== undefined),
  );
}
