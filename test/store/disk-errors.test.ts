import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AbortedError } from "../../src/core/errors.ts";
import { diskError } from "../../src/store/disk-errors.ts";
import { readableByOthers } from "../../src/store/index.ts";

const failure = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

describe("a failed file operation", () => {
  test.each([
    ["ENOSPC", "TRANSIENT", "the disk is full (ENOSPC)", "Free some space"],
    ["EDQUOT", "TRANSIENT", "the disk quota is used up (EDQUOT)", "Free some space"],
    ["EROFS", "CONFIG", "the file system is read-only (EROFS)", "--state"],
    ["EACCES", "CONFIG", "permission denied (EACCES)", "user"],
    ["ENAMETOOLONG", "CONFIG", "too long", "shorter"],
    ["EXDEV", "CONFIG", "another file system", "Mount"],
    ["EIO", "TRANSIENT", "the disk reports an error", "Check the disk"],
    ["EWEIRD", "UNKNOWN", "EWEIRD: it failed", undefined],
  ])("%s is %s, names the path and says what to do", (code, ours, says, hint) => {
    const cause = failure(code);
    const error = diskError("write", "/state/x", cause);
    expect(error).toMatchObject({ code: ours, cause, operation: "write" });
    expect(error.message).toContain("/state/x");
    expect(error.message).toContain(says);
    if (hint !== undefined) expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
  });

  test("that is an error of ours already stays what it is", () => {
    const ours = new AbortedError("stopped");
    expect(diskError("write", "/state/x", ours)).toBe(ours);
  });
});

describe.skipIf(process.platform === "win32")("a file with a secret", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "dns01-modes-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test("is warned of when every user can read it, and only then", async () => {
    const path = join(dir, "token");
    await writeFile(path, "secret");
    await chmod(path, 0o644);
    expect(await readableByOthers(path)).toBe(
      `${path} holds a secret and can be read by every user (mode 0644); run: chmod 600 ${path}`,
    );
    for (const mode of [0o600, 0o640, 0o400]) {
      await chmod(path, mode);
      expect(await readableByOthers(path)).toBeUndefined();
    }
    expect(await readableByOthers(join(dir, "absent"))).toBeUndefined();
    expect(await readableByOthers("/run/secrets/token")).toBeUndefined();
  });
});
