import { fieldsOf } from "../core/fields.ts";
import { nearest } from "../core/nearest.ts";
import type { Registry } from "../providers.ts";
import { environmentName } from "./args.ts";
import { commands, globalFlags } from "./spec.ts";

const prefix = "DNS01_";

/** What `--deploy-hook` commands and what runs in a sandbox are given, and what this project's tests set. */
const ofOurs = /^DNS01_(NAME|DOMAINS|DIR|CERT|CHAIN|FULLCHAIN|PRIVKEY|PFX|SANDBOX|HTTP_PORT|TEST_\w+)$/;

/** Kubernetes describes a Service "dns01…" to each pod of its namespace: DNS01_PORT, DNS01_WEBHOOK_SERVICE_HOST. */
const ofKubernetes = /^DNS01_(\w+_)?(SERVICE_(HOST|PORT)|PORT$|PORT_\d+_(TCP|UDP))/;

/**
 * Returns a sentence for each DNS01_ variable that no command reads, with the nearest one that is read. `mentioned` says
 * whether the configuration file refers to a variable of this name.
 */
export async function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  registry: Registry,
  mentioned: (name: string) => boolean,
): Promise<readonly string[]> {
  const flags = [...globalFlags, ...commands.flatMap((c) => c.flags)];
  const known = new Set(flags.flatMap((f) => namesOf(environmentName(f.name), f.secretFile)));
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith(prefix) && !known.has(name) && !ofOurs.test(name) && !ofKubernetes.test(name),
  );
  if (unknown.length === 0) return [];
  // Loading all providers takes a while: only for a name that is not a command's.
  const fields = (await registry.all()).flatMap(fieldsOf);
  for (const { env: names, flag } of fields) {
    for (const name of names) for (const one of namesOf(name, true)) known.add(one);
    if (flag !== undefined) known.add(environmentName(flag.slice(2)));
  }
  const bare = [...known].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return unknown
    .filter((name) => !known.has(name) && !mentioned(name))
    .map((name) => {
      const near = nearest(name.slice(prefix.length), bare);
      return `${name} is set, but no command reads it${near === undefined ? "" : `; did you mean ${prefix}${near}?`}`;
    });
}

function namesOf(name: string, isSecret: boolean | undefined): readonly string[] {
  return isSecret === true ? [name, `${name}_FILE`] : [name];
}
