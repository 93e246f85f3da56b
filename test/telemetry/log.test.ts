import { expect, test } from "vitest";
import { createLog, describeEvent } from "../../src/telemetry/log.ts";

test.each([
  ["", "propagation: why; 1500 ms"],
  ["_acme-challenge.example.test", "propagation _acme-challenge.example.test: why; 1500 ms"],
])("a wait for %j names its owner, and none where it is for all", (owner, text) => {
  expect(describeEvent({ type: "propagation.wait", owner, waitMs: 1_500, reason: "why" })).toMatchObject({
    level: "info",
    text,
  });
});

test("a line for people holds nothing that a terminal obeys; one for machines has it escaped", () => {
  const lines: string[] = [];
  for (const format of ["text", "json"] as const)
    createLog({ level: "info", format, write: (text) => void lines.push(text), now: () => new Date(0) })({
      type: "log",
      level: "info",
      text: "hook: \u001b[2Jdone\tat last\r\nand more",
    });
  expect(lines[0]).toBe("hook:  [2Jdone\tat last\nand more\n");
  expect(lines[1]).toContain("\\u001b[2J");
});
