import { environmentName, type Flags } from "./args.ts";
import type { FlagSpec } from "./spec.ts";

/** Every value and where it comes from; secrets are never flags, so what is here may be shown. */
export function showConfig(flags: Flags, specs: readonly FlagSpec[]): string {
  const rows = specs
    .filter((s) => s.name !== "help" && s.name !== "show-config")
    .map((s) => {
      const given = flags.given.get(s.name);
      const value = s.secretFile === true && given !== undefined ? "(file)" : (given?.values.join(",") ?? "");
      return [s.name, value, given?.source ?? `unset (--${s.name}, ${environmentName(s.name)})`] as const;
    });
  const width = (i: 0 | 1) => Math.min(48, Math.max(...rows.map((r) => r[i].length)));
  return `${rows.map((r) => `${r[0].padEnd(width(0))}  ${r[1].padEnd(width(1))}  ${r[2]}`.trimEnd()).join("\n")}\n`;
}
