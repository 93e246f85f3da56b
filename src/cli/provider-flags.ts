import { type Field, fieldsOf } from "../core/fields.ts";
import type { Provider } from "../core/provider.ts";
import type { Registry } from "../providers.ts";
import type { FlagSpec } from "./spec.ts";

/** The fields of the chosen provider as flags; none while it is not known which, or it does not exist. */
export async function providerFlagSpecs(id: string | undefined, registry: Registry): Promise<readonly FlagSpec[]> {
  const provider = id === undefined ? undefined : await registry.load(id).catch(() => undefined);
  return provider === undefined ? [] : flagSpecsOf(provider);
}

function flagSpecsOf(provider: Provider): readonly FlagSpec[] {
  return fieldsOf(provider).flatMap(flagSpec);
}

function flagSpec(field: Field): readonly FlagSpec[] {
  if (field.flag === undefined) return [];
  const name = field.flag.replace(/^--/, "");
  return [{ name, kind: "string", value: "VALUE", help: field.description }];
}
