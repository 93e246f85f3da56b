import { formatMs } from "../core/duration.ts";
import type { Dns01Event, Observer, Phase, ServerProgress } from "../core/events.ts";
import { printable } from "../core/printable.ts";
import { describeEvent } from "../telemetry/log.ts";
import { serverTable } from "./table.ts";

export interface LiveOptions {
  readonly write: (text: string) => void;
  readonly columns: number;
  readonly color: boolean;
}

interface Step {
  readonly phase: Phase;
  readonly detail: string;
  readonly startedAt: number;
  readonly doneAt?: number;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** Steps and nameservers in place on a terminal; warnings and the like scroll by above them. */
export function createLiveProgress(options: LiveOptions): { readonly observer: Observer; readonly stop: () => void } {
  let steps: readonly Step[] = [];
  let servers: ReadonlyMap<string, readonly ServerProgress[]> = new Map();
  let drawn = 0;
  let frame = 0;
  let stopped = false;

  const paint = (code: number, text: string) => (options.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const erase = () => (drawn === 0 ? "" : `\u001b[${drawn}A\u001b[0J`);
  const stepLine = (s: Step) => {
    const mark = s.doneAt === undefined ? paint(36, frames[frame % frames.length] ?? "") : paint(32, "✔");
    const took = formatMs((s.doneAt ?? performance.now()) - s.startedAt);
    return `${mark} ${s.phase.padEnd(12)}${printable(s.detail)} ${paint(2, took)}`;
  };
  const draw = (above = "") => {
    if (stopped) return;
    const waiting = steps.some((s) => s.phase === "propagation" && s.doneAt === undefined);
    const table = waiting
      ? [...servers].flatMap(([owner, list]) => [`  ${owner}`, ...serverTable(list)]).map(printable)
      : [];
    const lines = [...steps.map(stepLine), ...table].map((l) => clip(l, options.columns));
    options.write(`${erase()}${above}${lines.map((l) => `${l}\n`).join("")}`);
    drawn = lines.length;
  };
  const timer = setInterval(() => {
    frame += 1;
    draw();
  }, 120);
  timer.unref();

  const observer = (event: Dns01Event) => {
    if (event.type === "phase") {
      steps = moved(steps, event.phase, event.state, event.detail ?? "");
      draw();
    } else if (event.type === "propagation.poll") {
      servers = new Map([...servers, [event.owner, event.servers]]);
      draw();
    } else {
      const line = describeEvent(event);
      if (line !== undefined && line.level !== "debug" && !event.type.startsWith("txt.")) {
        draw(`${line.level === "info" ? "" : paint(33, `${line.level}: `)}${printable(line.text)}\n`);
      }
    }
  };
  return {
    observer,
    stop: () => {
      if (stopped) return;
      draw();
      stopped = true;
      clearInterval(timer);
    },
  };
}

function moved(steps: readonly Step[], phase: Phase, state: "start" | "done", detail: string): readonly Step[] {
  const now = performance.now();
  const open = steps.findLastIndex((s) => s.phase === phase && s.doneAt === undefined);
  if (state === "done") return steps.map((s, i) => (i === open ? { ...s, doneAt: now } : s));
  if (open !== -1) return steps.map((s, i) => (i === open ? { ...s, detail: detail === "" ? s.detail : detail } : s));
  return [...steps, { phase, detail, startedAt: now }];
}

/** An SGR sequence, or one character. */
const styledCharacters = new RegExp(`${"\u001b"}\\[\\d+m|.`, "gsu");

/** Cuts by visible width, so that a long line never breaks the redrawing. */
function clip(line: string, columns: number): string {
  let visible = 0;
  let out = "";
  for (const part of line.match(styledCharacters) ?? []) {
    if (part.startsWith("\u001b")) {
      out += part;
      continue;
    }
    if (visible >= columns - 1) continue;
    visible += 1;
    out += part;
  }
  return out;
}
