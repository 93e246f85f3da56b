import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { providers } from "../../providers/index.ts";
import { readProviderPage } from "../../src/cli/provider-page.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { loadProvider } from "../../src/providers.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const home = new URL("../../src/", import.meta.url);
/** Nothing to sign in to: one keeps values to itself, the other does whatever the user's program does. */
const withoutRights = ["memory", "exec"];
const ids = Object.keys(providers);

test.each(ids.filter((id) => !withoutRights.includes(id)))(
  "%s: permissions, whole and nothing but them",
  async (id) => {
    const { permissions = "" } = await readProviderPage(id, home);
    expect(permissions.length).toBeGreaterThan(60);
    expect(permissions).not.toMatch(/^## /m);
    // Links to other pages of the package are paths that exist.
    expect(permissions).not.toMatch(/\]\((?!https?:)/);
    for (const [, path = ""] of permissions.matchAll(/\(([^()\s]+\.md)(#[^)]*)?\)/g)) {
      expect(existsSync(path), path).toBe(true);
    }
    expect(permissions.match(/^```/gm)?.length ?? 0).toSatisfy((n: number) => n % 2 === 0);
  },
);

test.each(ids.filter((id) => id !== "memory"))("%s: what the example sets is a whole configuration", async (id) => {
  const { example = "" } = await readProviderPage(id, home);
  expect(example).toMatch(new RegExp(`^dns01 issue -d example\\.com .* -p ${id}$`, "m"));
  const env = Object.fromEntries(
    [...example.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = "", value]) => [
      name,
      value?.replace("…", "0123456789"),
    ]),
  );
  expect(Object.keys(env)).not.toEqual([]);
  const provider = await loadProvider(id);
  await resolveConfig(provider, { env, readFile: async () => "c2VjcmV0LXNlY3JldA==" });
});

test("a provider without a page has neither", async () => {
  expect(await readProviderPage("of-a-plugin", home)).toEqual({ permissions: undefined, example: undefined });
});

test("the command shows both, for people and in its document", async () => {
  const run = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [main, "providers", "rfc2136", ...args])).stdout;
  const { permissions, example } = JSON.parse(await run("--json")) as Record<string, string>;
  expect(permissions).toContain("update-policy");
  expect(example).toContain("export RFC2136_TSIG_KEY_NAME=");
  const text = await run();
  expect(text).toMatch(/^permissions\n {2}The key needs TXT records/m);
  expect(text).toMatch(/^example\n {2}export RFC2136_NAMESERVER=/m);
});
