import { readFile } from "node:fs/promises";
import { ConfigError } from "../../core/errors.ts";
import type { Provider } from "../../core/provider.ts";
import { type Field, fieldsOf } from "../../core/schema.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The provider's fields as dns01's own environment has them, for an Issuer that may use the credentials of the machine and
 * names none itself. Credentials of the two are never mixed.
 */
export async function ambientValues(
  provider: Provider,
  config: unknown,
  env: Environment,
): Promise<Readonly<Record<string, unknown>>> {
  const fields = fieldsOf(provider);
  if (namesCredentials(provider, config)) return {};
  const values: Record<string, unknown> = {};
  for (const field of fields) {
    const value = await textOf(field, env);
    if (value !== undefined) values[field.name] = typed(field, value);
  }
  return values;
}

/** Returns true if the Issuer's config names credentials of its own. */
export function namesCredentials(provider: Provider, config: unknown): boolean {
  const given = typeof config === "object" && config !== null ? Object.keys(config) : [];
  const names = fieldsOf(provider).flatMap((f) => [...f.references, ...(f.secret ? [f.name, ...f.aliases] : [])]);
  return given.some((key) => names.includes(key));
}

async function textOf({ env: names }: Field, env: Environment): Promise<string | undefined> {
  for (const name of names) {
    if (env[name]) return env[name];
    const file = env[`${name}_FILE`];
    if (!file) continue;
    try {
      return (await readFile(file, "utf8")).replace(/[\r\n]+$/, "");
    } catch {
      throw new ConfigError([{ path: `${name}_FILE`, message: "names a file that dns01 cannot read" }]);
    }
  }
  return undefined;
}

function typed({ type }: Field, text: string): unknown {
  if (type === "boolean" && /^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  if ((type === "number" || type === "integer") && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text;
}
