import { expect, test } from "vitest";
import { describeEvent } from "../../src/telemetry/log.ts";

test.each([
  ["", "propagation: why; 1500 ms"],
  ["_acme-challenge.example.test", "propagation _acme-challenge.example.test: why; 1500 ms"],
])("a wait for %j names its owner, and none where it is for all", (owner, text) => {
  expect(describeEvent({ type: "propagation.wait", owner, waitMs: 1_500, reason: "why" })).toMatchObject({
    level: "info",
    text,
  });
});
