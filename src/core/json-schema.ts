import type { Provider } from "./provider.ts";
import { type Field, fieldsOf } from "./schema.ts";

/** JSON Schema, draft 2020-12, of one object; as much of it as is made here. */
export interface ObjectSchema {
  readonly type: "object";
  readonly description?: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

/** What each door takes as the provider's settings, for editors and validators. */
export interface ProviderSchemas {
  /** `config` of a solver in dns01.yaml: any value may also be `{ env: NAME }` or `{ file: PATH }`, a secret has to. */
  readonly config: ObjectSchema;
  /** `config` of an Issuer: secrets are references to keys of a Kubernetes Secret. */
  readonly issuer: ObjectSchema;
}

const named = (key: "env" | "file") => ({
  type: "object",
  properties: { [key]: { type: "string", minLength: 1 } },
  required: [key],
  additionalProperties: false,
});

const secretReference = {
  type: "object",
  properties: { name: { type: "string", minLength: 1 }, key: { type: "string", minLength: 1 } },
  required: ["name", "key"],
  additionalProperties: false,
};

/** Derived from the same fields as flags and environment names. */
export function schemasOf(provider: Pick<Provider, "id" | "config" | "traits">): ProviderSchemas {
  const fields = fieldsOf(provider);
  return {
    config: objectOf(
      fields.flatMap((f) => spellings(f).map((key) => [key, f.secret ? secretValue(f) : openValue(f)] as const)),
      fields.filter((f) => f.required && f.aliases.length === 0).map((f) => f.name),
    ),
    issuer: objectOf(
      fields.flatMap((f) => [
        ...(f.secret ? [] : spellings(f).map((key) => [key, plainValue(f)] as const)),
        ...f.references.map((key) => [key, { description: f.description, ...secretReference }] as const),
      ]),
      fields.filter((f) => f.required && !f.secret && f.aliases.length + f.references.length === 0).map((f) => f.name),
    ),
  };
}

function objectOf(properties: readonly (readonly [string, unknown])[], required: readonly string[]): ObjectSchema {
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function spellings(field: Field): readonly string[] {
  return [field.name, ...field.aliases];
}

function plainValue({ type, description, choices, default: usual }: Field) {
  return {
    type,
    description,
    ...(choices === undefined ? {} : { enum: choices }),
    ...(usual === undefined ? {} : { default: usual }),
  };
}

function openValue(field: Field) {
  const { description, default: usual, ...value } = plainValue(field);
  return {
    description,
    ...(usual === undefined ? {} : { default: usual }),
    anyOf: [value, named("env"), named("file")],
  };
}

function secretValue({ description }: Field) {
  return { description, anyOf: [named("env"), named("file")] };
}
