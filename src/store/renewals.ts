import { join } from "node:path";
import type { Observer } from "../core/events.ts";
import type { RenewalState, RenewalStore } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";
import { encodeFileName } from "./file-name.ts";

const kind: DocumentKind = {
  title: "what is known of the next renewal",
  current: 1,
  remedy: "Remove the file: the CA is asked again.",
};

const instants = ["plannedAt", "checkedAt", "checkAt"] as const;

/** `certificates/NAME/renewal.json`: the CA's window and the instant chosen in it, when to ask again, the last error. */
export function openRenewals(disk: Disk, observer: Observer): RenewalStore {
  const pathOf = (name: string) => join(disk.root, "certificates", encodeFileName(name), "renewal.json");
  return {
    async load(name) {
      const path = pathOf(name);
      const text = await disk.read(path);
      if (text === undefined) return undefined;
      try {
        const document = parseDocument(text, path, kind);
        membersOf(document, path, kind).text("serial");
        return stateOf(document);
      } catch (error) {
        // Nothing in it is needed: it must not stand in the way of a renewal, and is written anew by the next one.
        const said = error instanceof Error ? error.message : String(error);
        observer({ type: "log", level: "warn", text: `${said}; going on as if there were none` });
        return undefined;
      }
    },
    save: (name, state) => disk.write(pathOf(name), formatDocument({ ...textOf(state), schema: 1 })),
  };
}

/** In the file times are RFC 3339, for people. */
function textOf(state: RenewalState): Readonly<Record<string, unknown>> {
  const { window } = state;
  const times = Object.fromEntries(
    instants.flatMap((key) => (state[key] === undefined ? [] : [[key, new Date(state[key]).toISOString()]])),
  );
  return {
    ...state,
    ...times,
    ...(window === undefined ? {} : { window: { ...window, at: new Date(window.at).toISOString() } }),
  };
}

/** One that cannot be read, where the file was edited, is as good as none. */
function stateOf({ schema: _, window, ...rest }: Readonly<Record<string, unknown>>): RenewalState {
  const read = Object.entries(rest).flatMap(([key, value]): [string, unknown][] => {
    if (!instants.some((one) => one === key)) return [[key, value]];
    const at = instantOf(value);
    return at === undefined ? [] : [[key, at]];
  });
  const known = windowOf(window);
  return { ...Object.fromEntries(read), ...(known === undefined ? {} : { window: known }) } as unknown as RenewalState;
}

function windowOf(value: unknown): RenewalState["window"] {
  if (typeof value !== "object" || value === null) return undefined;
  const { start, end, at: text, ...more } = value as Readonly<Record<string, unknown>>;
  const at = instantOf(text);
  if (at === undefined || instantOf(start) === undefined || instantOf(end) === undefined) return undefined;
  return { ...more, start: String(start), end: String(end), at };
}

function instantOf(value: unknown): number | undefined {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
