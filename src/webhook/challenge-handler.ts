import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, type Clock } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { LazySignal } from "../core/lazy-signal.ts";
import { onAbort } from "../core/on-abort.ts";
import { thrownText } from "../core/thrown.ts";
import { acceptedBy, acceptsJson } from "./accept.ts";
import type { ChallengeAnswer, Solving } from "./challenge.ts";
import { readChallengeQuery } from "./challenge-query.ts";
import { type Payload, parsePayload, payloadAnswer } from "./payload.ts";
import { Refusal } from "./refusal.ts";
import { readBody } from "./request-body.ts";
import { createSideBySide } from "./side-by-side.ts";

export interface ChallengeHandlerOptions {
  readonly solving: Pick<Solving, "solve">;
  /** When the server gives up on what stands behind it; above the solving's own limit. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly metrics: {
    challenge(sample: { action: string; provider: string; code: string; durationMs: number }): void;
    inFlight(change: 1 | -1): void;
  };
  /** Fires when the process has no more time for what still runs. */
  readonly signal: AbortSignal;
}

export type ChallengeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  solver: string,
  /** Why this solver's Presents get a Status object; undefined for a solver that is served. */
  unserved?: Refusal,
) => Promise<void>;

/** Solves `POST /apis/GROUP/v1alpha1/SOLVER` of a caller who may make it, and answers. Throws Refusal. */
export function createChallengeHandler(options: ChallengeHandlerOptions): ChallengeHandler {
  const { clock, metrics } = options;
  const sideBySide = createSideBySide();
  return async (req, res, solver, unserved) => {
    checkMediaTypes(req);
    const { dryRun, fieldValidation } = readChallengeQuery(req.url ?? "");
    const body = await readBody(req);
    await sideBySide();
    const payload = parseFor(unserved, body, fieldValidation);
    const { action } = payload.request;
    if (dryRun) {
      if (unserved !== undefined && action === "Present") throw unserved;
      send(res, payload, { success: true }, [...payload.warnings, "dry run: nothing was done"]);
      return;
    }
    const startedAt = clock.now();
    metrics.inFlight(1);
    try {
      const answer = await solve(payload, { solver, correlationId: correlationIdOf(req), res }, options);
      const code = answer.success ? "OK" : answer.code;
      // A name from an Issuer would make a label without bounds.
      const provider = unserved === undefined ? solver : "unknown";
      metrics.challenge({ action, provider, code, durationMs: clock.now() - startedAt });
      // A clean-up ends: its Challenge would keep its finalizer, and its namespace, for ever.
      if (unserved !== undefined && (action === "Present" || !answer.success)) throw unserved;
      send(res, payload, answer, payload.warnings);
    } finally {
      metrics.inFlight(-1);
    }
  };
}

function parseFor(unserved: Refusal | undefined, ...given: Parameters<typeof parsePayload>): Payload {
  try {
    return parsePayload(...given);
  } catch (error) {
    throw unserved ?? error;
  }
}

/** As Kubernetes' clients say it. */
const usualAccept = "application/json, */*";

/** What is not JSON is not taken, and nothing else is answered. */
function checkMediaTypes(req: IncomingMessage): void {
  const type = (req.headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new Refusal(415, "the body has to be application/json");
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    throw new Refusal(415, "the body must not be compressed");
  }
  const { accept } = req.headers;
  if (accept !== usualAccept && !acceptsJson(acceptedBy(accept))) {
    throw new Refusal(406, "answers are application/json, which the request does not accept");
  }
}

interface Call {
  readonly solver: string;
  readonly correlationId: string;
  readonly res: ServerResponse;
}

/** Whatever happens behind it, there is an answer; a failure becomes one that says so. */
async function solve(payload: Payload, call: Call, options: ChallengeHandlerOptions): Promise<ChallengeAnswer> {
  const { solver, correlationId } = call;
  try {
    return (await solveInTime(payload, call, options)) ?? unanswered(solver);
  } catch (error) {
    const fields = { correlationId, solver, error: thrownText(error) };
    options.observer({ type: "log", level: "error", text: `${solver}: internal fault: ${thrownText(error)}`, fields });
    return {
      success: false,
      code: "UNKNOWN",
      reason: "InternalError",
      message: `${solver}: internal fault of dns01; its log says more`,
    };
  }
}

/** Undefined when the time is over, the process ends or the caller goes away before; what still runs is told. */
function solveInTime(
  { request }: Payload,
  { solver, correlationId, res }: Call,
  { solving, limitMs, clock, signal }: ChallengeHandlerOptions,
): Promise<ChallengeAnswer | undefined> {
  const gone = new LazySignal();
  return new Promise((resolve, reject) => {
    const giveUp = (why: string) => {
      gone.abort(new AbortedError(why));
      resolve(undefined);
    };
    const onClose = () => giveUp("the caller went away");
    if (res.destroyed) return onClose();
    res.once("close", onClose);
    const release = onAbort(signal, () => giveUp("dns01 ends"));
    const cancel = after(clock, limitMs, () => giveUp("no answer in time"));
    const solved = (async () => solving.solve(request, { solver, correlationId, signal: gone }))();
    solved
      .finally(() => {
        res.off("close", onClose);
        release();
        cancel();
      })
      .then(resolve, reject);
  });
}

function unanswered(solver: string): ChallengeAnswer {
  const message = `${solver}: no answer in time; the next try goes on with it`;
  return { success: false, code: "TRANSIENT", reason: "ServiceUnavailable", message };
}

/** kube-apiserver's own id of the request, which its audit log has too. */
export function correlationIdOf(req: IncomingMessage): string {
  const given = req.headers["audit-id"];
  return typeof given === "string" && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID();
}

function send(res: ServerResponse, payload: Payload, answer: ChallengeAnswer, warnings: readonly string[]): void {
  // Whoever went away is answered no more.
  if (res.destroyed || res.headersSent) return;
  const body = payloadAnswer(payload.echo, payload.request.uid, answer);
  const headers: Record<string, string | number | string[]> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  };
  // RFC 9111's predecessor §5.5: 299 is a persistent warning of any kind; kubectl prints it.
  if (warnings.length > 0) headers["warning"] = warnings.map((text) => `299 - "${text.replaceAll('"', '\\"')}"`);
  res.writeHead(201, headers);
  res.end(body);
}
