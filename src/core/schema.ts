import { z } from "zod";
import { headerFault } from "./http-fields.ts";
import type { Provider } from "./provider.ts";

/** What a secret may hold besides printable text on one line. */
export interface SecretForm {
  /** Line ends, as keys in PEM and documents in JSON have them. */
  readonly lines?: boolean;
  /** Only what can be sent in an HTTP header: printable ASCII without blanks. */
  readonly header?: boolean;
}

/**
 * A configuration value that is never shown: no flag exists for it, and it is masked wherever text leaves the program.
 * Line ends behind it are dropped, as files and mounted secrets have them.
 */
export function secret(description: string, { lines = false, header = false }: SecretForm = {}): z.ZodString {
  const unprintable = lines ? /[^\P{Cc}\t\r\n]/u : /\p{Cc}/u;
  return z
    .string()
    .overwrite((text) => text.replace(/[\r\n]+$/, ""))
    .min(1, "is empty")
    .superRefine((text, context) => {
      const fault = (message: string) => context.addIssue({ code: "custom", message });
      const unsendable = header ? headerFault(text) : undefined;
      if (text === "") return;
      if (text.trim() === "") fault("is empty");
      else if (unsendable !== undefined) fault(unsendable);
      else if (unprintable.test(text)) fault("holds line ends or control characters: give it alone");
    })
    .meta({ description, secret: true });
}

/** One setting of a provider, with all the ways to give it. */
export interface Field {
  readonly name: string;
  readonly description: string;
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly secret: boolean;
  readonly required: boolean;
  readonly default?: string | number | boolean;
  /** The values that exist, where they can be counted. */
  readonly choices?: readonly string[];
  /** Environment names, the documented one first; each also with `_FILE`. */
  readonly env: readonly string[];
  /** "--dnspod-endpoint"; secrets have none, because argument lists are public. */
  readonly flag?: string;
  /** Other keys of a configuration object that mean this field. */
  readonly aliases: readonly string[];
  /** Keys of an Issuer's config that refer to a Kubernetes Secret: of secrets, and where `.meta({ reference: true })` says so. */
  readonly references: readonly string[];
  /** Whom the provider talks to, where this field says it: see Endpoint. */
  readonly endpoint?: Endpoint;
  /** Names something of the machine that dns01 runs on (a file, a profile): nobody else's configuration may. */
  readonly local?: true;
}

/**
 * What `.meta({ endpoint: … })` says of a field that decides where credentials are sent. A list: hosts of the service
 * itself, besides the field's default. "nameserver": spoken to by DNS, whose signatures never reveal their secret. Every
 * field of the format URL counts, marked or not.
 */
export type Endpoint = { readonly kind: "url"; readonly hosts: readonly string[] } | { readonly kind: "nameserver" };

/** The setting every provider has. */
export const ttlField = "ttl";

/** The settings of a provider, derived from its schema, `ttl` included. */
export function fieldsOf(provider: Pick<Provider, "id" | "config" | "traits">): readonly Field[] {
  const fields = derived.get(provider) ?? deriveFields(provider);
  derived.set(provider, fields);
  return fields;
}

/** Deriving them takes long, and a webhook asks for every challenge. */
const derived = new WeakMap<object, readonly Field[]>();

function deriveFields(provider: Pick<Provider, "id" | "config" | "traits">): readonly Field[] {
  const json = z.toJSONSchema(provider.config, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const required = new Set(json.required);
  const own = Object.entries(json.properties ?? {}).map(([name, property]) =>
    fieldOf(provider.id, name, property, required.has(name)),
  );
  const { min, default: usual, env } = provider.traits.ttlSeconds;
  const ttl = fieldOf(
    provider.id,
    ttlField,
    { type: "integer", default: usual, description: `seconds resolvers may keep the record, at least ${min}`, env },
    false,
  );
  return [...own.filter(({ name }) => name !== ttlField), ttl];
}

/** What of JSON Schema zod emits for a flat object of scalars, with the members that `.meta()` adds. */
interface JsonSchema {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
}

interface Property {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly secret?: unknown;
  readonly env?: unknown;
  readonly aliases?: unknown;
  readonly reference?: unknown;
  readonly format?: unknown;
  readonly endpoint?: unknown;
  readonly local?: unknown;
}

function fieldOf(id: string, name: string, property: Property, required: boolean): Field {
  const secret = property.secret === true;
  const aliases = strings(property.aliases);
  const { default: usual } = property;
  const scalar = typeof usual === "string" || typeof usual === "number" || typeof usual === "boolean";
  return {
    name,
    description: property.description ?? "",
    type: typeOf(property),
    secret,
    required,
    ...(scalar ? { default: usual } : {}),
    ...(property.enum === undefined ? {} : { choices: property.enum.map(String) }),
    env: [...new Set([...strings(property.env), `${screaming(id)}_${screaming(name)}`])],
    ...(secret ? {} : { flag: `--${kebab(id)}-${kebab(name)}` }),
    aliases,
    references:
      secret || property.reference === true
        ? [name, ...aliases].flatMap((key) => [`${key}SecretRef`, `${key}Ref`])
        : [],
    ...endpointOf(property),
    ...(property.local === true ? { local: true } : {}),
  };
}

function endpointOf({ endpoint, format }: Property): Pick<Field, "endpoint"> {
  if (endpoint === "nameserver") return { endpoint: { kind: "nameserver" } };
  const marked = endpoint === true || Array.isArray(endpoint);
  return marked || format === "uri" ? { endpoint: { kind: "url", hosts: strings(endpoint) } } : {};
}

function typeOf({ type }: Property): Field["type"] {
  return type === "number" || type === "integer" || type === "boolean" ? type : "string";
}

/** "hostedZoneID" → "HOSTED_ZONE_ID", "acme-dns" → "ACME_DNS". */
function screaming(name: string): string {
  return kebab(name).replaceAll("-", "_").toUpperCase();
}

/** "hostedZoneID" → "hosted-zone-id". */
function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .toLowerCase();
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
