import { createAcmeClient } from "../acme/client.ts";
import { eabHelp } from "../acme/directories.ts";
import { routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { deployStored } from "../deploy/deploy.ts";
import { openBudget } from "../issuer/budget-use.ts";
import { createHintStore } from "../issuer/hints.ts";
import { issueAnywhere } from "../issuer/issue-anywhere.ts";
import { uniqueWarnings } from "../issuer/kept-warnings.ts";
import { openDns } from "../issuer/network.ts";
import { createOrderGate } from "../issuer/order-gate.ts";
import { approve } from "../issuer/replacing.ts";
import type { IssueResult } from "../issuer/request.ts";
import { createRouter } from "../issuer/router.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { readDeployment } from "./deployment.ts";
import { readIssueRequest } from "./issue-request.ts";
import { issueText } from "./issue-text.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 issue`: one certificate, now. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const read = await readIssueRequest(input);
    const faults = [...input.issues, ...read.issues];
    const asked = await readDeployment(input, faults);
    failOn(faults);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "issue" });
    const { request: wanted, replacing } = read.complete();
    const stored = replacing && (await store.certificates.load(wanted.name));
    const approved = replacing && (await approve(wanted, stored?.meta, replacing));
    const { request, others, routes, dns: settings, needsEab, deployment: declared } = read.complete(approved);
    const deployment = {
      pfx: asked.pfx ?? declared?.pfx,
      out: asked.out ?? declared?.out,
      hook: asked.hook ?? declared?.hook,
    };
    if (needsEab && request.ca.eab === undefined) {
      // The table of CAs knows without a call; an account that is registered needs no binding any more.
      const { directoryUrl } = request.ca;
      const account = await store.accounts.load(directoryUrl);
      if (account?.url === undefined) throw new ConfigError(eabMissing(directoryUrl), { hint: eabHelp(directoryUrl) });
    }
    const dns = await openDns(settings, observer, createHintStore(store.hints));
    const now = () => new Date();
    const budget = await openBudget(store.budget, { clock: systemClock, now });
    const gate = createOrderGate(budget, { now, signal: io.signal });
    const result = await issueAnywhere(request, others, {
      certificates: store.certificates,
      accounts: store.accounts,
      journal: store.journal,
      solvers: createRouter(routes.map((r) => routeOf(r, observer, input.redactor, io.signal))),
      connectAcme: (options) =>
        createAcmeClient(options, { observer, clock: systemClock, userAgent: `dns01/${input.version}` }),
      dns,
      observer,
      clock: systemClock,
      now,
      signal: io.signal,
      gate: approved?.guard(gate) ?? gate,
    });
    // With what was said of files and plugins, before anything was ordered.
    const warned = () => ({ warnings: uniqueWarnings([...input.warnings(), ...result.warnings]) });
    // Cron mails whatever is printed.
    const text = (told: IssueResult) => (told.reused && flags.on("quiet") ? "" : issueText(told));
    if (result.files === undefined) return { json: { ...result, ...warned() }, text: text(result) };
    const { redact } = input.redactor;
    const deps = { certificates: store.certificates, env: io.env, signal: io.signal, observer, redact, result };
    const deployed = await deployStored(request.name, deployment, { ...deps, now });
    const whole = deployed === undefined ? result : { ...result, files: deployed.files };
    return { json: { ...whole, ...warned() }, text: text(whole) };
  },
};

function eabMissing(directoryUrl: string): readonly ConfigIssue[] {
  const message = `is missing: ${directoryUrl} registers only accounts that are bound to one at its web site`;
  return [
    { path: "--eab-kid (DNS01_EAB_KID)", message },
    { path: "--eab-hmac-key (DNS01_EAB_HMAC_KEY, DNS01_EAB_HMAC_KEY_FILE)", message },
  ];
}
