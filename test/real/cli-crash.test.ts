import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, type Env, issueArgs, labEnv, newState } from "./lab/cli.ts";
import { countKinds, runAndKill, type Step } from "./lab/killing.ts";
import type { Lab } from "./lab/lab.ts";
import { expectCleanDns, expectGoodCertificate, expectPair, issued } from "./lab/outcome.ts";
import { describeInLab, repeats } from "./lab/suite.ts";

/** Every run of the tests takes a third of the steps, from DNS01_TEST_STEP (1 to 3) on or a random one; the soak takes all. */
const stride = repeats(3, 1);
const from = stride === 1 ? 1 : Number(process.env["DNS01_TEST_STEP"] ?? 1 + Math.floor(Math.random() * stride));

/** Runs on different zones do not disturb each other: so many go on at once. */
const lanes = ["zone0.test", "zone1.test", "zone2.test"];

describeInLab("killed at every step", (inLab) => {
  test.each([
    { title: "a first certificate", renewal: false },
    { title: "a renewal of a stored certificate", renewal: true },
  ])(
    "$title: whatever was reached, the next run leaves DNS clean, pairs no certificate with another key, and issues",
    { timeout: 900_000, retry: 0 },
    async ({ title, renewal }) => {
      const lab = inLab();
      let next = from;
      let past = false;
      const lasts: Step[] = [];
      let whole: readonly Step[] = [];
      const lane = async (zone: string) => {
        const prepared = renewal ? await preparedState(lab, zone) : undefined;
        while (!past) {
          const n = next;
          next += stride;
          const env = labEnv(lab, { state: copyOf(lab, prepared) });
          const args = issueArgs(namesOf(zone), ...(renewal ? ["--force"] : []));
          const steps = await runAndKill(lab, args, env, n, (run, announced) => {
            issued(run);
            whole = announced;
          });
          const last = steps?.at(-1);
          if (last === undefined) past = true;
          else {
            lasts.push(last);
            await expectRecovery(lab, zone, env, renewal, last);
          }
        }
      };
      await Promise.all(lanes.map(lane));
      const counts = [...countKinds(lasts)].map(([kind, count]) => `${kind} ${count}`).join(", ");
      const span = `${lasts.length} of ${whole.length} steps, ${stride} apart from ${from} on`;
      console.log(`${title}: killed at ${span} (${counts})`);
      // How often the CA is asked differs from run to run, and with it the number of steps.
      expect(lasts.length * stride).toBeGreaterThan(0.75 * whole.length);
      // An engine that announces no steps would pass by not being killed.
      const kinds = [...countKinds(whole).keys()];
      for (const kind of ["dns", "acme", "journal", "file"]) {
        for (const state of ["before", "after"]) expect(kinds).toContain(`${kind} ${state}`);
      }
    },
  );
});

/** A state directory with a certificate of the zone in it. */
async function preparedState(lab: Lab, zone: string): Promise<string> {
  const state = newState(lab);
  issued(await cli(issueArgs(namesOf(zone)), labEnv(lab, { state })));
  return state;
}

function copyOf(lab: Lab, prepared: string | undefined): string {
  const state = newState(lab);
  if (prepared !== undefined) cpSync(prepared, state, { recursive: true, verbatimSymlinks: true });
  return state;
}

async function expectRecovery(lab: Lab, zone: string, env: Env, renewal: boolean, last: Step): Promise<void> {
  const current = join(env["DNS01_STATE"] ?? "", "certificates", zone, "current");
  try {
    if (renewal || existsSync(join(current, "cert.pem"))) {
      expectPair(join(current, "cert.pem"), join(current, "privkey.pem"));
    }
    const document = issued(await cli(issueArgs(namesOf(zone)), env));
    await expectCleanDns(lab, [`_acme-challenge.${zone}`]);
    await expectGoodCertificate(lab, document, namesOf(zone));
  } catch (cause) {
    const where = `after a kill at step ${last.n} (${last.state} ${last.kind}: ${last.detail})`;
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function namesOf(zone: string): readonly string[] {
  return [zone, `*.${zone}`];
}
