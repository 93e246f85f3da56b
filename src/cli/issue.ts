import { createAcmeClient } from "../acme/client.ts";
import { routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { type ConfigIssue, HookError } from "../core/errors.ts";
import { createHintStore } from "../issuer/hints.ts";
import { issue } from "../issuer/issue.ts";
import { openDns } from "../issuer/network.ts";
import type { IssueResult } from "../issuer/request.ts";
import { createRouter } from "../issuer/router.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { copyTo, runDeployHook } from "./deploy.ts";
import { readIssueRequest } from "./issue-request.ts";
import { issueText } from "./issue-text.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 issue`: one certificate, now. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const read = await readIssueRequest(input);
    failOn([...input.issues, ...read.issues]);
    const { request, routes, dns: settings, needsEab } = read.complete();
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "issue" });
    if (needsEab && request.ca.eab === undefined) {
      // The table of CAs knows without a call; an account that is registered needs no binding any more.
      const account = await store.accounts.load(request.ca.directoryUrl);
      if (account?.url === undefined) failOn(eabMissing(request.ca.directoryUrl));
    }
    const dns = await openDns(settings, observer, createHintStore(store.hints));
    const result = await issue(request, {
      certificates: store.certificates,
      accounts: store.accounts,
      journal: store.journal,
      solvers: createRouter(routes.map((r) => routeOf(r, observer, input.redactor, io.signal))),
      connectAcme: (options) =>
        createAcmeClient(options, { observer, clock: systemClock, userAgent: `dns01/${input.version}` }),
      dns,
      observer,
      clock: systemClock,
      now: () => new Date(),
      signal: io.signal,
    });
    await deploy(result, input);
    return { json: result, text: issueText(result) };
  },
};

function eabMissing(directoryUrl: string): readonly ConfigIssue[] {
  const message = `is missing: ${directoryUrl} registers only accounts that are bound to one at its web site`;
  return [
    { path: "--eab-kid (DNS01_EAB_KID)", message },
    { path: "--eab-hmac-key (DNS01_EAB_HMAC_KEY, DNS01_EAB_HMAC_KEY_FILE)", message },
  ];
}

async function deploy(result: IssueResult, { flags, io, observer }: Parameters<Command["run"]>[0]): Promise<void> {
  if (result.files === undefined) return;
  const out = flags.text("out");
  if (out !== undefined) await copyTo(out, result.files);
  const hook = flags.text("deploy-hook");
  if (hook === undefined || result.reused) return;
  observer({ type: "phase", phase: "hook", state: "start", detail: hook });
  const outcome = await runDeployHook(hook, result, { env: io.env, signal: io.signal, observer });
  if (outcome !== undefined) {
    throw new HookError(outcome, {
      operation: "deploy",
      hint: "The certificate is stored. Mend the command and run it by hand: the same dns01 command finds nothing due and does not run it, and --force orders anew.",
      details: { certificate: result },
    });
  }
  observer({ type: "phase", phase: "hook", state: "done" });
}
