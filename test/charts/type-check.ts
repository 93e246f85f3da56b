import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { kinds } from "./kinds.ts";
import { customShapes, type KubernetesObject } from "./objects.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What is wrong with rendered objects by their kinds, one line each; of kinds that nobody knows, that. */
export async function faultsOf(objects: ReadonlyMap<string, readonly KubernetesObject[]>): Promise<readonly string[]> {
  const faults: string[] = [];
  const lines: string[] = [];
  for (const [label, list] of objects) {
    for (const object of list) {
      const kind = `${object.apiVersion} ${object.kind}`;
      const name = `${label}: ${kind} ${object.metadata.name}`;
      const custom = customShapes[kind]?.safeParse(object);
      if (custom !== undefined) {
        for (const issue of custom.error?.issues ?? [])
          faults.push(`${name}: ${issue.path.join(".")}: ${issue.message}`);
      } else if (Object.hasOwn(kinds, kind)) {
        const type = `Kinds[${JSON.stringify(kind)}]`;
        lines.push(`// ${name}\nexport const o${lines.length}: ${type} = ${JSON.stringify(object, undefined, 2)};`);
      } else {
        faults.push(`${name}: a kind without a check`);
      }
    }
  }
  return [...faults, ...(await compile(lines))];
}

async function compile(lines: readonly string[]): Promise<readonly string[]> {
  // Inside of the tree, where the packages of types are found.
  const folder = await mkdtemp(join(root, "node_modules/.chart-"));
  try {
    const kindsFile = relative(folder, join(root, "test/charts/kinds.ts"));
    const source = `import type { Kinds } from ${JSON.stringify(kindsFile)};\n${lines.join("\n")}\n`;
    await writeFile(join(folder, "rendered.ts"), source);
    await writeFile(join(folder, "package.json"), `{"type":"module"}`);
    const compilerOptions = {
      ...{ strict: true, module: "nodenext", target: "es2023", noEmit: true, skipLibCheck: true },
      ...{ allowImportingTsExtensions: true, types: [] },
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["rendered.ts"] }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const said = await promisify(execFile)(process.execPath, [tsc, "-p", folder], { cwd: folder }).then(
      () => "",
      (error: { readonly stdout?: string }) => error.stdout || String(error),
    );
    const rows = source.split("\n");
    return said
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => `${placeOf(rows, line)}${line}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The comment above the object that a line of the compiler's is about. */
function placeOf(rows: readonly string[], line: string): string {
  const row = Number(/rendered\.ts\((\d+),/.exec(line)?.[1] ?? 0);
  return (
    rows
      .slice(0, row)
      .findLast((text) => text.startsWith("// "))
      ?.replace("// ", "")
      .concat(": ") ?? ""
  );
}
