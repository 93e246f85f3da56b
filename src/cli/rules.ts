import { systemClock } from "../core/clock.ts";
import { thrownText } from "../core/thrown.ts";
import { withTimeLimit } from "../core/time-limit.ts";
import { type Case, runCase, type Subject } from "../testing/index.ts";

export interface RuleResult {
  readonly id: string;
  readonly title: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** Why it failed or was left out. */
  readonly reason?: string;
  readonly durationMs: number;
}

export interface RulesOptions {
  readonly rules: readonly Case[];
  readonly seed: number;
  readonly operations: number;
  /** Longest time for one rule: a provider that never answers must not hold up the others for ever. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly onResult?: (result: RuleResult) => void;
}

/** Runs one rule after the other, each on a fresh service. Rejects only when the signal fires. */
export async function runRules(subject: Subject, options: RulesOptions): Promise<readonly RuleResult[]> {
  const results: RuleResult[] = [];
  for (const rule of options.rules) {
    const result = await runRule(rule, subject, options);
    options.onResult?.(result);
    results.push(result);
  }
  return results;
}

async function runRule(rule: Case, subject: Subject, options: RulesOptions): Promise<RuleResult> {
  const { id, title } = rule;
  const { seed, operations, limitMs: timeoutMs, signal } = options;
  const reason = subject.skip?.[id];
  if (reason !== undefined) return { id, title, outcome: "skip", reason, durationMs: 0 };
  const startedAt = systemClock.now();
  const durationMs = () => Math.round(systemClock.now() - startedAt);
  const late = () => new Error(`not over after ${timeoutMs / 1000} s`);
  try {
    let untried: string | undefined;
    const run = () => runCase(rule, subject, { seed, operations, onUntried: (why) => (untried = why) });
    await withTimeLimit(run, { timeoutMs, late, signal, clock: systemClock });
    if (untried !== undefined) return { id, title, outcome: "skip", reason: untried, durationMs: durationMs() };
    return { id, title, outcome: "pass", durationMs: durationMs() };
  } catch (error) {
    signal.throwIfAborted();
    return { id, title, outcome: "fail", reason: thrownText(error), durationMs: durationMs() };
  }
}

/** One line for each rule, and what is wrong below it; the same words are said once. */
export function ruleLines(results: readonly RuleResult[]): readonly string[] {
  const width = Math.max(...results.map(({ id }) => id.length));
  const saidBy = new Map<string, string>();
  return results.flatMap(({ id, title, outcome, reason = "" }) => {
    const line = `  ${{ pass: "✔", fail: "✘", skip: "–" }[outcome]} ${id.padEnd(width)}  ${title}`;
    if (outcome === "pass") return [line];
    if (outcome === "skip") return [`${line} (skipped: ${reason})`];
    const before = saidBy.get(reason);
    saidBy.set(reason, before ?? id);
    return [
      line,
      ...(before === undefined ? reason : `as ${before}`).split("\n").map((text) => `      ${text}`.trimEnd()),
    ];
  });
}
