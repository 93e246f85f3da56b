import { expect, test } from "vitest";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { markUpdates, updatesSince } from "./lab/counts.ts";
import { expectCleanDns, failed, issued } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

const zones = ["example.test", "delegated.test"];

describeInLab("challenge names that are aliases", (inLab) => {
  test.each([
    ["one hop", "one.example.test", "one.delegated.test"],
    ["two hops", "two.example.test", "two.delegated.test"],
    ["eight hops", "long.example.test", "long.delegated.test"],
    ["a DNAME", "renamed.example.test", "_acme-challenge.target.delegated.test"],
  ])(
    "%s into another zone: the value is written at the end of the chain and taken out there",
    async (_, name, owner) => {
      const lab = inLab();
      const witness = await lab.witness();
      const mark = await markUpdates(lab, ...zones);
      const document = issued(await cli(issueArgs([name]), labEnv(lab, { ca: witness.directory })));
      expect(document.challenges[0]).toMatchObject({ fqdn: `_acme-challenge.${name}`, owner, zone: "delegated.test" });
      expect(await updatesSince(lab, mark, "delegated.test")).toBe(2);
      expect(await updatesSince(lab, mark, "example.test")).toBe(0);
      expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[]]);
      await expectCleanDns(lab, [owner]);
    },
  );

  test("a loop is refused by name and nothing is written", async () => {
    const lab = inLab();
    const mark = await markUpdates(lab, ...zones);
    const run = await cli(issueArgs(["loop.example.test"]), labEnv(lab));
    expect(run.status).toBeGreaterThanOrEqual(2);
    expect(failed(run, run.status ?? 0).message).toMatch(/loop/i);
    expect(await markUpdates(lab, ...zones)).toBe(mark);
  });

  test("an alias to a zone that does not exist is an error that names the target, and nothing is written", async () => {
    const lab = inLab();
    const mark = await markUpdates(lab, ...zones);
    const run = await cli(issueArgs(["dangling.example.test"]), labEnv(lab));
    expect(run.status).toBeGreaterThanOrEqual(2);
    expect(failed(run, run.status ?? 0).message).toContain("gone.nowhere.test");
    expect(await markUpdates(lab, ...zones)).toBe(mark);
  });

  test.each([0, 1500])(
    "an alias made by a wildcard is not followed, with %i ms of lag: the value goes to the name itself, with a warning",
    async (lagMs) => {
      const lab = inLab();
      lab.lag.nsd = lagMs;
      try {
        const document = issued(await cli(issueArgs(["x.wild.example.test"]), labEnv(lab)));
        expect(document.challenges[0]).toMatchObject({
          owner: "_acme-challenge.x.wild.example.test",
          zone: "example.test",
        });
        expect(document.warnings?.map((warning) => warning.code)).toContain("W_WILDCARD_CNAME");
      } finally {
        lab.lag.nsd = 0;
      }
    },
  );
});
