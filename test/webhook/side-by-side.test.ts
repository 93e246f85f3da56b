import { expect, test } from "vitest";
import { createSideBySide } from "../../src/webhook/side-by-side.ts";

test("who waits in one turn of the event loop goes on step by step beside the others", async () => {
  const sideBySide = createSideBySide();
  const log: string[] = [];
  const call = async (name: string) => {
    log.push(`${name} comes`);
    await sideBySide();
    log.push(`${name} 1`);
    await undefined;
    log.push(`${name} 2`);
  };
  await Promise.all([call("a"), call("b")]);
  expect(log).toEqual(["a comes", "b comes", "a 1", "b 1", "a 2", "b 2"]);
});

test("who comes when a turn is over waits for the next, and not for ever", async () => {
  const sideBySide = createSideBySide();
  const first = sideBySide();
  await first;
  const second = sideBySide();
  expect(second).not.toBe(first);
  expect(sideBySide()).toBe(second);
  await second;
});
