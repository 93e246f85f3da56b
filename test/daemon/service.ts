import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, startCli } from "../real/lab/cli.ts";

/** One `dns01 run`, with its folder. */
export interface Service extends Running {
  /** Lines of its log so far. */
  lines(): readonly Line[];
  /** The first line that fits, as soon as there is one; fails when it ends before. */
  line(fits: (line: Line) => boolean): Promise<Line>;
  /** "127.0.0.1:PORT" of /healthz and /metrics. */
  address(): Promise<string>;
  /** Highest memory in use so far, in megabytes. */
  peakMb(): number;
}

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly certificate?: string;
  readonly event?: string;
  readonly address?: string;
}

export interface Folder {
  readonly dir: string;
  readonly state: string;
  readonly config: string;
  write(config: object): void;
}

/** A folder with a configuration file (JSON is YAML) and a state folder below. */
export function makeFolder(config: object): Folder {
  const dir = mkdtempSync(join(tmpdir(), "dns01-run-"));
  const file = join(dir, "dns01.yaml");
  const write = (content: object) => writeFileSync(file, JSON.stringify(content));
  write(config);
  return { dir, state: join(dir, "state"), config: file, write };
}

export function startService(
  folder: Folder,
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Service {
  const all = ["run", "--config", folder.config, "--state", folder.state, "--log-format", "json", ...args];
  const running = startCli([...all, "--listen", "127.0.0.1:0"], env, folder.dir);
  const ended = running.done.then(({ status, stderr }) => {
    throw new Error(`dns01 run ended with ${status}: ${stderr.slice(-2000)}`);
  });
  ended.catch(() => {});
  const lines = () =>
    running
      .stderr()
      .split("\n")
      .slice(0, -1)
      .map((text) => parsed(text));
  const line = async (fits: (line: Line) => boolean): Promise<Line> => {
    for (;;) {
      const found = lines().find(fits);
      if (found !== undefined) return found;
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  };
  return {
    ...running,
    lines,
    line,
    address: async () => (await line((l) => l.address !== undefined)).address ?? "",
    peakMb: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${running.child.pid}/status`, "utf8"))?.[1]) / 1024,
  };
}

/** What is no JSON was written before the log was open. */
function parsed(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return { level: "raw", message: text };
  }
}
