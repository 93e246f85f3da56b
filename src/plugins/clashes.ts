import type { ConfigIssue } from "../core/errors.ts";
import type { Provider } from "../core/provider.ts";
import type { LoadedPlugin } from "./load.ts";

export interface SortedOut {
  readonly plugins: readonly Provider[];
  readonly leftOut: {
    readonly faults: readonly ConfigIssue[];
    readonly refused: ReadonlyMap<string, readonly ConfigIssue[]>;
  };
}

/**
 * The plugins that can be used beside the providers that come with dns01. Of two that claim one id or alias the later is
 * left out, and what they both claim is refused to everybody: a certificate must not be written through the other one.
 */
export function sortOut(loaded: readonly LoadedPlugin[], builtIn: readonly Provider[]): SortedOut {
  const owners = new Map<string, string>();
  for (const provider of builtIn) {
    for (const name of namesOf(provider)) owners.set(name, `the provider ${provider.id} of dns01`);
  }
  const plugins: Provider[] = [];
  const faults: ConfigIssue[] = [];
  const refused = new Map<string, readonly ConfigIssue[]>();
  const seen = new Set<string>();
  for (const plugin of loaded) {
    if (plugin.provider === undefined) {
      faults.push(...plugin.issues);
      if (plugin.id !== undefined) refused.set(plugin.id, plugin.issues);
      continue;
    }
    const { provider, ref, file, identity } = plugin;
    // Named twice, by a flag and by the configuration file for example.
    if (seen.has(identity)) continue;
    seen.add(identity);
    const clashes = namesOf(provider).flatMap((name) => {
      const owner = owners.get(name);
      const what = name === provider.id ? "id" : "alias";
      const message = `provider ${provider.id}: its ${what} ${name} belongs to ${owner}; give it another`;
      return owner === undefined ? [] : [{ name, issue: { path: `${ref.from} ${file}`, message } }];
    });
    if (clashes.length === 0) {
      for (const name of namesOf(provider)) owners.set(name, `the plugin ${file}`);
      plugins.push(provider);
    }
    faults.push(...clashes.map(({ issue }) => issue));
    for (const { name, issue } of clashes) refused.set(name, [issue]);
  }
  return { plugins, leftOut: { faults, refused } };
}

function namesOf({ id, aliases = [] }: Provider): readonly string[] {
  return [...new Set([id, ...aliases])];
}
