import type { ResolveFnOutput, ResolveHookContext } from "node:module";

/** What a plugin may import without having it installed: addresses of the running copy's own modules. */
export interface Lead {
  readonly dns01: string;
  readonly testing: string;
}

/** How the program asks for a plugin, see entrySpecifier. */
interface Entry {
  readonly specifier: string;
  readonly parent: string;
}

const scheme = "dns01-plugin:";

/** A specifier that the hook takes for a plugin: `specifier` as it would be imported by the module `parent`. */
export function entrySpecifier(specifier: string, parent: string): string {
  return scheme + encodeURIComponent(JSON.stringify({ specifier, parent } satisfies Entry));
}

type Resolved = ResolveFnOutput | Promise<ResolveFnOutput>;
type Next = (specifier: string, context?: ResolveHookContext) => Resolved;

/**
 * A resolve hook for Node's loader. Modules asked for by entrySpecifier, and what those import, are plugins; in them
 * "dns01" and "dns01/testing" lead to the running copy. All other imports are left alone. Works within the loader's
 * thread (asynchronous) and within the program's own (synchronous).
 */
export function createResolve(lead: Lead) {
  const led: ReadonlyMap<string, string> = new Map([
    ["dns01", lead.dns01],
    ["dns01/testing", lead.testing],
  ]);
  const ofPlugins = new Set<string>();
  const note = (resolved: ResolveFnOutput): ResolveFnOutput => {
    if (resolved.url.startsWith("file:")) ofPlugins.add(resolved.url);
    return resolved;
  };

  return (specifier: string, context: ResolveHookContext, next: Next): Resolved => {
    if (specifier.startsWith(scheme)) {
      const entry = JSON.parse(decodeURIComponent(specifier.slice(scheme.length))) as Entry;
      const asked = next(entry.specifier, { ...context, parentURL: entry.parent });
      return then(asked, (resolved) => note({ ...resolved, format: formatOf(entry, resolved), shortCircuit: true }));
    }
    if (context.parentURL === undefined || !ofPlugins.has(context.parentURL)) return next(specifier, context);
    const url = led.get(specifier);
    if (url !== undefined) return { url, format: "module", shortCircuit: true };
    return then(next(specifier, context), note);
  };
}

/** A file named by its path is a module of its own, whatever package.json lies about: mounted files have none. */
function formatOf({ specifier }: Entry, { url, format }: ResolveFnOutput): ResolveFnOutput["format"] {
  const undecided = (format ?? "") === "" && specifier.startsWith("file:") && url.endsWith(".js");
  return undecided ? "module" : format;
}

function then(resolved: Resolved, step: (resolved: ResolveFnOutput) => ResolveFnOutput): Resolved {
  return resolved instanceof Promise ? resolved.then(step) : step(resolved);
}
