import { createPrivateKey, X509Certificate } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { seededRandom } from "../../src/sandbox/random.ts";
import { type Folder, makeFolder, type Service, startService } from "../daemon/service.ts";
import { until } from "./lab/patience.ts";
import { repeats } from "./lab/suite.ts";

const killer = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const domains = (n: number | string) => [`crash${n}.example.test`, `*.crash${n}.example.test`];

describe(`dns01 run, killed (DNS01_SEED=${seed})`, () => {
  let box: Sandbox;
  const folders: Folder[] = [];
  beforeAll(async () => {
    box = await startSandbox();
  });
  afterAll(async () => {
    await box.close();
    for (const { dir } of folders) rmSync(dir, { recursive: true, force: true });
  });

  const folderFor = (names: readonly string[]): Folder => {
    const deploy = { command: 'openssl x509 -in "$DNS01_FULLCHAIN" -noout -serial >> "$HOME/deployed"' };
    const certificates = [{ name: "c", domains: names, deploy }];
    const folder = makeFolder({ solvers: [{ provider: "rfc2136" }], certificates });
    folders.push(folder);
    return folder;
  };
  const start = (folder: Folder, more: Readonly<Record<string, string>> = {}) =>
    startService(folder, { ...box.env, ...more });
  const startKilled = (folder: Folder, env: Readonly<Record<string, string>>) =>
    start(folder, { NODE_OPTIONS: `--import=${killer}`, ...env });
  const finished = (service: Service) => service.line((l) => l.event === "deployed");
  const end = async (service: Service) => {
    service.child.kill("SIGTERM");
    return await service.done;
  };

  /** All steps in the soak, else some by chance, of as many as a run has that nobody kills. */
  const stepsOf = async (folder: Folder): Promise<readonly number[]> => {
    const file = join(tmpdir(), `dns01-steps-${process.pid}`);
    const whole = startKilled(folder, { DNS01_TEST_STEPS: file });
    await finished(whole);
    await end(whole);
    const count = readFileSync(file, "utf8").trim().split("\n").length;
    rmSync(file);
    expect(count).toBeGreaterThan(50);
    const random = seededRandom(seed);
    if (repeats(0, 1) === 1) return Array.from({ length: count }, (_, n) => n + 1);
    return Array.from({ length: 5 }, () => 1 + Math.floor(random.next() * count));
  };

  test("at any step: the next start leaves nothing in DNS, pairs no certificate with another key, and runs the hook", {
    timeout: 900_000,
    retry: 0,
  }, async () => {
    for (const n of await stepsOf(folderFor(domains(0)))) {
      const folder = folderFor(domains(n));
      await killAt(n, folder, domains(n), undefined);
    }
  });

  test("at any step of a renewal: the same, and the hook is not run for the old version again", {
    timeout: 900_000,
    retry: 0,
  }, async () => {
    const names = domains("-renewed");
    const prepared = folderFor(names);
    const first = start(prepared);
    await finished(first);
    await end(first);
    const old = readFileSync(join(prepared.dir, "deployed"), "utf8").trim();
    const due = () => {
      const folder = folderFor(names);
      cpSync(prepared.state, folder.state, { recursive: true, verbatimSymlinks: true });
      cpSync(join(prepared.dir, "deployed"), join(folder.dir, "deployed"));
      // So that the CA is asked now, and not in some hours.
      rmSync(join(folder.state, "certificates/c/renewal.json"));
      return folder;
    };
    box.ca.state.behaviour = { ...box.ca.state.behaviour, ari: "past" };
    try {
      for (const n of await stepsOf(due())) await killAt(n, due(), names, old);
    } finally {
      box.ca.state.behaviour = { ...box.ca.state.behaviour, ari: undefined };
    }
  });

  /** `old` is what the hook has said of the version before. */
  async function killAt(n: number, folder: Folder, names: readonly string[], old: string | undefined): Promise<void> {
    const steps = join(folder.dir, "steps");
    const service = startKilled(folder, { DNS01_TEST_KILL_AT: String(n), DNS01_TEST_STEPS: steps });
    // The last steps are those of an orderly end: without one they would be waited for in vain.
    finished(service).then(
      () => end(service),
      () => {},
    );
    const { signal } = await service.done;
    // One run asks the CA once more than another: it may have ended in order before it had so many steps.
    const ended = signal === null && readFileSync(steps, "utf8").trim().split("\n").length < n;
    expect(ended ? "SIGKILL" : signal, `step ${n}: ${service.stderr()}`).toBe("SIGKILL");
    const deployed = join(folder.dir, "deployed");
    const current = join(folder.state, "certificates/c/current");
    if (existsSync(current)) expectPair(current);
    const next = start(folder);
    const isDone = () => existsSync(deployed) && existsSync(current) && isLast(deployed, current, old);
    await until(isDone, 60_000);
    // Killed after the hook, all is there at once: until it has said something, a signal is Node's to answer.
    await next.line(() => true);
    expect((await end(next)).status, `step ${n}: ${next.stderr()}`).toBe(0);

    expectPair(current);
    const said = readFileSync(deployed, "utf8").trim().split("\n");
    // Perhaps more than once, but for one version after the other.
    expect(
      said.filter((line, at) => said.indexOf(line) < at && said[at - 1] !== line),
      `step ${n}`,
    ).toEqual([]);
    if (old !== undefined)
      expect(
        said.filter((line) => line === old),
        `step ${n}`,
      ).toHaveLength(1);
    expect(box.zone.txt(`_acme-challenge.${names[0]}`), `step ${n}`).toEqual([]);
    expect(readdirSync(join(folder.state, "journal")).filter((name) => !name.startsWith("."))).toEqual([]);
  }
});

function expectPair(current: string): void {
  const cert = new X509Certificate(readFileSync(join(current, "cert.pem")));
  expect(cert.checkPrivateKey(createPrivateKey(readFileSync(join(current, "privkey.pem"))))).toBe(true);
}

/** The hook has run for the version that is in force, and this is another one than `old`. */
function isLast(deployed: string, current: string, old: string | undefined): boolean {
  const { serialNumber } = new X509Certificate(readFileSync(join(current, "cert.pem")));
  const last = readFileSync(deployed, "utf8").trim().split("\n").at(-1);
  return last === `serial=${serialNumber}` && last !== old;
}
