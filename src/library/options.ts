import { z } from "zod";
import { eabFaults } from "../acme/eab.ts";
import { keyTypes } from "../acme/key-types.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { requireVerification } from "../core/tls-verification.ts";

/*
 * What callers in JavaScript may get wrong, and TypeScript would have told. What the values mean (names, CAs, the
 * fields of a provider) is looked at where they are used.
 */

const text = z.string().min(1);
const texts = z.array(text);
const someTexts = texts.min(1, "is empty: name at least one");
const email = z.string().regex(/^[^\s@,:]+@[^\s@,]+$/, "is no mail address");
const eab = z.strictObject({ kid: text, hmacKey: text }).superRefine((given, context) => {
  for (const { key, message } of eabFaults(given))
    context.addIssue({ code: "invalid_format", format: "eab", path: [key], message });
});
const count = z.int().min(1);
const whatever = z.unknown().optional();
const fn = z.custom<unknown>((value) => typeof value === "function", "has to be a function");

const provider = z.custom<unknown>(
  (value) => (typeof value === "string" && value !== "") || isDefinition(value),
  "has to be the id of a provider, or what defineProvider answers",
);
const signal = z.custom<unknown>(
  (value) => value instanceof AbortSignal,
  "has to be an AbortSignal, as an AbortController has one",
);

const solver = z.strictObject({
  zones: texts.optional(),
  provider,
  config: z.record(z.string(), z.unknown()).optional(),
});

const engine = {
  solvers: z.array(solver).min(1, "is empty: name at least one provider"),
  stateDir: text,
  caRoot: text.optional(),
  // Looked at by network-options.ts.
  ...{ resolvers: whatever, dnsPort: whatever, propagation: whatever, propagationTimeoutMs: whatever },
  observer: fn.optional(),
  signal: signal.optional(),
};

const certificate = {
  domains: someTexts,
  name: text.optional(),
  email: email.optional(),
  eab: eab.optional(),
  keyType: z.enum(keyTypes).optional(),
  profile: text.optional(),
  preferredChain: text.optional(),
  reuseKey: z.boolean().optional(),
};

const schemas = {
  issue: z.strictObject({
    ...engine,
    ...certificate,
    ca: text.optional(),
    force: z.boolean().optional(),
    expand: z.boolean().optional(),
    replace: z.boolean().optional(),
    dryRun: z.boolean().optional(),
  }),
  renew: z.strictObject({
    ...engine,
    names: texts.optional(),
    force: z.boolean().optional(),
    dryRun: z.boolean().optional(),
    parallel: count.optional(),
    email: email.optional(),
  }),
  watch: z.strictObject({
    ...engine,
    certificates: z.array(z.strictObject({ ...certificate, cas: someTexts.optional() })),
    parallel: count.optional(),
    ordersPerSecond: z.number().positive("has to be more than 0").optional(),
    onEvent: fn.optional(),
  }),
} as const;

/** Options of one function are often those of another with something on top: these are no slips. */
const known: ReadonlySet<string> = new Set(Object.values(schemas).flatMap((schema) => Object.keys(schema.shape)));

/** As much of the options as is of the right type: entries of lists that are not, are undefined. */
export type Sound<T> = {
  readonly [K in keyof T]?: T[K] extends readonly (infer E)[] | undefined ? readonly (E | undefined)[] : T[K];
};

/** Every wrong type with its path, and what is left without it, so that its faults are told together with these. */
export function checkOptions<T extends object>(
  which: keyof typeof schemas,
  options: T,
): { readonly sound: Sound<T>; readonly issues: ConfigIssue[] } {
  const given: unknown = options;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError([{ path: which, message: `has to be called with options, and was with ${kindOf(given)}` }]);
  }
  requireVerification(process.env, "caRoot");
  const parsed = schemas[which].safeParse(options);
  const faults = parsed.success ? [] : parsed.error.issues.flatMap((issue) => faultsOf(issue, options));
  const sound = Object.entries(options).map(([key, value]: [string, unknown]) => [key, without(key, value, faults)]);
  return {
    sound: Object.fromEntries(sound) as Sound<T>,
    issues: faults.map(({ at, message }) => ({ path: pathText(at), message })),
  };
}

interface Fault {
  readonly at: readonly PropertyKey[];
  readonly message: string;
}

function faultsOf(issue: z.core.$ZodIssue, options: object): readonly Fault[] {
  const value = valueAt(options, issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys
      .filter((key) => issue.path.length > 0 || !known.has(key))
      .map((key) => {
        const near = nearest(key, known);
        return {
          at: [...issue.path, key],
          message: `is no option${near === undefined ? "" : `; did you mean ${near}?`}`,
        };
      });
  }
  return [{ at: issue.path, message: value === undefined ? "is missing" : messageOf(issue, value) }];
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `has to be ${wanted[issue.expected] ?? issue.expected}, and is ${kindOf(value)}`;
    case "invalid_value":
      return `has to be one of ${issue.values.join(", ")}${typeof value === "string" ? "" : `, and is ${kindOf(value)}`}`;
    case "too_small":
      return issue.origin === "string"
        ? "is empty"
        : /^is|^has/.test(issue.message)
          ? issue.message
          : `has to be at least ${issue.minimum}`;
    case "custom":
      return `${issue.message}, and is ${kindOf(value)}`;
    default:
      return issue.message;
  }
}

const wanted: Readonly<Record<string, string>> = {
  ...{ string: "a string", array: "an array", object: "an object", record: "an object" },
  ...{ boolean: "true or false", number: "a number", int: "a whole number" },
};

/** Never the value itself: it may be a secret. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return String(value);
  return { string: "a string", object: "an object", function: "a function" }[typeof value as string] ?? typeof value;
}

function isDefinition(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { id, config, connect } = value as Readonly<Record<string, unknown>>;
  return typeof id === "string" && typeof config === "object" && config !== null && typeof connect === "function";
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    root,
  );
}

/** Of a list, the entries without fault keep their place. */
function without(key: string, value: unknown, faults: readonly Fault[]): unknown {
  const own = faults.filter(({ at }) => at[0] === key);
  if (own.length === 0) return value;
  if (!Array.isArray(value) || own.some(({ at }) => at.length === 1)) return undefined;
  return value.map((entry: unknown, index) => (own.some(({ at }) => at[1] === index) ? undefined : entry));
}

/** "certificates[0].domains" */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : text === "" ? String(step) : `${text}.${String(step)}`,
    "",
  );
}
