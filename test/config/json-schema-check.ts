type Node = Readonly<Record<string, unknown>>;

/**
 * Faults of a value against a JSON Schema 2020-12, as paths with the keyword that refuses; for the keywords that our own
 * schemas use. An unknown keyword throws: it would otherwise pass unseen.
 */
export function check(schema: unknown, value: unknown, path = "", root = schema): readonly string[] {
  if (schema === true || schema === undefined) return [];
  if (schema === false) return [`${path} false`];
  const node = schema as Node;
  return Object.entries(node).flatMap(([keyword, rule]) => {
    const test = keywords[keyword];
    if (test === undefined) throw new Error(`unknown keyword ${keyword} at ${path}`);
    return test(rule as never, value, node, path, root);
  });
}

type Test = (rule: never, value: unknown, node: Node, path: string, root: unknown) => readonly string[];
const fault = (holds: boolean, keyword: string, path: string) => (holds ? [] : [`${path} ${keyword}`]);
const none: Test = () => [];
const isObject = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const own = (value: unknown, key: string) => isObject(value) && Object.hasOwn(value, key);

const keywords: Readonly<Record<string, Test>> = {
  $schema: none,
  title: none,
  description: none,
  default: none,
  $defs: none,
  $ref: (rule: string, value, _, path, root) => {
    const found = rule
      .split("/")
      .slice(1)
      .reduce<unknown>((node, key) => (node as Node)[key], root);
    if (found === undefined) throw new Error(`nothing at ${rule}`);
    return check(found, value, path, root);
  },
  type: (rule: string, value, _, path) => {
    const types: Readonly<Record<string, boolean>> = {
      object: isObject(value),
      array: Array.isArray(value),
      integer: Number.isInteger(value),
    };
    return fault(types[rule] ?? typeof value === rule, "type", path);
  },
  enum: (rule: readonly unknown[], value, _, path) => fault(rule.includes(value), "enum", path),
  minLength: (rule: number, value, _, path) =>
    fault(typeof value !== "string" || value.length >= rule, "minLength", path),
  pattern: (rule: string, value, _, path) =>
    fault(typeof value !== "string" || new RegExp(rule).test(value), "pattern", path),
  minimum: (rule: number, value, _, path) => fault(typeof value !== "number" || value >= rule, "minimum", path),
  maximum: (rule: number, value, _, path) => fault(typeof value !== "number" || value <= rule, "maximum", path),
  minItems: (rule: number, value, _, path) => fault(!Array.isArray(value) || value.length >= rule, "minItems", path),
  items: (rule: Node, value, _, path, root) =>
    Array.isArray(value) ? value.flatMap((entry, i) => check(rule, entry, `${path}[${i}]`, root)) : [],
  required: (rule: readonly string[], value, _, path) =>
    isObject(value) ? rule.flatMap((key) => fault(own(value, key), `required ${key}`, path)) : [],
  properties: (rule: Node, value, _, path, root) =>
    Object.entries(rule).flatMap(([key, inner]) =>
      isObject(value) && own(value, key) ? check(inner, value[key], `${path}.${key}`, root) : [],
    ),
  additionalProperties: (rule: unknown, value, node, path, root) => {
    const known = Object.keys((node["properties"] ?? {}) as Node);
    const others = isObject(value) ? Object.keys(value).filter((key) => !known.includes(key)) : [];
    return others.flatMap((key) => check(rule, (value as Node)[key], `${path}.${key}`, root));
  },
  propertyNames: (rule: Node, value, _, path, root) =>
    isObject(value) ? Object.keys(value).flatMap((key) => check(rule, key, `${path}.${key}`, root)) : [],
  anyOf: (rule: readonly Node[], value, _, path, root) =>
    fault(
      rule.some((inner) => check(inner, value, path, root).length === 0),
      "anyOf",
      path,
    ),
  allOf: (rule: readonly Node[], value, _, path, root) => rule.flatMap((inner) => check(inner, value, path, root)),
  if: (rule: Node, value, node, path, root) =>
    check(rule, value, path, root).length === 0 ? check(node["then"], value, path, root) : [],
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: none,
};
