import type { Observer } from "../core/events.ts";
import type { Warning } from "../dns/types.ts";

export interface KeptWarnings {
  /** Passes every event on. */
  readonly observer: Observer;
  /** Each warning so far, once. */
  warnings(): readonly Warning[];
}

/** Keeps what is warned of on the way: a result names all of it, whoever it was that warned. */
export function keepWarnings(observer: Observer): KeptWarnings {
  const kept: Warning[] = [];
  return {
    observer(event) {
      if (event.type === "warning") {
        const { code, text, server } = event;
        kept.push({ code, text, ...(server === undefined ? {} : { server }) });
      }
      observer(event);
    },
    warnings: () => uniqueWarnings(kept),
  };
}

export function uniqueWarnings(warnings: readonly Warning[]): Warning[] {
  return [...new Map(warnings.map((w) => [`${w.code}|${w.server ?? ""}|${w.text}`, w])).values()];
}
