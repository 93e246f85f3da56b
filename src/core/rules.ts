import { z } from "zod";

/**
 * What the schema's rules over several fields say about input in which fields are at fault. zod leaves these rules out
 * as long as any field is, and a user would learn of them only after mending the rest; so they are asked once more with
 * the faulty fields taken as they were given. Empty when `error` names no field.
 */
export function ruleIssues(
  schema: z.ZodObject,
  input: Readonly<Record<string, unknown>>,
  error: z.ZodError,
): readonly z.core.$ZodIssue[] {
  const broken = [...new Set(error.issues.map(({ path }) => path[0]))].filter(
    (name): name is string => typeof name === "string" && Object.hasOwn(schema.shape, name),
  );
  if (broken.length === 0 || !hasRules(schema)) return [];
  // A rule may trip over what should be text and is none, a secret that could not be read say: it gets text.
  const noText = error.issues
    .filter((issue) => issue.code === "invalid_type" && issue.expected === "string" && issue.path.length === 1)
    .map(({ path }) => String(path[0]))
    .filter((name) => input[name] !== undefined);
  try {
    const lenient = schema.safeExtend(Object.fromEntries(broken.map((name) => [name, z.any().optional()])));
    const texts = Object.fromEntries(noText.map((name) => [name, textOf(input[name])]));
    const issues = lenient.safeParse({ ...input, ...texts }).error?.issues ?? [];
    // Of a field that is missing it is enough to say so once.
    const missing = broken.filter((name) => input[name] === undefined);
    return issues.filter(
      ({ path, message }) =>
        !missing.includes(String(path[0])) &&
        !error.issues.some((told) => told.message === message && told.path.join() === path.join()),
    );
  } catch {
    // A rule that trips over a value of the wrong type has nothing to say about it.
    return [];
  }
}

function textOf(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function hasRules(schema: z.ZodObject): boolean {
  return (schema.def.checks?.length ?? 0) > 0;
}
