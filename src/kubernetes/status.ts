import { KubernetesError } from "./error.ts";

/** What a Status object of the API server says; of anything else what can be said about it. */
export function failure(what: string, status: number, body: string): KubernetesError {
  const said = parse(body);
  const message = textOf(said, "message") ?? nonStatus(body);
  const reason = textOf(said, "reason");
  const told =
    message === undefined ? `HTTP ${status}` : `${message} (${status}${reason === undefined ? "" : ` ${reason}`})`;
  return new KubernetesError(`${what}: ${told}`, { status, ...(reason === undefined ? {} : { reason }) });
}

export function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** A member of something that came over the wire. */
export function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

export function textOf(value: unknown, name: string): string | undefined {
  const text = member(value, name);
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** A proxy in between answers with a page; its first words are worth more than nothing. */
function nonStatus(body: string): string | undefined {
  const text = body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return text === "" ? undefined : text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
