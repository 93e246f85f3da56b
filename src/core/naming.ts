import type { Field } from "./schema.ts";

/**
 * Rewrites a provider's hints for this user. A hint is written for all of them and names a field by its documented
 * variable; the result names the variable, flag or place in a file that the value came from. `unset` says where a field
 * without a value would be given, where no variable is read.
 */
export function createNaming(
  fields: readonly Field[],
  origins: Readonly<Record<string, string>>,
  unset?: (field: string) => string,
): (text: string) => string {
  const places = new Map(
    fields.flatMap(({ name, env }) => {
      const place = origins[name] ?? unset?.(name);
      return place === undefined ? [] : env.map((variable): [string, string] => [variable, place]);
    }),
  );
  return (text) =>
    text
      .replaceAll(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g, (variable) => places.get(variable) ?? variable)
      // "zoneID (CLOUDFLARE_ZONE_ID)" where the place is the field itself.
      .replaceAll(/\b([\w-]+) \(\1\)/g, "$1");
}
