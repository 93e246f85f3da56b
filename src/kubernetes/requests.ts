import type { Clock } from "../core/clock.ts";
import { thrownText } from "../core/thrown.ts";
import type { Access, Credentials } from "./access.ts";
import { KubernetesError } from "./error.ts";
import { failure, parse } from "./status.ts";
import { type Answer, ConnectionFault, exchange, lines, type Outgoing } from "./transport.ts";

export interface ApiRequest {
  /** For messages: `get secret cert-manager/dnspod`. */
  readonly what: string;
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** Whether it does no harm when it arrives twice; default for GET. */
  readonly repeatable?: boolean;
}

/** Requests to one API server; all of them reject with KubernetesError or the signal's reason. */
export interface Requests {
  /** The parsed answer. */
  json(request: ApiRequest, signal: AbortSignal): Promise<unknown>;
  /** The parsed lines of an answer that goes on until the server or the signal ends it. */
  stream(request: ApiRequest, signal: AbortSignal): AsyncGenerator<unknown>;
}

export interface RequestsOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly userAgent: string;
}

const attempts = 4;
/** A busy API server asks for a second or so; who is told to wait longer has to hear it. */
const longestPauseMs = 5_000;

export function createRequests(options: RequestsOptions): Requests {
  const { access, clock, timeoutMs } = options;

  const prepare = async (request: ApiRequest, signal: AbortSignal): Promise<Outgoing> => ({
    method: request.method ?? "GET",
    url: `${access.server}${request.path}`,
    body: request.body,
    repeatable: request.repeatable ?? request.body === undefined,
    userAgent: options.userAgent,
    credentials: await login(access, request.what, signal),
  });

  const once = async (request: ApiRequest, signal: AbortSignal): Promise<Answer> => {
    const outgoing = await prepare(request, signal);
    const limit = { timeoutMs, signal, clock };
    return await exchange(outgoing, limit).catch(async (error: unknown) => {
      // The other side closed an idle connection at the moment we used it: nothing has been done.
      if (!(error instanceof ConnectionFault && error.stale) || signal.aborted)
        throw unreachable(error, request, access, signal);
      return await exchange(outgoing, limit).catch((again: unknown) => {
        throw unreachable(again, request, access, signal);
      });
    });
  };

  return {
    async json(request, signal) {
      let renewed = false;
      for (let attempt = 1; ; attempt++) {
        const answer = await once(request, signal);
        if (answer.status >= 200 && answer.status < 300) return bodyOf(request, answer);
        const error = failure(request.what, answer.status, answer.body);
        if (answer.status === 401 && !renewed && access.forget()) {
          renewed = true;
          continue;
        }
        const { retryAfterMs } = answer;
        if (retryAfterMs === undefined || retryAfterMs > longestPauseMs || attempt >= attempts) throw error;
        await clock.sleep(retryAfterMs + clock.random() * 250, signal);
      }
    },
    async *stream(request, signal) {
      const outgoing = await prepare(request, signal);
      try {
        for await (const { status, line } of lines(outgoing, { headTimeoutMs: timeoutMs, signal, clock })) {
          if (status === 401) access.forget();
          if (status < 200 || status >= 300) throw failure(request.what, status, line);
          const value = parse(line);
          if (value === undefined) throw new KubernetesError(`${request.what}: the answer is not JSON`);
          yield value;
        }
      } catch (error) {
        throw error instanceof KubernetesError ? error : unreachable(error, request, access, signal);
      }
    },
  };
}

async function login(access: Access, what: string, signal: AbortSignal): Promise<Credentials> {
  try {
    return await access.credentials(signal);
  } catch (cause) {
    signal.throwIfAborted();
    const said = thrownText(cause)
      .trim()
      .replace(/\s*\n\s*/g, "; ");
    const text = said.length > 300 ? `${said.slice(0, 300)}…` : said;
    throw new KubernetesError(`${what}: cannot log in at ${access.server}: ${text}`, { cause });
  }
}

function unreachable(error: unknown, { what }: ApiRequest, { server }: Access, signal: AbortSignal): unknown {
  if (signal.aborted) return error;
  return new KubernetesError(`${what}: cannot reach the API server ${server}: ${thrownText(error)}`, { cause: error });
}

function bodyOf({ what }: ApiRequest, { status, body }: Answer): unknown {
  const value = parse(body);
  if (typeof value === "object" && value !== null) return value;
  throw new KubernetesError(`${what}: the answer is not a JSON object`, { status });
}
