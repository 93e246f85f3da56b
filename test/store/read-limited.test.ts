import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readLimited, readRegular } from "../../src/store/read-limited.ts";

const kilobyte = 1024;
let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), "dns01-read-")), "file");
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(join(path, ".."), { recursive: true, force: true });
});

test.each([
  ["readLimited", readLimited],
  ["readRegular", readRegular],
])("%s takes little memory for a small file, since thousands are read at once", async (_, read) => {
  await writeFile(path, "small");
  const alloc = vi.spyOn(Buffer, "alloc");
  expect((await read(path, 16 * kilobyte * kilobyte)).toString()).toBe("small");
  const sizes = alloc.mock.calls.map(([size]) => size);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(64 * kilobyte);
});

test.each([0, 1, 16 * kilobyte - 1, 16 * kilobyte, 16 * kilobyte + 1, 3_000_000])(
  "a file of %i octets is read whole, and refused above the limit",
  async (size) => {
    const content = randomBytes(size);
    await writeFile(path, content);
    for (const read of [readLimited, readRegular]) {
      expect((await read(path, size)).equals(content)).toBe(true);
      if (size > 0) await expect(read(path, size - 1)).rejects.toMatchObject({ code: "EFBIG" });
    }
  },
);
