/** One range of an Accept header (RFC 9110 §12.5.1), parameters with lower-case names. */
export interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The ranges of an Accept header, best first; what nobody wants (`q=0`) is left out. Without a header: anything. */
export function acceptedBy(header: string | undefined): readonly MediaRange[] {
  if (header === undefined || header.trim() === "") return [{ type: "*/*", parameters: new Map() }];
  return header
    .split(",")
    .map(readRange)
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
}

function readRange(text: string): MediaRange & { readonly weight: number } {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map(
    rest.map((part): [string, string] => {
      const at = part.indexOf("=");
      return at === -1 ? [part.toLowerCase(), ""] : [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()];
    }),
  );
  const weight = Number(parameters.get("q") ?? "1");
  return { type: type.toLowerCase(), parameters, weight: Number.isFinite(weight) ? weight : 0 };
}

/** Whether plain JSON is among what is accepted: a table or a discovery list of another form is not. */
export function acceptsJson(ranges: readonly MediaRange[]): boolean {
  return ranges.some(isPlainJson);
}

export function isPlainJson({ type, parameters }: MediaRange): boolean {
  return ["application/json", "application/*", "*/*"].includes(type) && !parameters.has("as");
}

/** Whether gzip is among the accepted encodings (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return acceptedBy(header).some(({ type }) => type === "gzip" || type === "*");
}
