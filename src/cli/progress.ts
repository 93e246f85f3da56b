import { formatMs } from "../core/duration.ts";
import type { Dns01Event, Observer, Phase, ServerProgress } from "../core/events.ts";
import { printable, printableLine } from "../core/printable.ts";
import { describeEvent } from "../telemetry/log.ts";
import { createLiveArea, type ScreenSize } from "./live-area.ts";
import { serverTable, waitingTable } from "./table.ts";
import { clip } from "./width.ts";

export interface LiveOptions {
  readonly write: (text: string) => void;
  /** Asked before each drawing: the user may resize the terminal. */
  readonly size: () => ScreenSize;
  readonly color: boolean;
}

type PhaseEvent = Extract<Dns01Event, { type: "phase" }>;

/** A step in work. */
interface Step {
  readonly certificate: string | undefined;
  readonly phase: Phase;
  readonly detail: string;
  readonly startedAt: number;
}

/** One of several certificates in work. */
interface Certificate {
  readonly startedAt: number;
  readonly phase: Phase;
}

interface Servers {
  readonly certificate: string | undefined;
  readonly list: readonly ServerProgress[];
}

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** A larger area would leave more behind in the history of a terminal that is made much smaller. */
function mostLines(rows: number): number {
  return Math.max(1, Math.min(8, Math.floor(rows / 2)));
}

/**
 * Shows progress on a terminal: what is in work is drawn in place at the bottom, what has ended stays above it as a
 * line: each step of a single certificate, or each of several certificates.
 */
export function createLiveProgress(options: LiveOptions): { readonly observer: Observer; readonly stop: () => void } {
  const area = createLiveArea(options.write, options.size);
  const certificates = new Map<string, Certificate>();
  const servers = new Map<string, Servers>();
  let steps: readonly Step[] = [];
  let frame = 0;
  let isStopped = false;

  const paint = (code: number, text: string) => (options.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const marks = { done: paint(32, "✔"), failed: paint(31, "✘") };
  const lineOf = (mark: string, text: string, startedAt: number) => {
    const took = formatMs(performance.now() - startedAt);
    const room = Math.max(1, options.size().columns - took.length - 4);
    return `${mark} ${clip(text, room)} ${paint(2, took)}`;
  };
  const serversOf = (certificate: string | undefined) =>
    [...servers].flatMap(([owner, one]) => (one.certificate === certificate ? [{ owner, servers: one.list }] : []));
  const detailOf = ({ certificate, phase, detail }: Step) => {
    const all = phase === "propagation" ? serversOf(certificate).flatMap((one) => one.servers) : [];
    const agreed = all.filter(({ missing }) => missing.length === 0);
    return all.length === 0 ? detail : `${agreed.length} of ${all.length} answers agree`;
  };
  const stepText = (step: Step) => `${step.phase.padEnd(12)}${printableLine(detailOf(step))}`;

  const frameLines = (): readonly string[] => {
    const { rows, columns } = options.size();
    const most = mostLines(rows);
    const mark = paint(36, spinner[frame % spinner.length] ?? "");
    const ofAll = steps.filter(({ certificate }) => certificate === undefined);
    const lines = [
      ...ofAll.map((step) => lineOf(mark, stepText(step), step.startedAt)),
      ...[...certificates].map(([name, { phase, startedAt }]) => {
        const step = steps.findLast(({ certificate }) => certificate === name);
        return lineOf(mark, `${name}  ${step === undefined ? phase : stepText(step)}`, startedAt);
      }),
    ];
    if (lines.length > most) return [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more`];
    if (!ofAll.some(({ phase }) => phase === "propagation")) return lines;
    const owners = serversOf(undefined);
    const whole = owners.flatMap((one) => [`  ${one.owner}`, ...serverTable(one.servers)]);
    const room = most - lines.length;
    const table = whole.length <= room ? whole : waitingTable(owners, room);
    // On top: in a terminal made much smaller, the top of the area leaves the screen and cannot be redrawn.
    return [...table.map((line) => clip(printable(line), columns - 1)), ...lines];
  };
  const draw = (above: readonly string[] = []) => {
    if (!isStopped) area.draw(frameLines(), above);
  };
  const timer = setInterval(() => {
    frame += 1;
    draw();
  }, 120);
  timer.unref();

  const forget = (certificate: string | undefined) => {
    for (const [owner, one] of servers) if (one.certificate === certificate) servers.delete(owner);
  };
  const onPhase = ({ phase, state, certificate, detail = "" }: PhaseEvent) => {
    const open = steps.find((step) => step.phase === phase && step.certificate === certificate);
    if (state === "start") {
      if (phase === "propagation") forget(certificate);
      const startedAt = open?.startedAt ?? performance.now();
      const step = { certificate, phase, detail: detail === "" ? (open?.detail ?? "") : detail, startedAt };
      steps = open === undefined ? [...steps, step] : steps.map((one) => (one === open ? step : one));
      if (certificate !== undefined) {
        certificates.set(certificate, { startedAt: certificates.get(certificate)?.startedAt ?? startedAt, phase });
      }
      return draw();
    }
    if (open === undefined) return;
    const line = lineOf(marks[state], stepText(open), open.startedAt);
    steps = steps.filter((one) => one !== open);
    draw(certificate === undefined ? [line] : []);
  };
  const onCertificate = (name: string, state: "done" | "failed") => {
    const ended = certificates.get(name);
    if (ended === undefined) return;
    certificates.delete(name);
    steps = steps.filter(({ certificate }) => certificate !== name);
    forget(name);
    draw([lineOf(marks[state], name, ended.startedAt)]);
  };

  return {
    observer(event) {
      if (event.type === "phase") return onPhase(event);
      if (event.type === "certificate") return onCertificate(event.certificate ?? "", event.state);
      if (event.type === "propagation.poll") {
        const { owner, certificate } = event;
        servers.set(owner, { certificate, list: event.servers });
        return;
      }
      const line = describeEvent(event);
      if (line === undefined || line.level === "debug" || event.type.startsWith("txt.")) return;
      draw(`${line.level === "info" ? "" : paint(33, `${line.level}: `)}${printable(line.text)}`.split("\n"));
    },
    stop() {
      if (isStopped) return;
      clearInterval(timer);
      // What is still in work when the command ends has been given up.
      for (const { phase, certificate } of steps) onPhase({ type: "phase", phase, state: "failed", certificate });
      for (const name of certificates.keys()) onCertificate(name, "failed");
      draw();
      isStopped = true;
    },
  };
}
