import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Node 20 runs no TypeScript, and a process that is to be killed must be one of its own: compiles a file of test/store and what it imports. */
export async function compiled(name: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "dns01-compiled-"));
  await writeFile(join(folder, "package.json"), `{"type":"module"}`);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      rootDir: root,
      outDir: folder,
      declaration: false,
      typeRoots: [join(root, "node_modules/@types")],
    },
    include: [],
    files: [join(root, "test/store", name)],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, "-p", join(folder, "tsconfig.json")]).catch((error) => {
    throw new Error(`cannot compile ${name}: ${error.stdout}`);
  });
  return {
    path: join(folder, "test/store", name.replace(/\.ts$/, ".js")),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
