import { durationText } from "../core/duration.ts";
import type { Dns01Event, Observer } from "../core/events.ts";
import { shortValue } from "../core/short-value.ts";
import { withShortValues } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { SolveEvent, SolveObserver } from "./solve/events.ts";

export interface ReportOptions {
  readonly observer: Observer;
  readonly metrics: Metrics;
  /** Whether lines of level debug are wanted: there are several for every call. */
  readonly debug: boolean;
}

/** What a service was asked and what came of it; at the other levels one line for each call says it all. */
const details: ReadonlySet<Dns01Event["type"]> = new Set([
  ...(["call", "zone.found", "rate.wait", "lock.wait", "step"] as const),
  ...(["txt.added", "txt.kept", "txt.removed", "txt.absent"] as const),
]);

/** Makes log lines and metrics of what solving tells. Every line has the call's correlation id; no challenge value is whole. */
export function reportSolving({ observer, metrics, debug }: ReportOptions): SolveObserver {
  const log = (level: "debug" | "info" | "warn", text: string, event: object) => {
    const { type, ...rest } = event as SolveEvent;
    observer({ type: "log", level, text, fields: { what: type, ...rest } });
  };
  return (event) => {
    switch (event.type) {
      case "challenge.start":
        if (!debug) return;
        return log("debug", `${event.action} ${event.owner} by ${event.provider}`, event);
      case "challenge.end": {
        const result = event.code === "OK" ? "OK" : `${event.code}: ${event.message ?? ""}`;
        const took = durationText(event.durationMs);
        const level = event.code === "OK" ? "info" : "warn";
        return log(level, `${event.action} ${event.owner} by ${event.provider} in ${took}: ${result}`, event);
      }
      case "challenge.joined":
        return log("debug", `the same call already runs as ${event.with}: waits for its result`, event);
      case "background":
        metrics.background(event.provider, event.state);
        return log("info", `${event.provider}: work after the answer: ${event.state}`, event);
      case "denied":
        return log("warn", `denied: ${event.message}`, event);
      case "leftover": {
        metrics.leftover(event.provider);
        const value = shortValue(event.value);
        const text = `the value ${value} may be left at ${event.owner} (${event.reason}); ${event.cure} takes it out`;
        return log("warn", text, { ...event, value });
      }
      case "breaker":
        if (event.state === "open") metrics.breakerOpened(event.provider);
        return log("warn", `${event.provider}: these credentials get a rest: ${event.state}`, event);
      case "propagation":
        if (event.lagMs !== undefined) metrics.propagation(event.provider, event.lagMs);
        return log("info", `${event.provider}: propagation of ${event.owner}: ${event.explanation}`, {
          ...event,
          servers: event.servers.map((server) => ({ ...server, missing: server.missing.map(shortValue) })),
        });
      case "engine":
        metrics.observer(event.event);
        if (debug || !details.has(event.event.type)) observer(withCall(event.event, event.correlationId));
    }
  };
}

/** The log writes every member of an event. */
function withCall(event: Dns01Event, correlationId: string): Dns01Event {
  return Object.assign({}, withShortValues(event), correlationId === "" ? {} : { correlationId });
}
