import type { Observer } from "../core/events.ts";
import type { Warning } from "../dns/types.ts";
import { keepWarnings } from "../issuer/kept-warnings.ts";
import { namedObserver } from "./named-observer.ts";

/** What was warned of during a renewal. */
export interface RenewWarnings {
  readonly observerFor: (name: string) => Observer;
  readonly of: (name: string) => readonly Warning[];
  /** Those of no single certificate: of files, plugins, earlier runs. */
  readonly others: () => readonly Warning[];
}

/** Hears for each of these certificates what it is warned of; `all` are those of the whole run. */
export function createRenewWarnings(
  names: readonly string[],
  observer: Observer,
  all: () => readonly Warning[],
): RenewWarnings {
  const prefix = (name: string) => (names.length > 1 ? `${name}: ` : "");
  const of = new Map(
    names.map((name) => [name, keepWarnings(names.length > 1 ? namedObserver(observer, name) : observer)]),
  );
  return {
    observerFor: (name) => of.get(name)?.observer ?? observer,
    of: (name) => of.get(name)?.warnings() ?? [],
    others() {
      const own = new Set([...of].flatMap(([name, kept]) => kept.warnings().map((w) => prefix(name) + w.text)));
      return all().filter(({ text }) => !own.has(text));
    },
  };
}
