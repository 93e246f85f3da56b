import { Dns01Error } from "../core/errors.ts";
import type { Dns01Event, Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import { timeText } from "../core/time-text.ts";
import type { UpkeepEvent } from "../issuer/kept.ts";
import { describeEvent } from "../telemetry/log.ts";

/** What the daemon says: a line for what becomes of a certificate; the steps of an order only at level debug. */
export interface Report {
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something that should not be possible. */
  fault(name: string, error: unknown, retryAt?: number): void;
  onEvent(event: UpkeepEvent): void;
  observerFor(name: string): Observer;
}

/** Steps of a single order: among many of them nobody can follow these. */
const steps: ReadonlySet<Dns01Event["type"]> = new Set([
  ...(["phase", "txt.added", "txt.kept", "txt.removed", "txt.absent", "propagation.poll", "propagation.wait"] as const),
  ...(["retry", "lock.wait", "zone.found"] as const),
]);

/** Passes events on; the steps of an order become lines of level debug. */
export function quietSteps(observer: Observer): Observer {
  return (event) => {
    if (!steps.has(event.type)) return observer(event);
    const line = describeEvent(event);
    if (line !== undefined) observer({ type: "log", level: "debug", text: line.text, fields: line.fields });
  };
}

export function createReport(observer: Observer): Report {
  /** Until when and why a certificate waits: said once, not with every look. */
  const putOff = new Map<string, string>();
  const say =
    (level: "info" | "warn") =>
    (text: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      observer({ type: "log", level, text, fields });
  const info = say("info");
  const warn = say("warn");

  return {
    info,
    warn,
    fault(name, error, retryAt) {
      const told =
        Dns01Error.is(error) || !(error instanceof Error) ? thrownText(error) : (error.stack ?? error.message);
      const again = retryAt === undefined ? "" : ` It is tried again at ${timeText(retryAt)}.`;
      warn(`${name}: ${told}${again}`, { certificate: name, code: Dns01Error.is(error) ? error.code : "UNKNOWN" });
    },
    onEvent(event) {
      const { type, name } = event;
      const about = { certificate: name, event: type };
      switch (event.type) {
        case "held":
        case "planned":
          putOff.delete(name);
          return;
        case "put-off": {
          if (putOff.get(name) === event.reason) return;
          putOff.set(name, event.reason);
          const until = new Date(event.until).toISOString();
          return warn(`${name}: put off until ${timeText(event.until)}: ${event.reason}`, { ...about, until });
        }
        case "ordering":
          return info(`${name}: ordering from ${event.ca}: ${event.reason}`, { ...about, ca: event.ca });
        case "renewed":
          putOff.delete(name);
          return info(`${name}: ${event.first ? "issued" : "renewed"} by ${event.ca}`, { ...about, ca: event.ca });
        case "unreadable": {
          const { error, retryAt } = event;
          if (putOff.get(name) === error.message) return;
          putOff.set(name, error.message);
          return warn(failedText(event), { ...about, code: error.code, retryAt: new Date(retryAt).toISOString() });
        }
        case "failed": {
          const { error, retryAt, ca } = event;
          const again = new Date(retryAt).toISOString();
          return warn(failedText(event), { ...about, ca, code: error.code, retryAt: again, details: error.details });
        }
        case "deployed":
          return info(`${name}: deployed`, about);
        case "deploy-failed": {
          const again = new Date(event.retryAt).toISOString();
          const { code, message } = event.error;
          return warn(`${name}: ${message} [${code}] It is tried again at ${timeText(event.retryAt)}.`, {
            ...about,
            code,
            retryAt: again,
          });
        }
      }
    },
    observerFor: (name) => {
      const quiet = quietSteps(observer);
      return (event) => quiet({ ...event, certificate: name });
    },
  };
}

function failedText({ name, error, retryAt }: Extract<UpkeepEvent, { type: "failed" | "unreadable" }>): string {
  const hint = error.hint === undefined ? "" : ` ${error.hint}`;
  return `${name}: ${error.message} [${error.code}]${hint} It is tried again at ${timeText(retryAt)}.`;
}
