import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { foreignHand } from "../../src/config/trust.ts";

const user = 4321;
const files = vi.hoisted(() => ({ group: "", passwd: "", gid: 0 }));

// A user with a group of the same number, whoever runs the tests.
vi.mock("node:fs/promises", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs/promises")>();
  const etc: Readonly<Record<string, () => string>> = {
    "/etc/group": () => files.group,
    "/etc/passwd": () => files.passwd,
  };
  return {
    ...fs,
    readFile: async (...args: Parameters<typeof fs.readFile>) =>
      etc[String(args[0])]?.() ?? (await fs.readFile(...args)),
    lstat: async (path: string) => {
      const found = await fs.lstat(path);
      return path.endsWith("dns01.yaml") ? Object.assign(found, { uid: user, gid: files.gid }) : found;
    },
  };
});

let dir = "";
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true, force: true });
});

test.runIf(process.getuid?.() === 0)(
  "a group is private only with the user's own number, without other members, and while it is not another user's first group",
  async () => {
    dir = await mkdtemp(join(tmpdir(), "dns01-trust-"));
    const file = join(dir, "dns01.yaml");
    await writeFile(file, "");
    await chmod(file, 0o664);
    vi.spyOn(process, "geteuid").mockReturnValue(user);
    files.gid = user;
    files.group = `root:x:0:\nalice:x:${user}:\n`;
    files.passwd = `root:x:0:0::/root:/bin/sh\nalice:x:${user}:${user}::/home/alice:/bin/sh\n`;
    expect(await foreignHand(file)).toBeUndefined();
    files.group = `alice:x:${user}:bob\n`;
    expect(await foreignHand(file)).toBe(`group ${user} can write ${file}`);
    files.gid = 8;
    files.group = "mail:x:8:\n";
    expect(await foreignHand(file)).toBe(`group 8 can write ${file}`);
    files.gid = user;
    files.group = `alice:x:${user}:alice\n`;
    expect(await foreignHand(file)).toBeUndefined();
    files.passwd += `carol:x:4322:${user}::/home/carol:/bin/sh\n`;
    expect(await foreignHand(file)).toBe(`group ${user} can write ${file}`);
  },
);
