import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeClusterPki } from "./pki.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export type Program = Awaited<ReturnType<typeof startProgram>>;

const onFlagsAlone = ["--kubeconfig", "none", "--requestheader-client-ca-file", "front-proxy-ca.crt"];

/** The built `dns01 webhook`, on flags alone unless told how to reach a cluster; it listens when this resolves. */
export async function startProgram(
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
  access: readonly string[] = onFlagsAlone,
) {
  const pki = await makeClusterPki();
  const folder = await mkdtemp(join(tmpdir(), "dns01-webhook-"));
  const files = {
    "tls.crt": pki.serving.cert,
    "tls.key": pki.serving.key,
    "front-proxy-ca.crt": pki.frontProxyCa.cert,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const args = [
    ...[main, "webhook", ...access],
    ...["--tls-cert-file", "tls.crt", "--tls-private-key-file", "tls.key", "--secure-port", "0"],
    ...["--metrics-bind-address", "127.0.0.1:0", "--log-format", "json", ...flags],
  ];
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const log = linesOf(child);
  const line = await Promise.race([
    log.first((entry) => entry["solvers"] !== undefined),
    ended.then((status) => {
      throw new Error(`dns01 webhook ended with ${status}: ${log.text()}`);
    }),
  ]);
  return {
    pki,
    folder,
    pid: child.pid ?? 0,
    port: Number(line["port"]),
    plainPort: Number(line["plainPort"]),
    startMs: performance.now() - startedAt,
    log,
    /** Resolves with the exit status. */
    ended,
    signal: (name: NodeJS.Signals) => child.kill(name),
    async metric(name: string): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${line["plainPort"]}/metrics`)).text();
      return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
    },
    async close() {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

type Entry = Readonly<Record<string, unknown>>;

function linesOf(child: ChildProcess) {
  let text = "";
  const waiting: { readonly wanted: (entry: Entry) => boolean; readonly resolve: (entry: Entry) => void }[] = [];
  let rest = "";
  child.stderr?.on("data", (piece: Buffer) => {
    text = `${text}${piece}`.slice(-1_000_000);
    const lines = `${rest}${piece}`.split("\n");
    rest = lines.pop() ?? "";
    for (const entry of lines.flatMap(parsed)) {
      for (const one of waiting.filter(({ wanted }) => wanted(entry))) one.resolve(entry);
    }
  });
  return {
    text: () => text,
    entries: (): readonly Entry[] => text.split("\n").flatMap(parsed),
    /** The first line of the kind, also one that has been read already. */
    first: (wanted: (entry: Entry) => boolean) =>
      new Promise<Entry>((resolve) => {
        const before = text.split("\n").flatMap(parsed).find(wanted);
        if (before === undefined) waiting.push({ wanted, resolve });
        else resolve(before);
      }),
  };
}

function parsed(line: string): readonly Entry[] {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null ? [entry as Entry] : [];
  } catch {
    return [];
  }
}
