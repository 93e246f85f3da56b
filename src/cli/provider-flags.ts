import { type Field, fieldsOf } from "../core/fields.ts";
import { loadProvider } from "../providers.ts";
import type { FlagSpec } from "./spec.ts";

/** The fields of the chosen provider as flags; none while it is not known which, or it does not exist. */
export async function providerFlagSpecs(id: string | undefined): Promise<readonly FlagSpec[]> {
  const provider = id === undefined ? undefined : await loadProvider(id).catch(() => undefined);
  return provider === undefined ? [] : fieldsOf(provider).flatMap(flagSpec);
}

function flagSpec(field: Field): readonly FlagSpec[] {
  if (field.flag === undefined) return [];
  const name = field.flag.replace(/^--/, "");
  return [{ name, kind: "string", value: "VALUE", help: field.description }];
}
