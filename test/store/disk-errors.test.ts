import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AbortedError } from "../../src/core/errors.ts";
import { diskError } from "../../src/store/disk-errors.ts";
import { readableByOthers } from "../../src/store/files.ts";
import { openStore } from "../../src/store/index.ts";
import { makePair, metaOf } from "./pair.ts";

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

  test("is warned of when its group or every user can read it, and only then", async () => {
    const path = join(dir, "token");
    await writeFile(path, "secret");
    await chmod(path, 0o644);
    expect(await readableByOthers(path)).toBe(
      `${path} holds a secret and can be read by every user (mode 0644); run: chmod 600 ${path}`,
    );
    await chmod(path, 0o640);
    expect(await readableByOthers(path)).toBe(
      `${path} holds a secret and can be read by its group (mode 0640); run: chmod 600 ${path}`,
    );
    for (const mode of [0o600, 0o400]) {
      await chmod(path, mode);
      expect(await readableByOthers(path)).toBeUndefined();
    }
    expect(await readableByOthers(join(dir, "absent"))).toBeUndefined();
    expect(await readableByOthers("/run/secrets/token")).toBeUndefined();
  });
});

describe.skipIf(process.platform === "win32")("a state folder", () => {
  let dir: string;
  let warnings: string[];
  const open = () =>
    openStore(dir, {
      observer: (event) => {
        if (event.type === "warning") warnings.push(`${event.code}: ${event.text}`);
      },
    });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "dns01-modes-"));
    warnings = [];
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test.each([
    [0o777, "every user"],
    [0o773, "every user"],
    [0o770, "its group"],
    [0o755, undefined],
    [0o700, undefined],
  ])("of mode %o is warned of when others could replace files in it", async (mode, who) => {
    await chmod(dir, mode);
    await open();
    const text = `the state folder ${dir} can be written by ${who} (mode 0${mode.toString(8)})`;
    const all = `W_FILE_MODE: ${text}: keys and certificates in it can be replaced; run: chmod 700 ${dir}`;
    expect(warnings).toEqual(who === undefined ? [] : [all]);
  });

  test("with keys that others can read is warned of once for each key", async () => {
    const store = await open();
    const { cert, privkey, serial } = await makePair("01aa");
    const files = await store.certificates.save("c", { cert, chain: "", privkey }, metaOf("c", serial));
    const ca = "https://ca.test/directory";
    await store.accounts.save({ ca, privkey, contact: [] });
    const account = join(dir, "accounts/ca.test+directory/key.pem");
    await Promise.all([store.certificates.load("c"), store.accounts.load(ca)]);
    expect(warnings).toEqual([]);
    await chmod(files.privkey ?? "", 0o644);
    await chmod(files.cert, 0o644);
    await chmod(account, 0o640);
    for (let i = 0; i < 2; i++) await Promise.all([store.certificates.load("c"), store.accounts.load(ca)]);
    expect(warnings.sort()).toEqual([
      expect.stringMatching(/accounts.*key\.pem holds a secret and can be read by its group \(mode 0640\)/),
      expect.stringMatching(/privkey\.pem holds a secret and can be read by every user \(mode 0644\)/),
    ]);
  });
});
