import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { dns01 } from "./program.ts";

vi.setConfig({ testTimeout: 300_000 });

/**
 * Plugins and fakes as they were written before a rule was: acmehost from the page for authors of version 0.1.0 and its
 * template, sethost from the template for sets, maphost with a service of its own. They stay as they are.
 */
const cwd = fileURLToPath(new URL("written-before", import.meta.url));

interface Report {
  readonly failed: number;
  readonly rules: readonly { readonly id: string; readonly outcome: string; readonly reason?: string }[];
}

async function rulesOf(plugin: string): Promise<ReadonlyMap<string, string>> {
  const { stdout, status } = await dns01(["plugin", "test", `./${plugin}.mjs`, "--operations", "50", "--json"], {
    cwd,
  });
  const { rules, failed } = JSON.parse(stdout) as Report;
  expect(rules.filter(({ outcome }) => outcome === "fail")).toEqual([]);
  expect([failed, status]).toEqual([0, 0]);
  return new Map(rules.map(({ id, outcome, reason }) => [id, reason ?? outcome]));
}

const later = [
  "siblings.octets",
  "faults.last",
  "faults.not-found-page",
  "errors.signal",
  "errors.retry-after",
  "errors.one-zone",
];

test("a plugin from the page for authors keeps every rule that was written after it", async () => {
  const rules = await rulesOf("acmehost");
  expect(later.map((id) => rules.get(id))).toEqual(later.map(() => "pass"));
});

test("a fake that quotes without escapes and refuses in its own ways is skipped where it cannot be tried", async () => {
  const rules = await rulesOf("sethost");
  expect(later.map((id) => rules.get(id))).toEqual([
    expect.stringContaining("the fake does not show values with quotes"),
    "pass",
    "pass",
    "pass",
    "the fake does not offer throttleFor",
    "the fake does not offer limitTo",
  ]);
});

test("a service of one's own is skipped for each rule whose ability it lacks, and the reason is printed", async () => {
  const rules = await rulesOf("maphost");
  expect(later.map((id) => rules.get(id))).toEqual([
    "the fake does not offer takesAnyText",
    "the fake does not offer inject",
    // What its author has left out leaves out the rules that build on it.
    "builds on faults.page: a map has no bad days",
    "builds on errors.abort: a map has no bad days",
    "builds on faults.throttle: a map has no bad days",
    "builds on errors.credentials: a map has no bad days",
  ]);
  const { stdout } = await dns01(["plugin", "test", "./maphost.mjs", "--rule", "faults.last"], { cwd });
  expect(stdout).toMatch(/– faults\.last .*\(skipped: the fake does not offer inject\)/);
  expect(stdout).toContain("0 rules hold, 0 fail, 1 skipped");
});
