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
  // Each line is read once: the sandbox may run in this process, and must not wait for its turn.
  const known: Line[] = [];
  let seen = 0;
  const lines = (): readonly Line[] => {
    const text = running.stderr();
    for (let end = text.indexOf("\n", seen); end !== -1; end = text.indexOf("\n", seen)) {
      known.push(parsed(text.slice(seen, end)));
      seen = end + 1;
    }
    return known;
  };
  const line = async (fits: (line: Line) => boolean): Promise<Line> => {
    for (let next = 0; ; ) {
      for (const all = lines(); next < all.length; next++) {
        const one = all[next];
        if (one !== undefined && fits(one)) return one;
      }
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
