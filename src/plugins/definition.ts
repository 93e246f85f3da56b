import { z } from "zod";
import type { ConfigIssue } from "../core/errors.ts";
import type { ConnectDeps, Provider } from "../core/provider.ts";
import { fieldsOf, ttlField } from "../core/schema.ts";
import { thrownText } from "../core/thrown.ts";

export type Checked =
  | { readonly provider: Provider; readonly faults: readonly [] }
  | {
      readonly provider: undefined;
      /** Paths are members of the definition: "config.token". */
      readonly faults: readonly ConfigIssue[];
      /** The id it claims, where that much can be read. */
      readonly id: string | undefined;
    };

const idForm = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const fieldForm = /^[a-z][A-Za-z0-9]*$/;
const envForm = /^[A-Z][A-Z0-9_]*$/;
const scalars = /^(string|number|integer|boolean)$/;

export function isProviderId(text: string): boolean {
  return idForm.test(text) && text.length <= 40;
}

/**
 * What a plugin exports by default as a provider that can be relied upon: a copy, with `plugin` set to its file. All
 * faults at once. Never throws, whatever was exported.
 */
export function checkDefinition(exported: unknown, file: string): Checked {
  try {
    return check(exported, file);
  } catch (error) {
    const fault = { path: "default", message: `cannot be read: ${thrownText(error)}` };
    return { provider: undefined, faults: [fault], id: undefined };
  }
}

function check(exported: unknown, file: string): Checked {
  if (typeof exported !== "object" || exported === null) {
    const what = exported === undefined ? "nothing" : exported === null ? "null" : `a ${typeof exported}`;
    const message = `is ${what}; export what defineProvider returns: export default defineProvider({ … })`;
    return { provider: undefined, faults: [{ path: "default", message }], id: undefined };
  }
  const given = exported as Readonly<Partial<Record<keyof Provider, unknown>>>;
  const faults: ConfigIssue[] = [];
  const fault = (path: string, message: string) => void faults.push({ path, message });
  const { id, title, docs, aliases, config, traits, classify, connect } = given;
  if (!isId(id)) fault("id", "has to be text of small letters, digits and single hyphens, at most 40");
  if (typeof title !== "string" || title.trim() === "") fault("title", "has to be text: the name of the service");
  if (docs !== undefined && typeof docs !== "string")
    fault("docs", "has to be text: the address of the API's documents");
  const others: unknown = aliases ?? [];
  if (!Array.isArray(others) || !others.every(isId)) fault("aliases", "has to be an array of ids");
  if (classify !== undefined && typeof classify !== "function") fault("classify", "has to be a function");
  if (typeof connect !== "function") fault("connect", "is missing: a function that returns a backend");
  faults.push(...traitFaults(traits));
  if (config instanceof z.ZodObject) faults.push(...schemaFaults(config, isId(id) ? id : "plugin"));
  else fault("config", 'has to be an object of zod as "dns01" exports it: z.strictObject({ … })');
  if (faults.length > 0) return { provider: undefined, faults, id: isId(id) ? id : undefined };
  return { provider: copyOf(exported as Provider, file), faults: [] };
}

/** By member, so that a definition may be an instance of a class, and later changes to it change nothing. */
function copyOf(given: Provider, file: string): Provider {
  return Object.freeze({
    id: given.id,
    title: given.title,
    ...(given.docs === undefined ? {} : { docs: given.docs }),
    aliases: [...(given.aliases ?? [])],
    config: given.config,
    traits: given.traits,
    plugin: file,
    ...(given.classify === undefined ? {} : { classify: (cause: unknown) => given.classify?.(cause) }),
    connect: (config: Record<string, unknown>, deps: ConnectDeps) => given.connect(config, deps),
  });
}

function isId(id: unknown): id is string {
  return typeof id === "string" && isProviderId(id);
}

const positive = z.number().positive();
const traitsSchema = z.object({
  ttlSeconds: z.object({
    min: z.number().int().min(0),
    default: z.number().int().min(0),
    env: z.array(z.string()).optional(),
  }),
  rate: z.object({ requests: positive, perMs: positive }).optional(),
  propagation: z
    .object({ timeoutMs: positive, intervalMs: positive, settleMs: z.number().min(0).optional() })
    .optional(),
  noZonesHint: z.string().optional(),
  lock: z.enum(["name", "zone"]).optional(),
});

function traitFaults(traits: unknown): readonly ConfigIssue[] {
  const parsed = traitsSchema.safeParse(traits);
  if (!parsed.success) {
    return parsed.error.issues.map(({ path, message }) => ({
      path: ["traits", ...path].map(String).join("."),
      message,
    }));
  }
  const { min, default: usual } = parsed.data.ttlSeconds;
  return usual >= min ? [] : [{ path: "traits.ttlSeconds.default", message: `is ${usual}, below the minimum ${min}` }];
}

/** A flat object of described scalars: only that can be given by flags, environment and Issuers alike. */
function schemaFaults(config: z.ZodObject, id: string): readonly ConfigIssue[] {
  const faults: ConfigIssue[] = [];
  const fault = (name: string, message: string) => void faults.push({ path: `config.${name}`, message });
  const names = Object.keys(config.shape);
  const { properties = {} } = z.toJSONSchema(config, { io: "input", unrepresentable: "any" });
  for (const name of names) {
    const property = properties[name];
    const type = typeof property === "object" ? property.type : undefined;
    if (!fieldForm.test(name)) fault(name, "is no name for a field: letters and digits, a small letter first");
    if (name === ttlField) fault(name, "belongs to dns01, which adds it to every provider; use call.ttlSeconds");
    if (type === undefined || !scalars.test(String(type))) {
      fault(
        name,
        "has to be text, a number or a boolean: objects, lists and unions cannot be given by flag or environment",
      );
    }
  }
  if (faults.length > 0) return faults;
  const fields = fieldsOf({ id, config, traits: { ttlSeconds: { min: 0, default: 0 } } }).filter(
    (f) => f.name !== ttlField,
  );
  const owners = new Map<string, string>();
  for (const { name, description, env, aliases } of fields) {
    if (description.trim() === "") fault(name, 'has no description: .describe("what it is") or secret("what it is")');
    for (const key of [name, ...aliases, ...env]) {
      const owner = owners.get(key);
      if (owner !== undefined && owner !== name) fault(name, `shares the name ${key} with ${owner}`);
      owners.set(key, name);
    }
    for (const wrong of env.filter((e) => !envForm.test(e)))
      fault(name, `"${wrong}" is no name for an environment variable`);
  }
  return faults;
}
