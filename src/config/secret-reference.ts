/** How the file refers to a secret: `{ env: NAME }` or `{ file: PATH }`. */
export type SecretReference = { readonly env: string } | { readonly file: string };

export const namedKeys: readonly string[] = ["env", "file"];

export function isSecretReference(value: unknown): value is SecretReference {
  if (typeof value !== "object" || value === null) return false;
  const [entry, ...more] = Object.entries(value);
  return entry !== undefined && more.length === 0 && namedKeys.includes(entry[0]) && isText(entry[1]);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

const named = (key: string) => ({
  type: "object",
  properties: { [key]: { type: "string", minLength: 1 } },
  required: [key],
  additionalProperties: false,
});

/** The same in JSON Schema. */
export const secretJson = { anyOf: namedKeys.map(named) };
