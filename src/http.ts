import { TransientError } from "./core/errors.ts";
import { errorOfAnswer, HttpError, isHtml, parseRetryAfter } from "./core/http-error.ts";
import { printableLine } from "./core/printable.ts";
import type { HttpFactory, HttpRequest } from "./core/provider.ts";
import { redactDeep } from "./core/redact.ts";
import { withoutChanging } from "./core/steady.ts";
import type { Send } from "./proxy/fetch.ts";

export { byHttpStatus, HttpError } from "./core/http-error.ts";

export interface HttpOptions {
  readonly fetch?: Send;
  readonly userAgent?: string;
  /** Masks secrets in what the service said, before it is shortened: half a secret would not be recognised later. */
  readonly redact?: (text: string) => string;
}

/** No answer of a DNS API is this long; one that is would fill the memory. */
const maxBodyBytes = 16 * 1024 * 1024;

/** JSON over fetch for adapters: base address and headers once, then one call per request. */
export function createHttp(options: HttpOptions = {}): HttpFactory {
  const { fetch: send = fetch, userAgent = "dns01", redact = (text) => text } = options;
  return (base, headers = {}) =>
    async (path, request) => {
      const url = address(base, path, request.query);
      const method = request.method ?? (request.body === undefined ? "GET" : "POST");
      const what = `${method} ${url.origin}${url.pathname}`;
      const { body, contentType } = encode(request.body);
      const response = await send(url, {
        method,
        headers: {
          accept: "application/json",
          "user-agent": userAgent,
          ...(contentType === undefined ? {} : { "content-type": contentType }),
          ...headers,
          ...request.headers,
        },
        ...(body === undefined ? {} : { body }),
        signal: request.signal,
        // A redirect would repeat a POST as GET and carry credentials somewhere else.
        redirect: "manual",
      });
      const text = await readText(response, what);
      const parsed = parse(text);
      if (response.status >= 300)
        throw errorOfAnswer(
          failure(what, response, redactDeep(parsed.json ?? (text === "" ? undefined : text), redact)),
        );
      if (parsed.json === undefined && text.trim() !== "") {
        if (request.answer === "any" && !isHtml(text)) return text;
        // A gateway's page instead of the API's answer: whether the request was carried out is unknown.
        throw new TransientError(`${what}: status ${response.status}, but the answer is no JSON`);
      }
      return parsed.json;
    };
}

function address(base: string, path: string, query: HttpRequest["query"] = {}): URL {
  const url = new URL(`${base.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.append(name, String(value));
  return url;
}

function encode(body: unknown): { readonly body?: string | Uint8Array<ArrayBuffer>; readonly contentType?: string } {
  if (body === undefined) return {};
  if (typeof body === "string") return { body };
  if (body instanceof URLSearchParams)
    return { body: body.toString(), contentType: "application/x-www-form-urlencoded" };
  if (body instanceof Uint8Array) return { body: new Uint8Array(body) };
  return { body: JSON.stringify(body), contentType: "application/json" };
}

async function readText(response: Response, what: string): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > maxBodyBytes) {
      await reader.cancel();
      throw new TransientError(`${what}: the answer is longer than ${maxBodyBytes} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

function parse(text: string): { readonly json?: unknown } {
  try {
    return { json: JSON.parse(text) as unknown };
  } catch {
    return {};
  }
}

/** The query is left out of the message: some services want their token there. */
function failure(what: string, response: Response, body: unknown): HttpError {
  const said = saidBy(body);
  const status = `${response.status}${response.statusText === "" ? "" : ` ${response.statusText}`}`;
  const target = response.status < 400 ? response.headers.get("location") : null;
  const moved = target === null ? "" : ` (redirected to ${target.replace(/[?#].*$/s, "")}, which is not followed)`;
  return new HttpError(`${what}: ${status}${said === undefined ? "" : `: ${said}`}${moved}`, {
    status: response.status,
    body,
    headers: Object.fromEntries(response.headers),
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), response.headers.get("date")),
  });
}

/** The words of the usual shapes of an error body; a page of HTML says nothing. */
function saidBy(body: unknown, depth = 0): string | undefined {
  if (typeof body === "string") return /<[a-z!]/i.test(body) ? undefined : short(body);
  if (Array.isArray(body)) return saidBy(body[0], depth + 1);
  if (typeof body !== "object" || body === null || depth > 3) return undefined;
  const {
    code,
    message,
    error,
    errors,
    detail,
    error_description: description,
    title,
  } = body as Record<string, unknown>;
  const inner = saidBy(message ?? detail ?? description ?? error ?? errors ?? title, depth + 1);
  const hasCode = (typeof code === "string" || typeof code === "number") && String(code) !== inner;
  return inner !== undefined && hasCode ? `${inner} (${code})` : inner;
}

function short(text: string): string | undefined {
  const line = printableLine(text);
  if (line.length <= 300) return line === "" ? undefined : line;
  // Where it is cut must not depend on the length of an id or a time.
  const kept = withoutChanging(line);
  return kept.length > 300 ? `${kept.slice(0, 300)}…` : kept;
}
