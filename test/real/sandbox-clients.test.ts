import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, type Running, startCli } from "./lab/cli.ts";
import { type ClientRun, type ClientSetup, runCertbot, runLego } from "./lab/clients.ts";
import { until } from "./lab/patience.ts";
import { type Service, serviceFile, whyNot } from "./lab/services.ts";

const needs: readonly Service[] = ["lego", "certbot", "openssl"];
const reason = whyNot(needs);
const pair = ["example.test", "*.example.test"];

/** The sandbox counts only if clients that know nothing of it get their certificates there. */
describe.skipIf(reason !== undefined)(
  `dns01 sandbox with other ACME clients${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), "dns01-sandbox-"));
    let sandbox: Running;
    let env: Readonly<Record<string, string>> = {};

    beforeAll(async () => {
      sandbox = startCli(["sandbox", "--json"], {}, dir);
      await until(() => sandbox.stdout().trim().endsWith("}"), 20_000);
      env = JSON.parse(sandbox.stdout()) as Readonly<Record<string, string>>;
    });
    afterAll(async () => {
      sandbox?.child.kill("SIGTERM");
      await sandbox?.done;
    });

    const setup = (): ClientSetup => ({
      directory: need("DNS01_CA"),
      apiRootFile: need("DNS01_CA_ROOT"),
      primary: endpoint(need("RFC2136_NAMESERVER")),
      key: {
        name: need("RFC2136_TSIG_KEY_NAME"),
        secret: need("RFC2136_TSIG_SECRET"),
        algorithm: need("RFC2136_TSIG_ALGORITHM"),
      },
      resolver: endpoint(need("DNS01_RESOLVER")),
      dir,
    });
    const need = (name: string): string => {
      const value = env[name];
      if (value === undefined) throw new Error(`the sandbox does not print ${name}: ${Object.keys(env).join(", ")}`);
      return value;
    };

    const expectCertificate = (run: ClientRun) => {
      expect(run.status, run.output).toBe(0);
      const text = execFileSync(serviceFile("openssl"), ["x509", "-in", run.cert, "-noout", "-ext", "subjectAltName"], {
        encoding: "utf8",
      });
      expect([...text.matchAll(/DNS:([^,\s]+)/g)].map((match) => match[1]).sort()).toEqual([...pair].sort());
    };

    test("lego gets a certificate for apex and wildcard", async () => {
      expectCertificate(await runLego(setup(), pair));
    });

    test("certbot gets a certificate for apex and wildcard", async () => {
      expectCertificate(await runCertbot(setup(), pair));
    });

    test("dns01 itself gets one with nothing but what the sandbox prints", async () => {
      const state = join(dir, "state");
      const args = ["issue", "-p", "rfc2136", "--json", ...pair.flatMap((name) => ["-d", name])];
      const run = await cli(args, { ...env, DNS01_STATE: state }, dir);
      expect(run.status, run.stderr).toBe(0);
      const { files } = JSON.parse(run.stdout) as {
        readonly files: { readonly cert: string; readonly privkey: string };
      };
      expectCertificate({ status: 0, output: "", elapsedMs: 0, ...files });
    });

    test("a command after -- runs in that environment, and its status is the sandbox's", async () => {
      const script = join(dir, "probe.mjs");
      writeFileSync(script, "console.log(process.env.DNS01_CA); process.exit(7);\n");
      const run = await cli(["sandbox", "--", process.execPath, script], {}, dir);
      expect(run.stdout).toMatch(/^https:\/\/127\.0\.0\.1:\d+\//m);
      expect(run.status).toBe(7);
    });
  },
);

function endpoint(text: string): { readonly address: string; readonly port: number } {
  const [address, port] = text.split(":");
  return { address: address ?? "", port: Number(port ?? 53) };
}
