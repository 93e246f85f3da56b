import { spawn } from "node:child_process";
import { thrownText } from "../core/thrown.ts";

/** Tells the service manager how the service is (sd_notify(3)); does nothing where nobody listens. */
export interface Notifier {
  ready(status: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  /** A sign of life for the watchdog. */
  alive(): Promise<void>;
  /** How often a sign of life is to be given; undefined when there is no watchdog. */
  readonly watchdogMs: number | undefined;
}

export interface NotifierOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Told once. */
  readonly onFault: (text: string) => void;
}

/** The service manager waits for an answer of `systemd-notify` no longer than this, and neither do we. */
const patienceMs = 10_000;

/**
 * Node cannot send to a Unix datagram socket, and add-ons that can need a compiler. Where NOTIFY_SOCKET is set there is
 * systemd, and with it `systemd-notify`: it is started for each message, and needs `NotifyAccess=all`.
 */
export function createNotifier({ env, pid, onFault }: NotifierOptions): Notifier {
  const isListening = (env["NOTIFY_SOCKET"] ?? "") !== "";
  let isTold = false;
  let line: Promise<void> = Promise.resolve();

  const tell = (...assignments: readonly string[]): Promise<void> => {
    if (!isListening) return Promise.resolve();
    line = line.then(async () => {
      const fault = await send(assignments, env);
      if (fault === undefined || isTold) return;
      isTold = true;
      onFault(`systemd cannot be told how the service is: ${fault}`);
    });
    return line;
  };

  return {
    ready: (status) => tell("READY=1", `STATUS=${status.replaceAll("\n", " ")}`),
    reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell("STOPPING=1"),
    alive: () => tell("WATCHDOG=1"),
    watchdogMs: isListening ? watchdogMs(env, pid) : undefined,
  };
}

/** Twice within the time that systemd gives, as sd_watchdog_enabled(3) advises. */
function watchdogMs(env: NotifierOptions["env"], pid: number): number | undefined {
  const usec = Number(env["WATCHDOG_USEC"]);
  const isOurs = env["WATCHDOG_PID"] === undefined || Number(env["WATCHDOG_PID"]) === pid;
  return Number.isFinite(usec) && usec > 0 && isOurs ? usec / 2000 : undefined;
}

/** Why it failed, or undefined. */
async function send(assignments: readonly string[], env: NotifierOptions["env"]): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const child = spawn("systemd-notify", assignments, { env: { ...env }, stdio: "ignore", timeout: patienceMs });
    child.once("error", (error) => resolve(`systemd-notify cannot be started: ${thrownText(error)}`));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? undefined : `systemd-notify ended with ${signal ?? `status ${code}`}`),
    );
  });
}
