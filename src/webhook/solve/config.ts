import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import { roomAfter } from "../../core/extent.ts";
import { nearest } from "../../core/nearest.ts";
import type { Provider } from "../../core/provider.ts";
import { ruleIssues } from "../../core/rules.ts";
import { type Field, fieldsOf, ttlField } from "../../core/schema.ts";
import { type EndpointRules, endpointFault } from "./endpoints.ts";
import { notAField } from "./fault-list.ts";
import { inIssuerWords, wayOf } from "./issuer-words.ts";

/** A field whose value stands in a Kubernetes Secret. */
export interface SecretReference {
  /** The provider's field. */
  readonly field: string;
  /** Where it stands: "config.secretKeySecretRef". */
  readonly path: string;
  readonly name: string;
  readonly key: string;
}

/** What an Issuer's author wrote, checked as far as it can be without reading Secrets. */
export interface IssuerConfig {
  /** By field name; what is not written here has its default. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly references: readonly SecretReference[];
  readonly ttlSeconds: number | undefined;
  /** Whether Present shall wait for the nameservers; undefined when the Issuer leaves it to the operator. */
  readonly gate: boolean | undefined;
  /** Per field that was given, where: "config.endpoint". */
  readonly places: Readonly<Record<string, string>>;
}

/** A setting of the webhook itself, beside the provider's fields. */
const gateField = "propagation";

/**
 * Reads the `config` of an Issuer's webhook solver: the provider's fields, secrets as references into a Secret. It is
 * untrusted: no literal secret, nothing of this machine, no address that was not allowed. Throws one ConfigError with
 * every fault and its path, sorted, so that it does not depend on the order of keys. `ambient` are fields of dns01's own
 * environment, which stand back behind what is written.
 */
export function readIssuerConfig(
  provider: Provider,
  config: unknown,
  rules: EndpointRules,
  ambient: Readonly<Record<string, unknown>> = {},
): IssuerConfig {
  const issues: ConfigIssue[] = [];
  const given = isObject(config) ? config : {};
  if (config !== undefined && config !== null && !isObject(config)) {
    const what = Array.isArray(config) ? "a list" : `a ${typeof config}`;
    throw faults(provider, [
      { path: "config", message: `is ${what}; it has to be an object with the provider's fields` },
    ]);
  }
  const size = sizeFault(config);
  if (size !== undefined) throw faults(provider, [size]);
  const fields = fieldsOf(provider);
  const values: Record<string, unknown> = { ...ambient };
  const places: Record<string, string> = {};
  const references: SecretReference[] = [];
  const broken = new Set<string>();
  const gate = readGate(fields, given, issues);

  for (const key of Object.keys(given).sort()) {
    if (given[key] === undefined || given[key] === null || (key === gateField && !isField(fields, key))) continue;
    const path = `config.${key}`;
    const field = fields.find((f) => [f.name, ...f.aliases, ...f.references].includes(key));
    if (field === undefined) {
      issues.push({ path, message: unknownKey(key, fields) });
      continue;
    }
    const before = places[field.name];
    if (before !== undefined) {
      issues.push({ path, message: `means the same as ${before.replace(/^config\./, "")}: give one of them` });
      continue;
    }
    places[field.name] = path;
    const isReference = field.references.includes(key);
    const fault = isReference ? referenceFault(given[key]) : valueFault(field, given[key], rules);
    if (fault !== undefined) {
      issues.push({ path, message: fault });
      broken.add(field.name);
    } else if (isReference) {
      const { name, key: entry } = given[key] as { readonly name: string; readonly key: string };
      references.push({ field: field.name, path, name, key: entry });
    } else values[field.name] = given[key];
  }

  const ttlSeconds = broken.has(ttlField) ? undefined : readTtl(values[ttlField], provider, places, issues);
  delete values[ttlField];
  const standIns = Object.fromEntries(references.map(({ field }) => [field, standIn]));
  const unread = new Set([...references.map(({ field }) => field), ...broken]);
  const input = { ...values, ...standIns, ...Object.fromEntries([...broken].map((name) => [name, standIn])) };
  issues.push(...schemaFaults(provider, fields, input, places, unread));
  if (issues.length > 0) throw faults(provider, issues);
  return { values, references, ttlSeconds, gate, places };
}

/** Many times what any provider's fields need. */
const mostKeys = 100;
const mostCharacters = 65_536;

/**
 * Of a configuration that is far too large, which is told as one fault: an Issuer may hold a megabyte, and looking at
 * each of a hundred thousand keys would keep every other call waiting, discovery too.
 */
export function sizeFault(config: unknown): ConfigIssue | undefined {
  if (isObject(config)) {
    const count = Object.keys(config).length;
    if (count > mostKeys) return { path: "config", message: `has ${count} keys; no provider has that many fields` };
  }
  if (roomAfter(config, mostCharacters) >= 0) return undefined;
  return { path: "config", message: `is longer than ${mostCharacters} characters` };
}

/** The whole configuration, once the Secrets are read. Throws ConfigError for what only their values could show. */
export function completeConfig(
  provider: Provider,
  issuer: IssuerConfig,
  secrets: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const input = { ...issuer.values, ...secrets };
  const parsed = provider.config.safeParse(input);
  if (parsed.success) return parsed.data;
  const places = { ...issuer.places };
  for (const { field, path, name, key } of issuer.references) places[field] = `${path} (key ${key} of Secret ${name})`;
  throw faults(provider, schemaFaults(provider, fieldsOf(provider), input, places, new Set()));
}

/** In the place of a value that is not known yet; what the schema says of it alone is not listened to. */
const standIn = "unread";

/** What is missing or does not go together can be said without the values. */
const aboutPresence = /\b(missing|given|give one|needs)\b/i;

function schemaFaults(
  provider: Provider,
  fields: readonly Field[],
  input: Readonly<Record<string, unknown>>,
  places: Readonly<Record<string, string>>,
  unread: ReadonlySet<string>,
): readonly ConfigIssue[] {
  const parsed = provider.config.safeParse(input);
  if (parsed.success) return [];
  const found = [...parsed.error.issues, ...ruleIssues(provider.config, input, parsed.error)];
  return found.flatMap((issue) => {
    const name = String(issue.path[0] ?? "");
    const field = fields.find((f) => f.name === name);
    if (unread.has(name) && !aboutPresence.test(issue.message)) return [];
    const place = places[name];
    if (field === undefined)
      return [{ path: name === "" ? "config" : `config.${name}`, message: lower(issue.message) }];
    if (place !== undefined) return [{ path: place, message: lower(issue.message) }];
    return [{ path: `config.${wayOf(field)}`, message: missing(field, issue.message) }];
  });
}

function missing(field: Field, message: string): string {
  const byRule = /^is missing\b/i.test(message);
  if (!field.required && !byRule) return lower(message);
  return `${byRule ? lower(message) : `is missing (${field.description})`}${field.secret ? "; a reference { name, key } into a Secret" : ""}`;
}

function unknownKey(key: string, fields: readonly Field[]): string {
  const known = fields.flatMap((f) => [...(f.secret ? [] : [f.name, ...f.aliases]), ...f.references]);
  // Who writes a secret's bare name with a slip means the field, and has to be told the reference.
  const near = nearest(key, [
    ...known,
    gateField,
    ...fields.filter((f) => f.secret).flatMap((f) => [f.name, ...f.aliases]),
  ]);
  const meant = fields.find((f) => f.secret && near !== undefined && [f.name, ...f.aliases].includes(near));
  const name = meant === undefined ? near : wayOf(meant);
  return `${notAField}; ${name === undefined ? `known are ${fields.map(wayOf).join(", ")}` : `did you mean ${name}?`}`;
}

function valueFault(field: Field, value: unknown, rules: EndpointRules): string | undefined {
  if (field.secret) {
    return `is a secret, and an Issuer is read by many: put it into a Secret and refer to it as ${wayOf(field)}: { name, key }`;
  }
  if (field.local === true) return "names something of the machine that dns01 runs on, which an Issuer may not choose";
  if (typeof value === "object") return "has to be a plain value";
  return endpointFault(field, value, rules);
}

function referenceFault(value: unknown): string | undefined {
  const shape = "has to be { name, key }: the name of a Secret and one of its keys";
  if (!isObject(value)) return shape;
  const { name, key, ...rest } = value;
  if ("namespace" in rest)
    return "may not name a namespace: an Issuer's Secrets are read from its own, a ClusterIssuer's from cert-manager's";
  const [extra] = Object.keys(rest).sort();
  if (extra !== undefined) return `has the key ${extra}; it ${shape}`;
  if (typeof name !== "string" || typeof key !== "string" || name === "" || key === "") return shape;
  if (name.length > 253 || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) || name.includes(".."))
    return `"${name.slice(0, 60)}" cannot be the name of a Secret`;
  return /^[-._a-zA-Z0-9]{1,253}$/.test(key) && !/^\.\.?$/.test(key)
    ? undefined
    : `"${key.slice(0, 60)}" cannot be a key of a Secret`;
}

function readGate(
  fields: readonly Field[],
  given: Readonly<Record<string, unknown>>,
  issues: ConfigIssue[],
): boolean | undefined {
  const value = given[gateField];
  if (value === undefined || value === null || isField(fields, gateField)) return undefined;
  if (value === "gate") return true;
  if (value === "none") return false;
  issues.push({ path: `config.${gateField}`, message: "has to be gate (wait for the nameservers) or none" });
  return undefined;
}

/** As everywhere: too low is raised to the service's minimum, and 0 is left to those that take it. */
function readTtl(
  value: unknown,
  { traits }: Provider,
  places: Readonly<Record<string, string>>,
  issues: ConfigIssue[],
): number | undefined {
  if (value === undefined) return undefined;
  const least = Math.min(1, traits.ttlSeconds.min);
  // RFC 2181 §8: 31 bits.
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value < 2 ** 31) return value;
  const path = places[ttlField] ?? `config.${ttlField}`;
  issues.push({ path, message: `has to be a whole number of seconds, at least ${least} (without a unit)` });
  return undefined;
}

function isField(fields: readonly Field[], key: string): boolean {
  return fields.some((f) => f.name === key || f.aliases.includes(key));
}

function faults(provider: Provider, issues: readonly ConfigIssue[]): ConfigError {
  const sorted = [...new Map(issues.map((issue) => [`${issue.path}\n${issue.message}`, issue])).entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { path, message }]) => ({ path, message: inIssuerWords(provider, message) }));
  return new ConfigError(sorted, { provider: provider.id });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
