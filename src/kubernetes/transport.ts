import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { linkSignal } from "../core/abort.ts";
import { abortReason, type Clock } from "../core/clock.ts";
import { onAbort } from "../core/on-abort.ts";
import { thrownText } from "../core/thrown.ts";
import { withTimeLimit } from "../core/time-limit.ts";
import type { Credentials } from "./access.ts";

export interface Outgoing {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly body?: unknown;
  readonly credentials: Credentials;
  readonly userAgent: string;
  /** Whether it does no harm when it arrives twice. */
  readonly repeatable: boolean;
}

export interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: string;
}

/** Lists of all Issuers of a large cluster stay below this. */
const maxBodyBytes = 64 << 20;

/** No answer, or half of one. `stale`: the connection was an old one that the other side had closed. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";
  readonly stale: boolean;

  constructor(message: string, stale: boolean, cause: unknown) {
    super(message, { cause });
    this.stale = stale;
  }
}

/** One exchange. Rejects with ConnectionFault, or with the signal's reason. */
export async function exchange(
  outgoing: Outgoing,
  limit: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly clock: Clock },
): Promise<Answer> {
  const { timeoutMs } = limit;
  const late = () => new ConnectionFault(`no answer within ${timeoutMs / 1000} s`, false, undefined);
  return await withTimeLimit(
    async (signal) => {
      const response = await open(outgoing, signal);
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        for await (const chunk of response) {
          const bytes = chunk as Buffer;
          size += bytes.length;
          if (size > maxBodyBytes) throw new Error(`the answer is larger than ${maxBodyBytes >> 20} MiB`);
          chunks.push(bytes);
        }
      } catch (error) {
        signal.throwIfAborted();
        throw new ConnectionFault(`the answer ended early: ${codeOf(error)}`, false, error);
      }
      return {
        status: response.statusCode ?? 0,
        retryAfterMs: retryAfterOf(response),
        body: Buffer.concat(chunks).toString("utf8"),
      };
    },
    { ...limit, late },
  );
}

/** The answer's lines as they come in, until the server or the signal ends it; the head has to come within `headTimeoutMs`. */
export async function* lines(
  outgoing: Outgoing,
  limit: { readonly headTimeoutMs: number; readonly signal: AbortSignal; readonly clock: Clock },
): AsyncGenerator<{ readonly status: number; readonly line: string }> {
  const { headTimeoutMs: timeoutMs, signal, clock } = limit;
  const late = () => new ConnectionFault(`no answer within ${timeoutMs / 1000} s`, false, undefined);
  const link = linkSignal(signal);
  try {
    // The body is read under the outer signal: the limit is for the head alone.
    const response = await withTimeLimit(() => open(outgoing, link.signal), { timeoutMs, late, signal, clock });
    // Whoever pulls the plug of a machine sends no FIN.
    response.socket.setKeepAlive(true, 30_000);
    const status = response.statusCode ?? 0;
    let rest = "";
    response.setEncoding("utf8");
    for await (const text of response) {
      const parts = `${rest}${text as string}`.split("\n");
      rest = parts.pop() ?? "";
      if (rest.length > maxBodyBytes) throw new Error(`a line is longer than ${maxBodyBytes >> 20} MiB`);
      for (const line of parts) if (line.trim() !== "") yield { status, line };
    }
    if (rest.trim() !== "") yield { status, line: rest };
  } catch (error) {
    if (signal.aborted || error instanceof ConnectionFault) throw error;
    throw new ConnectionFault(`the answer ended early: ${codeOf(error)}`, false, error);
  } finally {
    // Also for a reader that stops early: the server must not go on sending into a full socket.
    link.abort(new Error("over"));
    link.release();
  }
}

/** Resolves with the head of the answer; the signal destroys the exchange at any time. */
function open(outgoing: Outgoing, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal));
    const body = outgoing.body === undefined ? undefined : JSON.stringify(outgoing.body);
    const { method, credentials, repeatable } = outgoing;
    const url = new URL(outgoing.url);
    const request: ClientRequest = (url.protocol === "http:" ? httpRequest : httpsRequest)(url, {
      method,
      agent: credentials.agent,
      headers: {
        accept: "application/json",
        "user-agent": outgoing.userAgent,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...credentials.headers,
      },
    });
    let release = () => {};
    release = onAbort(signal, () => {
      reject(abortReason(signal));
      request.destroy(abortReason(signal));
    });
    // Stays on for good: a destroyed request may still report.
    request.on("error", (error) => {
      reject(new ConnectionFault(codeOf(error), request.reusedSocket && repeatable, error));
    });
    request.once("close", () => release());
    request.once("response", resolve);
    request.end(body);
  });
}

/** Seconds, as the API server gives them. */
function retryAfterOf(response: IncomingMessage): number | undefined {
  const text = response.headers["retry-after"] ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** What went wrong in the words of the system; never the ephemeral port of our side, so that equal causes read the same. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map(codeOf))].join("; ");
  }
  return thrownText(error);
}
