import { expect, test } from "vitest";
import { issueArgs, labEnv, newState, startCli } from "./lab/cli.ts";
import { txtValues } from "./lab/dig.ts";
import { expectCleanDns, expectGoodCertificate, issued } from "./lab/outcome.ts";
import { until } from "./lab/patience.ts";
import { describeInLab } from "./lab/suite.ts";

const owner = "_acme-challenge.zone0.test";
const names = ["zone0.test", "*.zone0.test"];

describeInLab("two processes, one name", (inLab) => {
  test("with two state directories both get a certificate, and neither takes out the other's values", async () => {
    const lab = inLab();
    lab.lag.zones.set("zone0.test", { nsd: 1500, bind: 0 });
    const witness = await lab.witness();
    try {
      const runs = [0, 1].map(() => startCli(issueArgs(names), labEnv(lab, { ca: witness.directory })));
      await until(async () => (await txtValues(lab.realAt("knot"), owner)).length === 4, 20_000);
      const [first, second] = (await Promise.all(runs.map((run) => run.done))).map(issued);
      expect(first?.serial).not.toBe(second?.serial);
      for (const document of [first, second])
        if (document !== undefined) await expectGoodCertificate(lab, document, names);
      expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[], [], [], []]);
    } finally {
      lab.lag.zones.delete("zone0.test");
    }
    await expectCleanDns(lab, [owner]);
  });

  test("with the same state directory the second says for whom it waits, and ends with reused", async () => {
    const lab = inLab();
    const env = labEnv(lab, { state: newState(lab) });
    // So long that the second has begun before the first is done, on a busy machine too.
    lab.lag.zones.set("zone0.test", { nsd: 6000, bind: 0 });
    try {
      const first = startCli(issueArgs(names), env);
      await until(async () => (await txtValues(lab.realAt("knot"), owner)).length === 2, 20_000);
      const second = startCli(issueArgs(names), env);
      await until(() => second.stderr().includes(String(first.child.pid)), 20_000);
      expect(first.child.exitCode).toBe(null);
      const [a, b] = [issued(await first.done), issued(await second.done)];
      expect(a.reused).toBe(false);
      expect(b).toMatchObject({ reused: true, serial: a.serial });
    } finally {
      lab.lag.zones.delete("zone0.test");
    }
    await expectCleanDns(lab, [owner]);
  });
});
