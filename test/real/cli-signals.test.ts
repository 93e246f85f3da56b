import { expect, test } from "vitest";
import { cli, issueArgs, labEnv, startCli } from "./lab/cli.ts";
import { txtValues } from "./lab/dig.ts";
import { expectCleanDns, issued } from "./lab/outcome.ts";
import { until } from "./lab/patience.ts";
import { describeInLab } from "./lab/suite.ts";

describeInLab("stopped in the propagation wait", (inLab) => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends with status %i, the values are out, and the next run issues", async (signal, status) => {
    const lab = inLab();
    const owner = "_acme-challenge.zone0.test";
    const names = ["zone0.test", "*.zone0.test"];
    const env = labEnv(lab);
    lab.lag.zones.set("zone0.test", { nsd: 60_000, bind: 0 });
    try {
      const run = startCli(issueArgs(names), env);
      await until(async () => (await txtValues(lab.realAt("bind"), owner)).length === 2, 20_000);
      run.child.kill(signal);
      const finished = await run.done;
      expect(finished.signal).toBe(null);
      expect(finished.status, finished.stderr).toBe(status);
      expect((JSON.parse(finished.stdout) as { error: { code: string } }).error.code).toBe("ABORTED");
      expect(await txtValues(lab.realAt("knot"), owner)).toEqual([]);
    } finally {
      lab.lag.zones.delete("zone0.test");
    }
    issued(await cli(issueArgs(names), env));
    await expectCleanDns(lab, [owner]);
  });
});
