import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { providers } from "../../providers/index.ts";
import { fieldsOf } from "../../src/core/fields.ts";
import { connectProvider, createRegistry, loadProvider, providerIds } from "../../src/providers.ts";

const folder = new URL("../../providers/", import.meta.url);

test("the map names every file of the folder, sorted", async () => {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".ts") && file !== "index.ts");
  const ids = files.map((file) => file.replace(/\.ts$/, "")).sort();
  expect(Object.keys(providers)).toEqual(ids);
  expect(providerIds()).toEqual(ids);
});

test.each(providerIds())("%s is what it says, with a flat schema of described scalars", async (id) => {
  const provider = await loadProvider(id);
  expect(provider.id).toBe(id);
  expect(provider.title).not.toBe("");
  const { properties = {}, additionalProperties } = z.toJSONSchema(provider.config, { io: "input" });
  expect(additionalProperties, "unknown fields are refused: z.strictObject").toBe(false);
  expect(Object.keys(properties), "ttl belongs to the framework").not.toContain("ttl");
  for (const [name, property] of Object.entries(properties)) {
    expect(property, name).toMatchObject({ type: expect.stringMatching(/^(string|number|integer|boolean)$/) });
  }
  const fields = fieldsOf(provider);
  for (const { name, description } of fields) expect(description, `description of ${name}`).not.toBe("");
  const names = fields.flatMap(({ env }) => env);
  expect(names, "no two fields share an environment name").toHaveLength(new Set(names).size);
});

/** Sounds like one and is none: a part of the path, and an HTTP service's own idea of a mode. */
const noEndpoints = ["powerdns.serverName", "rfc2136.dnsTimeout"];

test.each(providerIds())(
  "%s marks every field that decides where credentials are sent, or that names a file",
  async (id) => {
    const provider = await loadProvider(id);
    const { properties = {} } = z.toJSONSchema(provider.config, { io: "input" });
    for (const field of fieldsOf(provider)) {
      const property = (properties[field.name] ?? {}) as { readonly format?: string; readonly endpoint?: unknown };
      const names = [field.name, ...field.aliases].join(" ");
      const sounds = /url|endpoint|host(?!ed)|server|address|dns|proxy/i.test(names) || property.format === "uri";
      if (sounds && !noEndpoints.includes(`${id}.${field.name}`)) {
        expect(property.endpoint, `${id}.${field.name}: .meta({ endpoint: … })`).toBeDefined();
        expect(field.endpoint, field.name).toBeDefined();
      }
      if (/file|path|profile|directory/i.test(names)) expect(field.local, `${id}.${field.name}: local`).toBe(true);
    }
  },
);

test("an unknown id names the nearest, an alias leads to its provider", async () => {
  await expect(loadProvider("memroy")).rejects.toThrow(/did you mean memory\?/);
  await expect(loadProvider("toString")).rejects.toThrow(/there is no provider "toString"/);
  const memory = await loadProvider("memory");
  const registry = createRegistry({ memory: async () => ({ default: { ...memory, aliases: ["ram"] } }) });
  expect((await registry.load("ram")).id).toBe("memory");
});

test("a provider that does not connect is named", async () => {
  const memory = await loadProvider("memory");
  const { signal } = new AbortController();
  const connect = (result: () => unknown) =>
    connectProvider({ ...memory, connect: result as typeof memory.connect }, {}, { signal });
  await expect(connect(() => ({}))).rejects.toThrow(/^memory: .*did not return a backend/);
  await expect(
    connect(() => {
      throw new Error("no route");
    }),
  ).rejects.toThrow(/^memory: cannot connect the service: no route/);
});

/** Lines with code: neither blank nor within a comment. */
function codeLines(source: string): number {
  const bare = source.replace(/^\s*\/\*.*?\*\/\s*$/gms, "").replace(/^\s*\/\/.*$/gm, "");
  return bare.split("\n").filter((line) => line.trim() !== "").length;
}

test("an adapter's main file stays short: it says what the service's API is like", async () => {
  const ids = providerIds().filter((id) => id !== "memory");
  const lengths = new Map<string, number>();
  for (const id of ids) lengths.set(id, codeLines(await readFile(new URL(`${id}.ts`, folder), "utf8")));
  for (const [id, length] of lengths) expect(length, `lines of providers/${id}.ts`).toBeLessThanOrEqual(120);
  const sorted = [...lengths.values()].sort((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  const median = middle.reduce((sum, length) => sum + length, 0) / middle.length;
  expect(median, `median of ${sorted.join(", ")}`).toBeLessThanOrEqual(85);
});
