import { challengeName } from "../core/challenge.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { type DomainName, labelsOf, numericFault, parseIdentifier, parseName } from "../core/name.ts";
import type { CommandInput } from "./command.ts";

export interface TxtArguments {
  readonly fqdn: DomainName;
  readonly values: readonly string[];
  /** True when certbot called us as a hook. */
  readonly hook: boolean;
}

/** FQDN and VALUE from the command line, or from certbot's environment when there are none. */
export function readTxtArguments({ flags, io }: CommandInput): {
  readonly arguments: TxtArguments | undefined;
  readonly issues: readonly ConfigIssue[];
} {
  const [name, ...values] = flags.positionals;
  const hook = name === undefined;
  const domain = hook ? io.env["CERTBOT_DOMAIN"] : name;
  const given = hook ? [io.env["CERTBOT_VALIDATION"] ?? ""] : values;
  if (domain === undefined || given.length === 0 || given.includes("")) {
    const message = hook
      ? "give FQDN and VALUE, or run it as a certbot hook (CERTBOT_DOMAIN and CERTBOT_VALIDATION are not set)"
      : "VALUE is missing";
    return { arguments: undefined, issues: [{ path: "", message }] };
  }
  const issues: ConfigIssue[] = given
    .filter((v) => v.length > 4_000 || /[^\x20-\x7e]/.test(v))
    .map(() => ({ path: "VALUE", message: "must be printable ASCII of at most 4000 characters" }));
  try {
    const fqdn = hook ? challengeName(parseIdentifier(domain, "CERTBOT_DOMAIN").base) : parseName(domain, "FQDN");
    if (fqdn.includes("*"))
      issues.push({ path: "FQDN", message: `"${fqdn}" has a wildcard; a challenge name never has one` });
    const numeric = numericFault(labelsOf(fqdn));
    if (numeric !== undefined) issues.push({ path: "FQDN", message: `"${fqdn}" ${numeric}` });
    return { arguments: { fqdn, values: [...new Set(given)], hook }, issues };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { arguments: undefined, issues: [...issues, ...error.issues] };
  }
}
