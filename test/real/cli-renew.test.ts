import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, type Env, type Finished, issueArgs, labEnv, newState } from "./lab/cli.ts";
import { countKinds, runAndKill, type Step } from "./lab/killing.ts";
import type { Lab } from "./lab/lab.ts";
import { expectCleanDns, expectPair, issued } from "./lab/outcome.ts";
import { until } from "./lab/patience.ts";
import type { Pebble } from "./lab/pebble.ts";
import { describeInLab, repeats } from "./lab/suite.ts";

interface Renewed {
  readonly name: string;
  readonly status: string;
  readonly reason: string;
  readonly serial: string;
  readonly acme?: { readonly requests: number };
}

/** The entries of a run that had to succeed. */
function renewed(run: Finished): readonly Renewed[] {
  expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
  return (JSON.parse(run.stdout) as { readonly certificates: readonly Renewed[] }).certificates;
}

const requestsIn = ({ server }: Pebble) =>
  server.log.filter(({ text }) => text.includes("-> calling handler()")).length;
const renewArgs = (...more: readonly string[]) => ["renew", "--json", ...more];
const namesOf = (zone: string) => [zone, `*.${zone}`];

describeInLab("dns01 renew with Pebble", (inLab) => {
  test("the identifier is accepted, the CA is asked once, and orders say what they replace", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    issued(await cli(issueArgs(namesOf("zone0.test")), env));
    const [fresh] = renewed(await cli(renewArgs(), env));
    expect(fresh).toMatchObject({ status: "not-due", reason: expect.stringContaining("the CA suggests") });
    // Nothing is to be asked now: not even a CA that is gone would be missed.
    const away = { ...env, DNS01_CA_ROOT: undefined, DNS01_RESOLVER: "192.0.2.1:53", RFC2136_NAMESERVER: "192.0.2.1" };
    expect(renewed(await cli(renewArgs(), away))).toMatchObject([{ status: "not-due" }]);
    const [forced] = renewed(await cli(renewArgs("--force"), env));
    expect(forced).toMatchObject({ status: "renewed" });
    expect(forced?.serial).not.toBe(fresh?.serial);
    await expectCleanDns(lab, ["_acme-challenge.zone0.test"]);
  });

  test("a certificate that was replaced before is renewed all the same", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    issued(await cli(issueArgs(namesOf("zone1.test")), env));
    const kept = newState(lab);
    cpSync(env["DNS01_STATE"] ?? "", kept, { recursive: true, verbatimSymlinks: true });
    renewed(await cli(renewArgs("--force"), env));
    const run = await cli(renewArgs("--force", "--log-format", "json"), { ...env, DNS01_STATE: kept });
    expect(renewed(run)).toMatchObject([{ status: "renewed" }]);
    expect(run.stderr).toContain('ordering without \\"replaces\\"');
  });

  test("half of all nonces refused: every order succeeds, with at most 2.2 times the requests", {
    timeout: 900_000,
  }, async () => {
    const lab = inLab();
    const count = repeats(6, 100);
    const mean = async (nonceReject: number, orders: number) => {
      const ca = await lab.startCa({ nonceReject });
      const env = { ...labEnv(lab), DNS01_CA: ca.directory, DNS01_CA_ROOT: ca.apiRootFile };
      issued(await cli(issueArgs(namesOf("zone2.test")), env));
      const before = requestsIn(ca);
      let told = 0;
      for (let i = 0; i < orders; i++) {
        const [outcome] = renewed(await cli(renewArgs("--force"), env));
        expect(outcome?.status).toBe("renewed");
        told += outcome?.acme?.requests ?? 0;
      }
      // Pebble's log is what counts; what dns01 says of itself has to be the same.
      await until(() => requestsIn(ca) - before >= told);
      expect(requestsIn(ca) - before).toBe(told);
      return told / orders;
    };
    const least = await mean(0, 2);
    const refused = await mean(50, count);
    console.log(`${count} orders: ${refused.toFixed(1)} requests each, ${least.toFixed(1)} at least`);
    expect(least).toBeGreaterThan(8);
    // A few orders are no mean: chance is allowed more there.
    expect(refused / least).toBeLessThanOrEqual(count < 100 ? 3 : 2.2);
  });

  test("killed at any step: the next run leaves DNS clean, pairs no certificate with another key, and renews", {
    timeout: 900_000,
    retry: 0,
  }, async () => {
    const lab = inLab();
    // Every step in the soak; else some, others at each run.
    const stride = repeats(6, 1);
    let next = 1 + Math.floor(Math.random() * stride);
    let past = false;
    const lasts: Step[] = [];
    const lane = async (zone: string) => {
      const prepared = newState(lab);
      issued(await cli(issueArgs(namesOf(zone)), labEnv(lab, { state: prepared })));
      while (!past) {
        const n = next;
        next += stride;
        const state = newState(lab);
        cpSync(prepared, state, { recursive: true, verbatimSymlinks: true });
        const env = labEnv(lab, { state });
        const steps = await runAndKill(lab, renewArgs("--force"), env, n, renewed);
        const last = steps?.at(-1);
        if (last === undefined) past = true;
        else {
          lasts.push(last);
          await expectRecovery(lab, zone, env, last);
        }
        rmSync(state, { recursive: true, force: true });
      }
    };
    await Promise.all(["zone0.test", "zone1.test", "zone2.test"].map(lane));
    console.log(`killed at ${lasts.length} steps (${[...countKinds(lasts)].map(([k, n]) => `${k} ${n}`).join(", ")})`);
    expect(lasts.length).toBeGreaterThan(5);
  });
});

async function expectRecovery(lab: Lab, zone: string, env: Env, last: Step): Promise<void> {
  const folder = join(env["DNS01_STATE"] ?? "", "certificates", zone);
  const owner = `_acme-challenge.${zone}`;
  const pair = () => expectPair(join(folder, "current", "cert.pem"), join(folder, "current", "privkey.pem"));
  const serialOf = () => (JSON.parse(readFileSync(join(folder, "meta.json"), "utf8")) as { serial: string }).serial;
  try {
    pair();
    const before = serialOf();
    // Nothing is due by the rules: what was left is taken out all the same.
    expect(renewed(await cli(renewArgs(), env))).toMatchObject([{ status: "not-due", serial: before }]);
    await expectCleanDns(lab, [owner]);
    expect(renewed(await cli(renewArgs("--force"), env))).toMatchObject([{ status: "renewed" }]);
    expect(serialOf()).not.toBe(before);
    pair();
    expect(existsSync(join(folder, "pending.json"))).toBe(false);
    await expectCleanDns(lab, [owner]);
  } catch (cause) {
    const where = `after a kill at step ${last.n} (${last.state} ${last.kind}: ${last.detail})`;
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
