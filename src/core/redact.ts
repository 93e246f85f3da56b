/** Masks secrets wherever text leaves the program. */
export interface Redactor {
  /** From now on this value is masked. Too short to be a secret (under four characters): ignored. */
  add(secret: string): void;
  redact(text: string): string;
}

const mask = "***";
const minLength = 4;

/**
 * Knows each secret in the forms it takes on the way: as it is, base64 and base64url at each of the three offsets (Basic
 * authentication puts a user name in front), hexadecimal, URL-encoded, JSON-escaped; a base64 secret also decoded.
 */
export function createRedactor(): Redactor {
  const forms = new Set<string>();
  let longestFirst: readonly string[] = [];
  return {
    add(secret) {
      const before = forms.size;
      for (const form of formsOf(secret)) forms.add(form);
      if (forms.size !== before) longestFirst = [...forms].sort((a, b) => b.length - a.length);
    },
    redact: (text) => longestFirst.reduce((masked, form) => masked.replaceAll(form, mask), text),
  };
}

function formsOf(secret: string): readonly string[] {
  const bare = secret.trim();
  if (bare.length < minLength) return [];
  const lines = bare.includes("\n") ? bare.split(/\r?\n/).map((line) => line.trim()) : [];
  const texts = [bare, ...(secret === bare ? [] : [secret]), ...lines.filter((line) => line.length >= 16)];
  const decoded = fromBase64(bare);
  return [...texts.flatMap(encodings), ...(decoded === undefined ? [] : [hex(decoded), hex(decoded).toUpperCase()])];
}

function encodings(text: string): readonly string[] {
  const bytes = new TextEncoder().encode(text);
  const uri = encodeUri(text);
  const form = uri.replaceAll("%20", "+").replace(/[!'()*~]/g, percent);
  const json = JSON.stringify(text).slice(1, -1);
  return [
    text,
    json,
    json.replaceAll("/", "\\/"),
    JSON.stringify(json).slice(1, -1),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape of everything outside ASCII
    json.replace(/[^\x00-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
    uri,
    uri.replace(/[!'()*]/g, percent),
    form,
    ...[uri, form].map((encoded) => encoded.replace(/%[0-9A-F]{2}/g, (c) => c.toLowerCase())),
    hex(bytes),
    hex(bytes).toUpperCase(),
    ...base64Forms(bytes),
  ];
}

/** At each offset modulo three the middle of the encoding is the same; its edges depend on the neighbours. */
function base64Forms(bytes: Uint8Array): readonly string[] {
  const whole = base64(bytes);
  const middles = [0, 1, 2].map((offset) => {
    const padded = new Uint8Array(offset + bytes.length);
    padded.set(bytes, offset);
    const usable = padded.length - (padded.length % 3);
    return base64(padded.slice(0, usable)).slice(offset === 0 ? 0 : 4);
  });
  const standard = [whole, whole.replace(/=+$/, ""), ...middles].filter((form) => form.length >= 8);
  return [...standard, ...standard.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"))];
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function encodeUri(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    // A lone surrogate cannot be encoded, so it cannot appear in this form either.
    return text;
  }
}

function percent(c: string): string {
  return `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Facts of an SDK's error that help and hold no request, no header and no configuration. */
const keptFacts = ["code", "status", "statusCode", "errno", "syscall", "hostname", "address", "port", "requestId"];

/** A copy of an error that is safe to keep and to print: its text with secrets masked, its codes, its chain of causes. */
export function safeCause(cause: unknown, redact: (text: string) => string, depth = 0): unknown {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redact(cause) : undefined;
  if (depth > 4) return undefined;
  const copy = new Error(redact(cause.message));
  const facts = cause as unknown as Readonly<Record<string, unknown>>;
  copy.stack = redact(cause.stack ?? "");
  Object.defineProperty(copy, "name", { value: cause.name, configurable: true, writable: true });
  for (const key of keptFacts) {
    const value = facts[key];
    if (typeof value === "string") Object.assign(copy, { [key]: redact(value) });
    else if (typeof value === "number") Object.assign(copy, { [key]: value });
  }
  const inner = safeCause(cause.cause, redact, depth + 1);
  if (inner !== undefined) copy.cause = inner;
  return copy;
}

/** Plain data with secrets masked in every text of it; what is no plain data is left as it is. */
export function redactDeep<T>(data: T, redact: (text: string) => string, depth = 0): T {
  if (typeof data === "string") return redact(data) as T;
  if (typeof data !== "object" || data === null || depth > 8) return data;
  if (Array.isArray(data)) return data.map((entry: unknown) => redactDeep(entry, redact, depth + 1)) as T;
  const prototype: unknown = Object.getPrototypeOf(data);
  if (prototype !== Object.prototype && prototype !== null) return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, redactDeep(value, redact, depth + 1)]),
  ) as T;
}
