import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { thrownText } from "../core/thrown.ts";
import { isProviderId } from "../plugins/definition.ts";
import type { Registry } from "../providers.ts";
import type { Flags } from "./args.ts";
import { type Command, failOn } from "./command.ts";
import { adapterTemplate, fakeTemplate, type Shape, type Template, testTemplate } from "./plugin-templates.ts";

/** `dns01 plugin new`: adapter, fake and test of a provider, which fail until they are filled in. */
export const command: Command = {
  async run({ flags, issues, registry }) {
    const id = flags.positionals[0] ?? "";
    const dir = resolve(flags.text("dir") ?? ".");
    const shape = shapeOf(flags);
    failOn([...issues, ...(await idFaults(id, registry)), ...shape.issues, ...(await dirFaults(dir, flags))]);
    const root = await checkoutAt(dir);
    const template: Template = { id, shape: shape.shape, inTree: root !== undefined };
    const files = filesOf(template, root ?? dir);
    await writeNew(files);
    const written = files.map(({ path }) => relative(process.cwd(), path) || path);
    const next = nextSteps(template, written);
    return {
      json: { id, shape: shape.shape, files: files.map(({ path }) => path) },
      text: [...written.map((path) => `wrote ${path}`), "", ...next, ""].join("\n"),
    };
  },
};

interface NewFile {
  readonly path: string;
  readonly text: string;
}

function filesOf(template: Template, dir: string): readonly NewFile[] {
  const { id, inTree } = template;
  const paths = inTree
    ? [`providers/${id}.ts`, `test/fakes/${id}.ts`, `test/providers/${id}.test.ts`]
    : [`${id}.mjs`, `${id}.fake.mjs`, `${id}.test.mjs`];
  const texts = [adapterTemplate(template), fakeTemplate(template), testTemplate(template)];
  return paths.map((path, i) => ({ path: join(dir, path), text: texts[i] ?? "" }));
}

/** All of them or none, and none that is there. */
async function writeNew(files: readonly NewFile[]): Promise<void> {
  const there: string[] = [];
  for (const { path } of files) if (await exists(path)) there.push(path);
  if (there.length > 0) failOn(there.map((path) => ({ path, message: "is there already; nothing was written" })));
  const done: string[] = [];
  try {
    for (const { path, text } of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text, { flag: "wx" });
      done.push(path);
    }
  } catch (error) {
    await Promise.all(done.map((path) => rm(path, { force: true })));
    const reason = thrownText(error);
    throw new ConfigError([{ path: "--dir", message: `cannot write there: ${reason}` }], { cause: error });
  }
}

function shapeOf(flags: Flags): { readonly shape: Shape; readonly issues: readonly ConfigIssue[] } {
  const [rrset, direct] = [flags.on("rrset"), flags.on("direct")];
  const message = "is given together with --rrset: the API has one of the two shapes";
  return {
    shape: rrset ? "rrset" : direct ? "direct" : "record",
    issues: rrset && direct ? [{ path: "--direct", message }] : [],
  };
}

async function idFaults(id: string, registry: Registry): Promise<readonly ConfigIssue[]> {
  if (id === "") return [];
  if (!isProviderId(id)) {
    return [{ path: "ID", message: `"${id}" is no id: small letters, digits and single hyphens, at most 40` }];
  }
  const taken = await registry.load(id).catch(() => undefined);
  return taken === undefined ? [] : [{ path: "ID", message: `"${id}" is the provider "${taken.title}" of dns01` }];
}

async function dirFaults(dir: string, flags: Flags): Promise<readonly ConfigIssue[]> {
  if (flags.text("dir") === undefined || (await exists(dir))) return [];
  return [{ path: flags.source("dir") ?? "--dir", message: `there is no folder ${dir}` }];
}

/** The checkout of dns01 that this folder is, or undefined. */
async function checkoutAt(dir: string): Promise<string | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(dir, "package.json"), "utf8"));
    const isOurs = typeof parsed === "object" && parsed !== null && "name" in parsed && parsed.name === "dns01";
    return isOurs && (await exists(join(dir, "providers/index.ts"))) ? dir : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function nextSteps({ id, inTree }: Template, [adapter = "", fake = ""]: readonly string[]): readonly string[] {
  if (!inTree) {
    return [
      `Fill in ${adapter} and the answers of the service in ${fake}, until every rule holds:`,
      `  dns01 plugin test ${relativePath(adapter)}`,
      "Then:",
      `  dns01 issue -d example.com -p ${id} --plugin ${relativePath(adapter)}`,
    ];
  }
  const name = /^[a-z][a-z0-9]*$/.test(id) ? id : `"${id}"`;
  return [
    "Add it to providers/index.ts, in its place:",
    `  ${name}: () => import("./${id}.ts"),`,
    `Fill in ${adapter} and the answers of the service in ${fake}, until every rule holds:`,
    `  npm test -- ${id}`,
  ];
}

function relativePath(path: string): string {
  return /^([./\\]|[A-Za-z]:)/.test(path) ? path : `./${path}`;
}
