import { expect, test } from "vitest";
import { providers } from "../../providers/index.ts";
import { readFlags } from "../../src/cli/args.ts";
import { noProviderFlags, readProviderFlags } from "../../src/cli/provider-flags.ts";
import { showConfig } from "../../src/cli/show-config.ts";
import { commands, globalFlags } from "../../src/cli/spec.ts";
import { createRegistry } from "../../src/providers.ts";

const env = {
  RFC2136_NAMESERVER: "192.0.2.53",
  RFC2136_TSIG_KEY: "a-key",
  RFC2136_TSIG_SECRET: "c2VjcmV0LXNlY3JldA==",
};
const registry = createRegistry(providers);

async function read(args: readonly string[]) {
  const more = await readProviderFlags("rfc2136", registry);
  const specs = [...globalFlags, ...more.specs];
  const { flags, issues } = readFlags(args, specs, env, more.secrets);
  return { issues, text: showConfig(flags, specs, more, env) };
}

test("values of the provider are shown with the variable they come from, secrets masked", async () => {
  const { text } = await read(["--rfc2136-transport", "udp"]);
  expect(text).toMatch(/^rfc2136\.nameserver +192\.0\.2\.53 +RFC2136_NAMESERVER$/m);
  expect(text).toMatch(/^rfc2136\.tsigSecret +\*\*\* +RFC2136_TSIG_SECRET$/m);
  expect(text).toMatch(/^rfc2136\.transport +udp +--rfc2136-transport$/m);
  expect(text).not.toContain(env.RFC2136_TSIG_SECRET);
});

test("every row has a name of its own: a provider's field may be called as a flag is", async () => {
  const more = await readProviderFlags("rfc2136", registry);
  const specs = [...globalFlags, ...(commands.find((c) => c.name === "issue")?.flags ?? []), ...more.specs];
  const args = ["--json", "--nameserver", "192.0.2.1", "--rfc2136-nameserver", "192.0.2.2"];
  const { settings } = JSON.parse(showConfig(readFlags(args, specs, {}, more.secrets).flags, specs, more, {})) as {
    settings: { name: string; value: string | null }[];
  };
  const names = settings.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  const servers = settings.filter(({ name }) => name.endsWith("nameserver")).map(({ name, value }) => [name, value]);
  expect(servers).toEqual([
    ["nameserver", "192.0.2.1"],
    ["rfc2136.nameserver", "192.0.2.2"],
  ]);
});

test("the state folder that counts without a word is shown, too", async () => {
  expect((await read([])).text).toMatch(/^state +\S*dns01 +default$/m);
  expect((await read(["--state", "here"])).text).toMatch(/^state +here +--state$/m);
});

test("with --json it is one document", async () => {
  const { settings } = JSON.parse((await read(["--json"])).text) as { settings: { name: string }[] };
  expect(settings).toContainEqual({ name: "rfc2136.nameserver", value: "192.0.2.53", source: "RFC2136_NAMESERVER" });
  expect(settings).toContainEqual({ name: "rfc2136.tsigSecret", value: "***", source: "RFC2136_TSIG_SECRET" });
});

test("a secret given as a flag is refused with the variable to use, and its value is not repeated", async () => {
  for (const args of [["--rfc2136-tsig-secret", "hunter2hunter2"], ["--rfc2136-tsig-secret=hunter2hunter2"]]) {
    const { issues } = await read(args);
    expect(issues).toEqual([
      { path: "--rfc2136-tsig-secret", message: expect.stringContaining("RFC2136_TSIG_SECRET_FILE") },
    ]);
    expect(JSON.stringify(issues)).not.toContain("hunter2");
  }
});

test("a secret whose flag names a file is shown with its variable, too, and masked", () => {
  const specs = commands.find((c) => c.name === "issue")?.flags ?? [];
  for (const variable of ["DNS01_EAB_HMAC_KEY", "DNS01_EAB_HMAC_KEY_FILE"]) {
    const held = { [variable]: "c2VjcmV0LWhtYWM" };
    const text = showConfig(readFlags([], specs, held).flags, specs, noProviderFlags, held);
    expect(text).toMatch(new RegExp(`^eab-hmac-key +\\*{3} +${variable}$`, "m"));
    expect(text).not.toContain("c2VjcmV0LWhtYWM");
  }
});

test("a login in an address is masked: commands refuse it because it would be printed", () => {
  const specs = commands.find((c) => c.name === "issue")?.flags ?? [];
  const given = { DNS01_CA: "https://u:hunter2@ca.example/dir", DNS01_RESOLVER: "https://u:hun@ter2@dns.example/q" };
  const text = showConfig(readFlags([], specs, given).flags, specs, { provider: "", fields: [] }, given);
  expect(text).not.toContain("ter2");
  expect(text).toContain("https://***@ca.example/dir");
  expect(text).toContain("https://***@dns.example/q");
  for (const slashes of ["", "/", "\\\\", "///"]) {
    const odd = { DNS01_CA: `https:${slashes}u:hunter2@ca.example/dir` };
    expect(showConfig(readFlags([], specs, odd).flags, specs, { provider: "", fields: [] }, odd)).not.toContain("ter2");
  }
});
