/** Where something stands in a manifest: ["spec", "acme", "solvers", 0, …]. */
export type Path = readonly (string | number)[];

export type Json = Readonly<Record<string, unknown>>;

export interface Fault {
  readonly path: Path;
  readonly message: string;
  /** A "warning" works, but hardly as it is meant. */
  readonly level: "fault" | "warning";
}

export function fault(path: Path, message: string): Fault {
  return { path, message, level: "fault" };
}

/** What of an object that somebody else made can be looked into; empty when it is none. */
export function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** "spec.acme.solvers[0].dns01.webhook.config" */
export function pathText(path: Path): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");
}
