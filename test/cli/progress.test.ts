import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { namedObserver } from "../../src/cli/named-observer.ts";
import { createLiveProgress } from "../../src/cli/progress.ts";
import type { Observer, Phase, ServerProgress } from "../../src/core/events.ts";
import { openScreen, type Screen } from "./screen.ts";

const spinner = /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function open(columns: number, rows: number, color = false) {
  const screen = openScreen(columns, rows);
  return { screen, ...createLiveProgress({ write: screen.write, size: screen.size, color }) };
}

/** Time in which the view draws itself a few times. */
const pass = (ms = 1000) => vi.advanceTimersByTime(ms);

function step(observer: Observer, phase: Phase, detail?: string): void {
  const text = detail === undefined ? {} : { detail };
  observer({ type: "phase", phase, state: "start", ...text });
  pass();
  observer({ type: "phase", phase, state: "done" });
}

/** The first server of each name has the value, the second does not yet. */
function poll(observer: Observer, names: number, late = names): void {
  for (let n = 1; n <= names; n++) {
    const owner = `_acme-challenge.h${n}.example.test`;
    const value = `value-of-h${n}`;
    const server = (at: number, isThere: boolean): ServerProgress => ({
      name: `ns${at}.example.test`,
      address: `127.0.0.${at}`,
      zone: "example.test",
      state: isThere ? "match" : "absent",
      values: isThere ? [value] : [],
      missing: isThere ? [] : [value],
      ...(isThere ? { agreedAfterMs: 12 } : {}),
    });
    observer({ type: "propagation.poll", owner, servers: [server(1, true), server(2, n > late)], elapsedMs: 1 });
  }
  pass();
}

const manyNames = Array.from({ length: 20 }, (_, at) => `h${at + 1}.example.test`).join(", ");

/** An order of 20 names whose second nameserver is late. */
async function longOrder(observer: Observer, during: () => Promise<void> = async () => {}): Promise<void> {
  step(observer, "account", "https://127.0.0.1:14000/directory");
  step(observer, "order", manyNames);
  step(observer, "aliases");
  step(observer, "present", "20 value(s) at 20 name(s)");
  observer({ type: "phase", phase: "propagation", state: "start" });
  for (let late = 20; late >= 0; late--) {
    poll(observer, 20, late);
    await during();
  }
  observer({ type: "phase", phase: "propagation", state: "done" });
  observer({ type: "phase", phase: "validation", state: "start", detail: "20 challenge(s) answered" });
  observer({ type: "phase", phase: "validation", state: "done" });
  observer({ type: "phase", phase: "cleanup", state: "start" });
  step(observer, "finalize");
  step(observer, "store");
  observer({ type: "phase", phase: "cleanup", state: "done" });
}

const finished = [
  "account",
  "order",
  "aliases",
  "present",
  "propagation",
  "validation",
  "finalize",
  "store",
  "cleanup",
];

async function phasesOn(screen: Screen): Promise<readonly string[]> {
  return (await screen.history()).map((line) => /^✔ (\w+)/.exec(line)?.[1] ?? line);
}

describe.each([
  [80, 24],
  [40, 10],
  [120, 50],
  [24, 4],
])("on a screen of %i × %i", (columns, rows) => {
  test("an order of 20 names leaves one line per step and nothing else", async () => {
    const { screen, observer, stop } = open(columns, rows);
    await longOrder(observer, async () => {
      const lines = await screen.history();
      expect(lines.filter((line) => line.startsWith("✔ "))).toHaveLength(4);
      expect(lines.filter((line) => spinner.test(line))).toHaveLength(1);
      expect(lines.filter((line) => line.length >= columns)).toEqual([]);
      expect((await screen.visible()).some((line) => spinner.test(line))).toBe(true);
    });
    stop();
    expect(await phasesOn(screen)).toEqual(finished);
  });

  test("four renewals have a line each, and a finished one says how it ended", async () => {
    const { screen, observer, stop } = open(columns, rows);
    const names = ["a.test", "b.test", "c.test", "d.test"];
    const of = new Map(names.map((name) => [name, namedObserver(observer, name)]));
    for (const phase of ["account", "order", "present"] as const) {
      for (const [, one] of of) one({ type: "phase", phase, state: "start", detail: phase });
      pass();
      for (const [, one] of of) one({ type: "phase", phase, state: "done" });
      expect(await screen.history()).toHaveLength(Math.min(names.length, rows / 2));
    }
    for (const [name, one] of of) {
      const isFailed = name === "b.test";
      one({ type: "phase", phase: "propagation", state: "start" });
      one({ type: "phase", phase: "propagation", state: isFailed ? "failed" : "done" });
      one({ type: "phase", phase: "cleanup", state: "start" });
      one({ type: "phase", phase: "cleanup", state: "done" });
      one({ type: "certificate", state: isFailed ? "failed" : "done" });
    }
    stop();
    const marks = (await screen.history()).map((line) => line.split(/ +/).slice(0, 2).join(" "));
    expect(marks).toEqual(["✔ a.test", "✘ b.test", "✔ c.test", "✔ d.test"]);
  });
});

test.each<[string, readonly (readonly [number, number])[]]>([
  [
    "smaller",
    [
      [60, 20],
      [40, 10],
    ],
  ],
  [
    "larger",
    [
      [100, 30],
      [200, 60],
    ],
  ],
  [
    "smaller and larger by turns",
    [
      [79, 24],
      [50, 12],
      [100, 30],
      [40, 10],
      [80, 24],
    ],
  ],
])("a terminal that becomes %s has each step once", async (_, sizes) => {
  const { screen, observer, stop } = open(80, 24);
  const left = [...sizes];
  await longOrder(observer, async () => {
    const next = left.shift();
    if (next !== undefined) await screen.resize(...next);
    pass();
    const visible = await screen.visible();
    expect(visible.filter((line) => spinner.test(line))).toHaveLength(1);
  });
  stop();
  const phases = (await phasesOn(screen)).filter((line) => finished.includes(line));
  expect(phases).toEqual(finished);
  // What left the screen at the top while the terminal wrapped it cannot be taken back.
  expect((await phasesOn(screen)).length - finished.length).toBeLessThan(10 * sizes.length);
});

test("what was drawn before is replaced also where the terminal has wrapped it", async () => {
  const { screen, observer, stop } = open(80, 24);
  screen.write("$ earlier\n".repeat(30));
  const widths = [80, 48];
  await longOrder(observer, async () => {
    await screen.resize(widths.shift() ?? 48, 24);
    pass();
    const lines = (await screen.history()).filter((line) => line !== "$ earlier" && !line.startsWith("✔"));
    expect(lines.length).toBeLessThanOrEqual(8);
    expect(lines.filter((line) => line.length >= screen.size().columns)).toEqual([]);
  });
  stop();
  expect((await phasesOn(screen)).filter((line) => line !== "$ earlier")).toEqual(finished);
});

test("a pair of names shows every value at every nameserver", async () => {
  const { screen, observer } = open(80, 24);
  observer({ type: "phase", phase: "propagation", state: "start" });
  poll(observer, 1);
  const lines = await screen.visible();
  expect(lines).toContain("  _acme-challenge.h1.example.test");
  expect(lines.some((line) => /ns1\.example\.test +127\.0\.0\.1 +✔ value-of… +12 ms/.test(line))).toBe(true);
  expect(lines.some((line) => /ns2\.example\.test +127\.0\.0\.2 +· value-of… +absent/.test(line))).toBe(true);
});

test("of many nameservers those that are awaited are shown, and how many more there are", async () => {
  const { screen, observer } = open(80, 24);
  observer({ type: "phase", phase: "propagation", state: "start" });
  poll(observer, 20, 15);
  const text = (await screen.visible()).join("\n");
  expect(text).toMatch(/propagation 25 of 40 answers agree/);
  expect(text).toMatch(/^ {2}h1\.example\.test +ns2\.example\.test +127\.0\.0\.2 +absent$/m);
  expect(text).not.toContain("h20.");
  const [, more = "0"] = /… and (\d+) more/.exec(text) ?? [];
  expect(text.match(/ absent/g)).toHaveLength(15 - Number(more));
});

test("a failed step is marked, whether the engine says so or the command ends", async () => {
  const { screen, observer, stop } = open(80, 24);
  observer({ type: "phase", phase: "validation", state: "start", detail: "1 challenge(s) answered" });
  pass();
  observer({ type: "phase", phase: "validation", state: "failed" });
  observer({ type: "phase", phase: "cleanup", state: "start" });
  pass();
  stop();
  pass();
  const [validation, cleanup, ...rest] = await screen.history();
  expect(validation).toMatch(/^✘ validation {2}1 challenge\(s\) answered 1(\.0)? s$/);
  expect(cleanup).toMatch(/^✘ cleanup/);
  expect(rest).toEqual([]);
});

test("a warning stands whole above the steps in work", async () => {
  const { screen, observer } = open(40, 10);
  observer({ type: "phase", phase: "present", state: "start" });
  pass();
  const text = `${"ab".repeat(40)} is long`;
  observer({ type: "warning", code: "W_LEFTOVER", text });
  pass();
  const lines = await screen.history();
  expect(lines.join("")).toContain(`warn: ${text} [W_LEFTOVER]`);
  expect(lines.filter((line) => spinner.test(line))).toEqual([lines.at(-1)]);
});

test("characters that take two columns do not break a line", async () => {
  const { screen, observer, stop } = open(40, 10);
  step(observer, "hook", "重新加载网络服务器并通知所有人重新加载网络服务器并通知所有人");
  stop();
  const lines = await screen.history();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^✔ hook {8}重新加.*… 1(\.0)? s$/);
});

test.each([[true], [false]])("colors are written only where they are wanted: %s", (color) => {
  const { screen, observer, stop } = open(80, 24, color);
  step(observer, "account");
  stop();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for.
  expect(/\u001b\[\d+m/.test(screen.written())).toBe(color);
});
