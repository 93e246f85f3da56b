/** A node of values.schema.json, as far as the sweep reads it. */
export interface SchemaNode {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly $ref?: string;
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Values with every string that the schema knows set to the first of `texts` that it allows, and with every part of the
 * chart switched on. Undefined where the schema allows none of them.
 */
export function filled(node: SchemaNode, texts: readonly string[]): unknown {
  if (node.type === "string") return node.enum === undefined ? texts.find((text) => allows(node, text)) : undefined;
  if (node.type === "array") {
    const item = node.items === undefined ? undefined : filled(node.items, texts);
    return item === undefined ? undefined : [item];
  }
  if (node.type !== "object") return undefined;
  const entries = Object.entries(node.properties ?? {}).map(([key, child]) =>
    key === "enabled" ? [key, true] : [key, filled(child, texts)],
  );
  const more = typeof node.additionalProperties === "object" ? filled(node.additionalProperties, texts) : undefined;
  if (more !== undefined) entries.push([texts[0], more]);
  const given = entries.filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function allows({ pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: SchemaNode, text: string): boolean {
  if (text.length < minLength || text.length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern).test(text);
}

/** A value below `path` replaced, or taken out with `undefined`. */
export function withValue(values: unknown, path: string, value: unknown): Values {
  const [first = "", ...rest] = path.split(".");
  const given: Values = { ...Object(values) };
  return { ...given, [first]: rest.length === 0 ? value : withValue(given[first], rest.join("."), value) };
}
