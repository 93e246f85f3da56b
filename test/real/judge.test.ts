import { expect, test } from "vitest";
import { runCertbot, runLego } from "./lab/clients.ts";
import { describeInLab } from "./lab/suite.ts";

const pair = ["example.test", "*.example.test"];

/** The judge of the never-early tests, tried on clients that are known to wait, and known not to. */
describeInLab(
  "the judge",
  (inLab) => {
    const setup = (directory: string) => {
      const lab = inLab();
      return {
        directory,
        apiRootFile: lab.ca.apiRootFile,
        primary: lab.publicAt("knot"),
        key: lab.keys["hmac-sha256"],
        resolver: lab.resolver,
        dir: lab.dir,
      };
    };

    test("sees nothing amiss when every server has the values", async () => {
      const witness = await inLab().witness();
      const run = await runCertbot(setup(witness.directory), pair);
      expect(run.status, run.output).toBe(0);
      expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[], []]);
    });

    test("catches a client that sleeps one second while a server lags by four, although the CA is content", async () => {
      const lab = inLab();
      const witness = await lab.witness(await lab.startCa({ dns: lab.realAt("bind") }));
      lab.lag.nsd = 4000;
      try {
        const run = await runCertbot(setup(witness.directory), pair);
        expect(run.status, run.output).toBe(0);
        expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([["nsd"], ["nsd"]]);
      } finally {
        lab.lag.nsd = 0;
      }
    });

    test("works out the values of any client's account key", async () => {
      const witness = await inLab().witness();
      const run = await runLego(setup(witness.directory), ["zone0.test"]);
      expect(run.status, run.output).toBe(0);
      expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[]]);
    });
  },
  { needs: ["lego", "certbot"] },
);
