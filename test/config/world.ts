import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providers } from "../../providers/index.ts";
import { readFlags } from "../../src/cli/args.ts";
import { withFile } from "../../src/cli/file-flags.ts";
import type { FlagSpec } from "../../src/cli/spec.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import type { Sources } from "../../src/config/settings.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { createRegistry } from "../../src/providers.ts";

const specs: readonly FlagSpec[] = [
  { name: "ca", kind: "string", default: "letsencrypt", help: "" },
  ...["email", "ca-root", "eab-kid", "key-type", "profile", "preferred-chain", "provider"].map(
    (name): FlagSpec => ({ name, kind: "string", help: "" }),
  ),
  { name: "eab-hmac-key", kind: "string", secretFile: true, help: "" },
  { name: "resolver", kind: "string", repeatable: true, help: "" },
  { name: "propagation-timeout", kind: "duration", default: "5m", help: "" },
  { name: "dns-port", kind: "integer", default: "53", help: "" },
  { name: "parallel", kind: "integer", default: "4", help: "" },
  { name: "allow-inline-secrets", kind: "boolean", help: "" },
];

export interface World extends Sources {
  readonly dir: string;
  readonly events: readonly Dns01Event[];
  readonly loaded: LoadedConfig;
}

/** A folder with dns01.yaml and other files, read as the commands read it. */
export async function openWorld(
  text: string,
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
    readonly files?: Readonly<Record<string, { readonly text: string; readonly mode?: number }>>;
  } = {},
): Promise<World> {
  const { env = {}, args = [], files = {} } = options;
  const dir = await mkdtemp(join(tmpdir(), "dns01-plan-"));
  await writeFile(join(dir, "dns01.yaml"), text);
  for (const [name, file] of Object.entries(files)) {
    await writeFile(join(dir, name), file.text, { mode: file.mode ?? 0o600 });
  }
  const loaded = await loadConfig(join(dir, "dns01.yaml"), env);
  const events: Dns01Event[] = [];
  return {
    dir,
    loaded,
    config: loaded,
    events,
    flags: withFile(readFlags(args, specs, env).flags, loaded),
    env,
    redactor: createRedactor(),
    registry: createRegistry(providers),
    observer: (event) => events.push(event),
  };
}

/** "3 solvers[0].zones: is empty" */
export function told(world: World, issues: readonly { readonly path: string; readonly message: string }[]) {
  const prefix = `${join(world.dir, "dns01.yaml")}:`;
  return issues.map(({ path, message }) => `${path.replaceAll(prefix, "")}: ${message.replaceAll(prefix, "")}`);
}
