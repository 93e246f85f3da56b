import { test } from "node:test";
import { testProvider } from "../../src/testing/index.ts";
import { shapes, worldSubject } from "./world.ts";

const skip = { "concurrency.interleavings": "only to see a reason printed" };
const { direct } = shapes;

testProvider(test, worldSubject("right", shapes.record, { skip }), { seed: 7, operations: 20 });

// A backend that breaks one rule, to see that a runner other than vitest is told.
testProvider(
  test,
  worldSubject("wrong", (world) => ({
    ...direct(world),
    apply: (zone, edits, call) =>
      direct(world).apply(
        zone,
        edits.map((edit) => ({ ...edit, add: edit.add.map((value) => value.toLowerCase()) })),
        call,
      ),
  })),
  { seed: 7, operations: 20 },
);
