import { expect, test } from "vitest";
import { TransientError } from "../../src/core/errors.ts";
import { createDiskWatch } from "../../src/daemon/disk-watch.ts";

const full = new TransientError("/state/certificates: cannot write: the disk is full (ENOSPC)");

test("a state folder that cannot be written is named once in the log, and as long as it lasts in the fault", async () => {
  let found: TransientError | undefined;
  const lines: string[] = [];
  const watch = createDiskWatch({
    dir: "/state",
    probe: async () => found,
    info: (text) => void lines.push(text),
    warn: (text) => void lines.push(text),
  });
  await watch.check();
  expect(watch.fault()).toBeUndefined();
  found = full;
  expect(await watch.check()).toBe(full);
  await watch.check();
  expect(watch.fault()).toBe(`the state folder /state cannot be written: ${full.message}`);
  found = undefined;
  await watch.check();
  await watch.check();
  expect(watch.fault()).toBeUndefined();
  expect(lines).toEqual([
    `the state folder /state cannot be written: ${full.message}. It is tried again every minute.`,
    "the state folder /state can be written again",
  ]);
});

test("tries that begin together are one", async () => {
  let probes = 0;
  const probe = async () => {
    probes += 1;
    return undefined;
  };
  const watch = createDiskWatch({ dir: "/state", probe, info: () => {}, warn: () => {} });
  await Promise.all([watch.check(), watch.check(), watch.check()]);
  expect(probes).toBe(1);
  await watch.check();
  expect(probes).toBe(2);
});
