import { describe, expect, test } from "vitest";
import { createResolve, entrySpecifier } from "../../src/plugins/resolve.ts";

const lead = { dns01: "file:///opt/dns01/dist/library.js", testing: "file:///opt/dns01/dist/testing.js" };
const plugin = "file:///etc/dns01/..2026_01_01/acmehost.mjs";
type Resolved = { readonly url: string; readonly format?: string | null | undefined };
type Context = { readonly parentURL?: string | undefined };

/** Node's own resolution: files beside the asking module, packages below /modules. */
const files = (specifier: string, context: Context = {}): Resolved => {
  if (specifier.startsWith("node:")) return { url: specifier, format: "builtin" };
  if (!/^(file:|\.)/.test(specifier)) return { url: `file:///modules/${specifier}/index.js`, format: "commonjs" };
  const url = new URL(specifier, context.parentURL).href.replace(
    "/etc/dns01/acmehost",
    "/etc/dns01/..2026_01_01/acmehost",
  );
  return { url, format: url.endsWith(".mjs") ? "module" : null };
};

describe.each([
  ["in the program's own thread", (r: Resolved): Resolved | Promise<Resolved> => r],
  ["in the loader's thread", async (r: Resolved) => r],
])("%s", (_where, answer) => {
  const open = () => {
    const resolve = createResolve(lead);
    const next = (specifier: string, context?: Context) => answer(files(specifier, context));
    return async (specifier: string, parentURL?: string): Promise<Resolved> =>
      await resolve(specifier, { conditions: [], importAttributes: {}, parentURL } as never, next as never);
  };
  const enter = async (resolve: ReturnType<typeof open>) => {
    const href = "file:///etc/dns01/acmehost.mjs";
    return await resolve(entrySpecifier(href, href), "file:///opt/dns01/dist/chunks/host.js");
  };

  test("dns01 leads to the running copy from a plugin, known by its real place, and from what it imports", async () => {
    const resolve = open();
    expect((await enter(resolve)).url).toBe(plugin);
    expect((await resolve("dns01", plugin)).url).toBe(lead.dns01);
    expect((await resolve("dns01/testing", plugin)).url).toBe(lead.testing);
    const helper = (await resolve("./helper.mjs", plugin)).url;
    expect((await resolve("dns01", helper)).url).toBe(lead.dns01);
    const dependency = (await resolve("its-sdk", plugin)).url;
    expect((await resolve("dns01", dependency)).url).toBe(lead.dns01);
  });

  test("nobody else is led, and plugins are led nowhere else", async () => {
    const resolve = open();
    await enter(resolve);
    expect((await resolve("dns01", "file:///somebody/else.mjs")).url).toBe("file:///modules/dns01/index.js");
    expect((await resolve("dns01")).url).toBe("file:///modules/dns01/index.js");
    expect((await resolve("dns01/package.json", plugin)).url).toBe("file:///modules/dns01/package.json/index.js");
    expect((await resolve("zod", plugin)).url).toBe("file:///modules/zod/index.js");
    expect((await resolve("node:fs", plugin)).url).toBe("node:fs");
    // What the running copy imports is its own.
    expect((await resolve("dns01", lead.dns01)).url).toBe("file:///modules/dns01/index.js");
  });

  test("a .js file named by its path is a module; in a package its package.json decides", async () => {
    const resolve = open();
    const asked = (specifier: string) => resolve(entrySpecifier(specifier, "file:///work/_"), "file:///opt/x.js");
    expect((await asked("file:///srv/acmehost.js")).format).toBe("module");
    expect((await asked("file:///srv/acmehost.mjs")).format).toBe("module");
    expect((await asked("dns01-acmehost")).format).toBe("commonjs");
  });
});
