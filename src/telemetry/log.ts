import { durationText } from "../core/duration.ts";
import type { Dns01Event, Observer } from "../core/events.ts";
import { printable } from "../core/printable.ts";
import { shortValue } from "../core/short-value.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly write: (text: string) => void;
  readonly now: () => Date;
}

export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An observer that writes one line per event worth one: text for people, JSON for machines. */
export function createLog(options: LogOptions): Observer {
  return (event) => {
    const line = describeEvent(event);
    if (line === undefined || rank[line.level] < rank[options.level]) return;
    options.write(formatLine(line, options));
  };
}

function formatLine(line: LogLine, options: Pick<LogOptions, "format" | "now">): string {
  if (options.format === "json") {
    return `${JSON.stringify({ time: options.now().toISOString(), level: line.level, message: line.text, ...line.fields })}\n`;
  }
  return `${line.level === "warn" || line.level === "error" ? `${line.level}: ` : ""}${printable(line.text)}\n`;
}

/** One event in words; undefined for those that only a live display shows. */
export function describeEvent(event: Dns01Event): LogLine | undefined {
  // Before anything is made of the others: this is what a server writes.
  if (event.type === "log") {
    return { level: event.level, text: event.text, fields: { event: event.type, ...event.fields } };
  }
  const { type, ...fields } = withShortValues(event);
  const { certificate } = event;
  const about = certificate === undefined ? "" : `${certificate}: `;
  const say = (level: LogLevel, text: string): LogLine => ({ level, text, fields: { event: type, ...fields } });
  const line = (level: LogLevel, text: string) => say(level, `${about}${text}`);
  switch (event.type) {
    case "phase":
      return event.state === "start"
        ? say("info", `${event.phase.padEnd(12)}${about}${event.detail ?? "…"}`)
        : say("debug", `${event.phase.padEnd(12)}${about}${event.state}`);
    case "warning":
      // Its text names the certificate already.
      return say("warn", `${event.text} [${event.code}]`);
    case "zone.found":
      return line("debug", `${event.provider}: ${event.fqdn} is in zone ${event.zone}`);
    case "zone.mismatch":
      return line(
        "warn",
        `${event.provider}: the account holds ${event.zone}, but DNS cuts the zone at ${event.cut}: a value written there may not be visible`,
      );
    case "txt.added":
    case "txt.kept":
    case "txt.removed":
    case "txt.absent":
      return line(
        "info",
        `${event.type.slice(4).padEnd(12)}TXT ${event.fqdn} "${shortValue(event.value)}" in ${event.zone} by ${event.provider}`,
      );
    case "call":
      return line(
        "debug",
        `${event.provider}: ${event.operation} took ${durationText(event.durationMs)}: ${event.code}${
          event.requestId === undefined ? "" : ` (request ${event.requestId})`
        }`,
      );
    case "retry":
      return line(
        "info",
        // Most messages begin with the provider or the operation themselves, and say what it was about.
        `${event.message.startsWith(`${event.what.split(" ")[0]}:`) ? "" : `${event.what}: `}${event.message}; again in ${durationText(event.waitMs)} (attempt ${event.attempt})`,
      );
    case "rate.wait":
      return line("debug", `${event.provider}: waited ${durationText(event.waitMs)} for its turn`);
    case "acme.request":
      return line("debug", `${event.method} ${event.url}: ${event.status} in ${durationText(event.durationMs)}`);
    case "propagation.poll":
      return line(
        "info",
        `propagation ${event.owner}: ${event.servers.map((s) => `${s.name} (${s.address}) ${s.state}`).join(", ")}`,
      );
    case "propagation.wait":
      // Before a resolver is asked, the wait is for all owners.
      return line(
        "info",
        `propagation${event.owner === "" ? "" : ` ${event.owner}`}: ${event.reason}; ${durationText(event.waitMs)}`,
      );
    case "lock.wait":
      return line("info", `waiting for ${event.name}: held by ${event.holder}`);
    case "step":
    case "certificate":
      return undefined;
  }
}

/** Returns an event as a log may have it: a log is kept for long and read by many, and gets no challenge value whole. */
export function withShortValues(event: Dns01Event): Dns01Event {
  if ("value" in event) return { ...event, value: shortValue(event.value) };
  if (event.type !== "propagation.poll") return event;
  const short = (values: readonly string[]) => values.map(shortValue);
  const servers = event.servers.map((one) => ({ ...one, values: short(one.values), missing: short(one.missing) }));
  return { ...event, servers };
}
