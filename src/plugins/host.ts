import * as loader from "node:module";
import { createResolve, entrySpecifier, type Lead } from "./resolve.ts";

export type Namespace = Readonly<Record<string, unknown>>;

/** Imports plugins into this process. */
export interface PluginHost {
  /**
   * Imports a module as `parent` (a file: address) would; "dns01" and "dns01/testing" lead to the running copy in it
   * and in what it imports. Rejects with what the module throws.
   */
  import(specifier: string, parent: string): Promise<Namespace>;
  /** Returns the address that `import` would load, without loading it; throws where there is none. */
  resolve(specifier: string, parent: string): string;
}

/**
 * `home` is the folder of the running copy, `dist/` or `src/`, as a file: address. Node's loader is touched only when
 * the first plugin is imported.
 */
export function createPluginHost(home: URL): PluginHost {
  let hooked = false;
  const entryOf = (specifier: string, parent: string) => {
    if (!hooked) hook(home);
    hooked = true;
    return entrySpecifier(specifier, parent);
  };
  return {
    async import(specifier, parent) {
      const imported: unknown = await import(entryOf(specifier, parent));
      return imported as Namespace;
    },
    resolve: (specifier, parent) => import.meta.resolve(entryOf(specifier, parent)),
  };
}

function hook(home: URL): void {
  const isSource = home.pathname.endsWith("/src/");
  const at = (built: string, source: string) => new URL(isSource ? source : built, home);
  const lead: Lead = {
    dns01: at("library.js", "library.ts").href,
    testing: at("testing.js", "testing/index.ts").href,
  };
  // Newer than Node 20, where it is missing; Node 26 warns of `register`.
  const { registerHooks } = loader as { readonly registerHooks?: (hooks: { readonly resolve: unknown }) => unknown };
  if (registerHooks !== undefined) {
    registerHooks({ resolve: createResolve(lead) });
    return;
  }
  const entry = at("plugin-hook.js", "plugins/hook.ts");
  entry.search = new URLSearchParams({ ...lead }).toString();
  loader.register(entry);
}
