import { chmod, chown, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test as sequentially, vi } from "vitest";
import { dns01 } from "./program.ts";

// Most of the time goes to starting Node, and a busy machine takes its own.
vi.setConfig({ testTimeout: 60_000 });

const test = sequentially.concurrent;
const stranger = 54_321;
/** Only root can give files to another user. */
const isRoot = process.getuid?.() === 0;
const asRoot = sequentially.runIf(isRoot);
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-found-config-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A folder with dns01.yaml, a plugin as a file and a plugin as a package; each leaves a file when it runs. */
async function folder() {
  const cwd = await mkdtemp(join(dir, "case-"));
  const plugin = (id: string) => `import { writeFileSync } from "node:fs";
import { defineProvider, z } from "dns01";
writeFileSync(${JSON.stringify(join(cwd, "ran"))}, "ran");
export default defineProvider({
  id: "${id}", title: "${id}", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({ findZone: async () => undefined, apply: async () => [] }),
});
`;
  await mkdir(join(cwd, "plugins"));
  await mkdir(join(cwd, "node_modules/packed"), { recursive: true });
  await writeFile(join(cwd, "plugins/filed.mjs"), plugin("filed"));
  await writeFile(join(cwd, "node_modules/packed/index.mjs"), plugin("packed"));
  const exports = { ".": { import: "./index.mjs" } };
  await writeFile(join(cwd, "node_modules/packed/package.json"), JSON.stringify({ name: "packed", exports }));
  await writeFile(join(cwd, "dns01.yaml"), "plugins: [./plugins/filed.mjs, packed]\nsolvers: [{ provider: filed }]\n");
  return {
    cwd,
    at: (path: string) => join(cwd, path),
    run: (...args: string[]) => dns01([...args, "--json"], { cwd, env: { DNS01_STATE: join(cwd, "state") } }),
    ran: () =>
      readFile(join(cwd, "ran"))
        .then(() => true)
        .catch(() => false),
  };
}

type Folder = Awaited<ReturnType<typeof folder>>;

async function refused({ run, ran }: Folder, reason: RegExp, ...args: string[]): Promise<void> {
  const { status, stdout } = await run(...args);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
  expect(error.message).toMatch(reason);
  expect(error.message).toContain("dns01.yaml");
  expect(error.hint).toContain("--config dns01.yaml");
  expect(error.code).toBe("CONFIG");
  expect(status).toBe(2);
  expect(await ran()).toBe(false);
}

describe("a dns01.yaml that was found and not named", () => {
  test("counts when only its user can change it, and so do its plugins", async () => {
    const mine = await folder();
    const { stdout, status } = await mine.run("providers");
    expect(stdout).toContain('"filed"');
    expect(stdout).toContain('"packed"');
    expect(status).toBe(0);
  });

  test.each(
    [
      "providers",
      "config check",
      "config schema",
      "issue -d example.test",
      "renew",
      "renew --show-config",
      "run",
      "present _acme-challenge.example.test x",
      "cleanup _acme-challenge.example.test x",
      "check _acme-challenge.example.test x",
      "account show",
      "webhook --kubeconfig none",
      "webhook check",
      "webhook validate issuer.yaml",
    ].map((line) => [line]),
  )("is refused by %s when every user can write its folder, and no plugin runs", async (line) => {
    const open = await folder();
    await chmod(open.cwd, 0o777);
    await refused(open, /every user can write .*case-/, ...line.split(" "));
  });

  test.each([
    ["the file", "dns01.yaml"],
    ["a plugin", "plugins/filed.mjs"],
    ["the folder of a plugin", "plugins"],
    ["the module of a package", "node_modules/packed/index.mjs"],
    ["the folder of a package", "node_modules/packed"],
  ])("is refused when every user can write %s", async (_, path) => {
    const open = await folder();
    await chmod(open.at(path), 0o777);
    await refused(open, new RegExp(`every user can write .*${path}$`), "providers");
  });

  asRoot.each([
    ["the file", "dns01.yaml"],
    ["its folder", ""],
    ["a plugin", "plugins/filed.mjs"],
    ["the folder of a plugin", "plugins"],
    ["the module of a package", "node_modules/packed/index.mjs"],
  ])("is refused when another user owns %s", async (_, path) => {
    const theirs = await folder();
    await chown(theirs.at(path), stranger, stranger);
    await refused(theirs, /belongs to user 54321$/, "providers");
  });

  asRoot("is refused when a group other than the user's own can write it", async () => {
    const shared = await folder();
    await chown(shared.at("dns01.yaml"), 0, stranger);
    await chmod(shared.at("dns01.yaml"), 0o664);
    await refused(shared, /group 54321 can write .*dns01\.yaml/, "providers");
  });

  test("counts when the group that can write it has the user as its only member", async ({ skip }) => {
    const uid = process.getuid?.();
    const groups = await readFile("/etc/group", "utf8");
    if (!new RegExp(`^[^:]+:[^:]*:${uid}:$`, "m").test(groups)) skip("this user has no group of its own");
    const mine = await folder();
    await chmod(mine.at("dns01.yaml"), 0o664);
    expect((await mine.run("providers")).status).toBe(0);
  });

  test("is refused when a link leads to a file in a folder that every user can write, sticky or not", async () => {
    const linked = await folder();
    await mkdir(linked.at("sticky"));
    await link(linked.at("dns01.yaml"), linked.at("sticky/real.yaml"));
    await rm(linked.at("dns01.yaml"));
    await symlink("sticky/real.yaml", linked.at("dns01.yaml"));
    await chmod(linked.at("sticky"), 0o1777);
    await refused(linked, /every user can write .*sticky/, "providers");
  });

  test("is refused when every user can write a folder further up, unless that one is sticky", async () => {
    const deep = await folder();
    const cwd = deep.at("plugins/own");
    await mkdir(cwd);
    await writeFile(join(cwd, "dns01.yaml"), "solvers: [{ provider: rfc2136 }]\n");
    await chmod(deep.at("plugins"), 0o777);
    expect((await dns01(["providers"], { cwd })).stderr).toMatch(/every user can write .*plugins/);
    await chmod(deep.at("plugins"), 0o1777);
    expect((await dns01(["providers"], { cwd })).status).toBe(0);
  });

  // Root's is /etc/dns01, which is not a test's to write.
  sequentially.skipIf(isRoot)("is refused in the configuration folder as well", async () => {
    const mine = await folder();
    const home = await mkdtemp(join(dir, "home-"));
    await mkdir(join(home, ".config/dns01"), { recursive: true });
    await writeFile(join(home, ".config/dns01/dns01.yaml"), "{}\n");
    await chmod(join(home, ".config/dns01/dns01.yaml"), 0o666);
    const { status, stderr } = await dns01(["providers"], { cwd: mine.at("plugins"), env: { HOME: home } });
    expect(stderr).toMatch(/every user can write .*dns01\.yaml/);
    expect(status).toBe(2);
  });

  test("is not missed in a folder that every user can write", async () => {
    const open = await folder();
    await rm(open.at("dns01.yaml"));
    await chmod(open.cwd, 0o777);
    expect((await open.run("providers")).status).toBe(0);
  });

  test("counts, whatever its owner and mode, once the user names it", async () => {
    const open = await folder();
    await chmod(open.cwd, 0o777);
    expect((await open.run("providers", "--config", "dns01.yaml")).status).toBe(0);
    expect((await open.run("config", "check", "dns01.yaml")).status).toBe(0);
    const byName = await dns01(["providers"], { cwd: open.cwd, env: { DNS01_CONFIG: "dns01.yaml" } });
    expect(byName.status).toBe(0);
    expect(await open.ran()).toBe(true);
  });
});
