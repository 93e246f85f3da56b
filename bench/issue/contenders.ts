import { issueArgs, labEnv, startCli } from "../../test/real/lab/cli.ts";
import { type ClientSetup, runCertbot, runLego } from "../../test/real/lab/clients.ts";
import type { Lab } from "../../test/real/lab/lab.ts";

export interface Scenario {
  readonly title: string;
  readonly names: readonly string[];
  /** Milliseconds by which one secondary lags. */
  readonly lagMs: number;
  /** For dns01, in milliseconds. */
  readonly goalMs: number;
  /** Only dns01 looks at nameservers, so only for it does the scenario make a difference. */
  readonly alone?: boolean;
}

/** A client, and what one run of it took; undefined where it cannot do the scenario in this lab. */
export interface Contender {
  readonly name: string;
  /** How it was set, for the table. */
  readonly note: string;
  run(lab: Lab, scenario: Scenario): Promise<number> | undefined;
}

export const contenders: readonly Contender[] = [
  {
    name: "dns01",
    note: "as it is",
    run: async (lab, { names }) => {
      const run = await startCli(issueArgs(names), labEnv(lab)).done;
      if (run.status !== 0) throw new Error(`dns01: ${run.stderr}`);
      return run.elapsedMs;
    },
  },
  {
    name: "certbot",
    note: "sleep of 1 s, or 1 s more than the lag",
    run: async (lab, { names, lagMs }) => {
      const run = await runCertbot(setupOf(lab), names, Math.ceil(lagMs / 1000) + 1);
      if (run.status !== 0) throw new Error(`certbot: ${run.output}`);
      return run.elapsedMs;
    },
  },
  {
    name: "lego",
    note: "RFC2136_SEQUENCE_INTERVAL=1, no propagation check (it asks port 53 only)",
    run: (lab, { names, lagMs }) => {
      // Without its check this version has no way to wait, and answers before the lagging server has the value.
      if (lagMs > 0) return undefined;
      return runLego(setupOf(lab), names).then((run) => {
        if (run.status !== 0) throw new Error(`lego: ${run.output}`);
        return run.elapsedMs;
      });
    },
  },
];

function setupOf(lab: Lab): ClientSetup {
  return {
    directory: lab.ca.directory,
    apiRootFile: lab.ca.apiRootFile,
    primary: lab.publicAt("knot"),
    key: lab.keys["hmac-sha256"],
    resolver: lab.resolver,
    dir: lab.dir,
  };
}
