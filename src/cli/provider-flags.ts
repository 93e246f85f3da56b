import { type Field, fieldsOf } from "../core/fields.ts";
import type { Registry } from "../providers.ts";
import type { FlagSpec } from "./spec.ts";

/** The chosen provider's fields on the command line; nothing while it is not known which, or it does not exist. */
export interface ProviderFlags {
  /** Its id. */
  readonly provider: string;
  readonly fields: readonly Field[];
  readonly specs: readonly FlagSpec[];
  /** What the flag of a secret would be called, and the environment name that takes its place. */
  readonly secrets: ReadonlyMap<string, string>;
}

export const noProviderFlags: ProviderFlags = { provider: "", fields: [], specs: [], secrets: new Map() };

export async function readProviderFlags(id: string | undefined, registry: Registry): Promise<ProviderFlags> {
  const provider = id === undefined ? undefined : await registry.load(id).catch(() => undefined);
  if (provider === undefined) return noProviderFlags;
  const fields = fieldsOf(provider);
  return {
    provider: provider.id,
    fields,
    specs: fields.flatMap(flagSpec),
    secrets: new Map(
      fields.filter((f) => f.secret).map((f) => [`${provider.id}-${kebab(f.name)}`, f.env[0] ?? f.name]),
    ),
  };
}

function kebab(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
}

function flagSpec(field: Field): readonly FlagSpec[] {
  if (field.flag === undefined) return [];
  const name = field.flag.replace(/^--/, "");
  return [{ name, kind: "string", value: "VALUE", help: field.description }];
}
