import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import { findService } from "./services.ts";

/** A line a server wrote, with the moment it arrived here (milliseconds of the epoch). */
export interface LogLine {
  readonly at: number;
  readonly text: string;
}

/** A server we started. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly log: readonly LogLine[];
  /** Called for each line as it arrives. */
  onLine(listener: (line: LogLine) => void): void;
  /** The exit as text, or undefined while it runs. */
  readonly ended: string | undefined;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL if it is still there after two seconds. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** One lab's folder and everything that was started in it. */
export interface Site {
  readonly dir: string;
  readonly servers: Server[];
}

/**
 * Starts a server in the foreground. Its output is kept in the site's folder as `name`.log. When this process dies, by whatever
 * means, the kernel tells the server to end (PR_SET_PDEATHSIG by util-linux' setpriv).
 */
export function startServer(
  site: Site,
  name: string,
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Server {
  const setpriv = findService("setpriv");
  const [file, ...args] =
    setpriv === undefined ? command : ([setpriv, "--pdeathsig", "SIGTERM", "--", ...command] as const);
  const child = spawn(file, args, {
    cwd: site.dir,
    env: { PATH: process.env["PATH"], HOME: site.dir, LC_ALL: "C", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const log: LogLine[] = [];
  const listeners: ((line: LogLine) => void)[] = [];
  let ended: string | undefined;
  const exit = new Promise<void>((resolve) => {
    const end = (text: string) => {
      ended ??= text;
      running.delete(child);
      resolve();
    };
    child.once("error", (cause) => end(cause.message));
    child.once("close", (code, signal) => end(signal ?? `exit ${code}`));
  });
  const take = (text: string) => {
    const line = { at: Date.now(), text };
    log.push(line);
    for (const listener of listeners) listener(line);
  };
  follow(child, createWriteStream(join(site.dir, `${name}.log`)), take);
  const server: Server = {
    name,
    pid: child.pid ?? -1,
    log,
    get ended() {
      return ended;
    },
    onLine: (listener) => void listeners.push(listener),
    signal: (signal) => void child.kill(signal),
    async stop() {
      if (ended === undefined) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
      await exit;
      clearTimeout(timer);
    },
  };
  site.servers.push(server);
  return server;
}

function follow(child: ChildProcess, copy: WriteStream, take: (text: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      copy.write(chunk);
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) take(line);
    });
  }
  child.once("close", () => copy.end());
}

/** Repeats `probe` until it is true; throws with the last lines of the server's log when it ended or never is. */
export async function whenReady(server: Server, probe: () => Promise<boolean>, timeoutMs = 8000): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (server.ended === undefined && (await probe())) return;
    if (server.ended !== undefined || Date.now() > end) {
      const tail = server.log.slice(-15).map((line) => line.text);
      throw new Error(`${server.name} ${server.ended ?? "is not ready"}:\n  ${tail.join("\n  ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
