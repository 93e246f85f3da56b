import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Milliseconds from start to exit; throws when the exit status is another than 0. */
export async function timed(file: string, args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn(file, args, { stdio: "ignore" });
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("exit", resolve),
  );
  if (status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${status}`);
  return performance.now() - begun;
}

/**
 * Largest resident set of a process in MiB, as the kernel's own high-water mark, looked up until the process is gone.
 * Growth within the last five milliseconds of its life is missed.
 */
export function peakMemory(child: ChildProcess): () => number {
  let peak = 0;
  const look = () => {
    try {
      const text = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024);
    } catch {
      clearInterval(timer);
    }
  };
  const timer = setInterval(look, 5);
  child.once("exit", () => clearInterval(timer));
  return () => peak;
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
