import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sandbox } from "../../src/sandbox/index.ts";
import type { Disguise } from "./disguise.ts";
import { type Measured, many, type Operation, type Scene, summed, zone } from "./scene.ts";
import type { LegoWay } from "./subjects.ts";
import { startDetour } from "./tap.ts";

/**
 * Has lego issue from the sandbox for one name, the pair and twenty names; what it asked of the service before the CA's
 * first validation was present, what came after clean-up. Throws with the end of its output when it fails.
 */
export async function measureLego(
  scene: Scene,
  way: LegoWay,
  sandbox: Sandbox,
  disguise: Disguise,
): Promise<ReadonlyMap<Operation, Measured>> {
  const { fake, tap } = scene;
  const dir = await mkdtemp(join(tmpdir(), "dns01-bench-"));
  const detour = await startDetour(disguise, tap.pass);
  try {
    const roots = join(dir, "roots.pem");
    await writeFile(roots, disguise.rootPem);
    const env = {
      ...way.env(fake.config, tap.url),
      ...(way.hosts === undefined ? {} : { HTTPS_PROXY: detour.url, SSL_CERT_FILE: roots }),
      LEGO_CA_CERTIFICATES: sandbox.caRootFile,
    };
    const results = new Map<Operation, Measured>();
    const order = async (domains: readonly string[], present: Operation, cleanUp: Operation) => {
      fake.http.clearCalls();
      tap.clear();
      sandbox.log.clear();
      await run(await mkdtemp(join(dir, "lego-")), domains, way.code, sandbox, env);
      const validated = sandbox.log.entries.find(({ kind }) => kind === "validation")?.at ?? Number.POSITIVE_INFINITY;
      const before = tap.passed.filter(({ begunAt }) => performance.timeOrigin + begunAt < validated).length;
      const polls = fake.http.calls.map(({ poll }) => poll === true);
      results.set(present, summed(polls.slice(0, before), tap.passed.slice(0, before)));
      results.set(cleanUp, summed(polls.slice(before), tap.passed.slice(before)));
    };
    await order([`www.${zone}`], "first present", "clean-up");
    await order([zone, `*.${zone}`], "apex and wildcard: present", "apex and wildcard: clean-up");
    await order(many, "20 names: present", "20 names: clean-up");
    return results;
  } finally {
    detour.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function run(
  dir: string,
  domains: readonly string[],
  code: string,
  sandbox: Sandbox,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const args = [
    ...["--path", dir, "--server", sandbox.directoryUrl, "--accept-tos", "--email", "ops@example.test"],
    ...["--dns", code, "--dns.disable-cp", "--dns.resolvers", sandbox.resolver],
    ...domains.flatMap((domain) => ["--domains", domain]),
    "run",
  ];
  const child = spawn("lego", args, { env: { PATH: process.env["PATH"] ?? "", HOME: dir, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0) resolve();
      else
        reject(
          new Error(
            output
              .trim()
              .split("\n")
              .at(-1)
              ?.replace(/^[\d/]+ [\d:]+ /, "")
              .trim(),
          ),
        );
    });
  });
}
