import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** What cannot hold for an adapter, or cannot be tried, stands in its page with the reason, as the tests have it. */
export function expectInPage(id: string, skip: Readonly<Record<string, string>>): void {
  const reasons = new Map<string, string[]>();
  for (const [rule, reason] of Object.entries(skip)) reasons.set(reason, [...(reasons.get(reason) ?? []), rule]);
  if (reasons.size === 0) return;
  const rows = [...reasons].map(
    ([reason, rules]) => `| ${reason} | ${rules.map((rule) => `\`${rule}\``).join(", ")} |`,
  );
  const table = ["| because | left out |", "| --- | --- |", ...rows].join("\n");
  const path = `docs/providers/parts/${id}.md`;
  const page = readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  const heading = "## Rules left out";
  assert.ok(page.includes(`${heading}\n\n`) && page.includes(table), `${path} lacks:\n\n${heading}\n\n${table}\n`);
}
