import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { seededRandom } from "../../src/sandbox/random.ts";
import { makeFolder, type Service, startService } from "../daemon/service.ts";
import { until } from "./lab/patience.ts";
import { repeats } from "./lab/suite.ts";

const killer = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const domains = (n: number) => [`crash${n}.example.test`, `*.crash${n}.example.test`];

describe(`dns01 run, killed (DNS01_SEED=${seed})`, () => {
  let box: Sandbox;
  beforeAll(async () => {
    box = await startSandbox();
  });
  afterAll(() => box.close());

  const begin = (n: number, env: Readonly<Record<string, string>>) => {
    const deploy = { command: 'openssl x509 -in "$DNS01_FULLCHAIN" -noout -serial >> "$HOME/deployed"' };
    const folder = makeFolder({
      solvers: [{ provider: "rfc2136" }],
      certificates: [{ name: "c", domains: domains(n), deploy }],
    });
    const start = (more: Readonly<Record<string, string>> = {}) => startService(folder, { ...box.env, ...more });
    return { folder, service: start({ NODE_OPTIONS: `--import=${killer}`, ...env }), start };
  };
  const finished = (service: Service) => service.line((l) => l.event === "deployed");
  const end = async (service: Service) => {
    service.child.kill("SIGTERM");
    return await service.done;
  };

  test("at any step: the next start leaves nothing in DNS, pairs no certificate with another key, and runs the hook", {
    timeout: 900_000,
    retry: 0,
  }, async () => {
    const stepsFile = join(tmpdir(), `dns01-steps-${process.pid}`);
    const whole = begin(0, { DNS01_STEPS: stepsFile });
    await finished(whole.service);
    await end(whole.service);
    const count = readFileSync(stepsFile, "utf8").trim().split("\n").length;
    rmSync(stepsFile);
    rmSync(whole.folder.dir, { recursive: true, force: true });
    expect(count).toBeGreaterThan(50);

    const random = seededRandom(seed);
    const all = Array.from({ length: count }, (_, n) => n + 1);
    const chosen = repeats(0, 1) === 1 ? all : Array.from({ length: 5 }, () => 1 + Math.floor(random.next() * count));
    for (const n of chosen) await killAt(n);
  });

  async function killAt(n: number): Promise<void> {
    const { folder, service, start } = begin(n, { DNS01_KILL_AT: String(n) });
    // The last steps are those of an orderly end: without one they would be waited for in vain.
    finished(service).then(
      () => end(service),
      () => {},
    );
    const { signal } = await service.done;
    expect(signal, `step ${n}: ${service.stderr()}`).toBe("SIGKILL");
    const deployed = join(folder.dir, "deployed");
    const current = join(folder.state, "certificates/c/current");
    const next = start();
    await until(() => existsSync(deployed) && existsSync(current) && isLast(deployed, current), 60_000);
    // Killed after the hook, all is there at once: until it has said something, a signal is Node's to answer.
    await next.line(() => true);
    expect((await end(next)).status, `step ${n}: ${next.stderr()}`).toBe(0);

    const cert = new X509Certificate(readFileSync(join(current, "cert.pem")));
    expect(cert.checkPrivateKey(createPrivateKey(readFileSync(join(current, "privkey.pem"))))).toBe(true);
    expect(box.zone.txt(`_acme-challenge.crash${n}.example.test`), `step ${n}`).toEqual([]);
    expect(readdirSync(join(folder.state, "journal")).filter((name) => !name.startsWith("."))).toEqual([]);
    rmSync(folder.dir, { recursive: true, force: true });
  }
});

/** The hook has run for the version that is in force. */
function isLast(deployed: string, current: string): boolean {
  const { serialNumber } = new X509Certificate(readFileSync(join(current, "cert.pem")));
  return readFileSync(deployed, "utf8").trim().split("\n").at(-1) === `serial=${serialNumber}`;
}
