import { challengeName } from "../../core/challenge.ts";
import { Dns01Error } from "../../core/errors.ts";
import { parseName } from "../../core/name.ts";
import type { Check, Context } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { domainOf } from "./pick.ts";
import { readIssuers } from "./read-issuers.ts";

const check = "egress";
const what = "port 53 for the propagation gate";
const closed = "Let the pods reach port 53 by UDP and TCP (the chart's networkPolicy), or switch the gate off.";

/** With the gate on, dns01's pods ask authoritative nameservers themselves. */
export const egress: Check = {
  id: check,
  async run(context) {
    const { settings } = context;
    const read = (await readIssuers(context)).flatMap(({ report }) => report.solvers);
    const on = (await context.rules()).gate || read.some(({ config }) => config?.gate === true);
    if (!on) return [];
    if (!settings.inCluster) {
      const next = "helm test tries it there.";
      return [warning({ check, what, cause: "was not tried: this is no pod of the cluster", next })];
    }
    const domain =
      settings.domain === undefined
        ? read.flatMap((one) => domainOf(one) ?? [])[0]
        : parseName(settings.domain.replace(/^\*\./, ""));
    if (domain === undefined) {
      const next = "Give --domain with a name that it can be tried with.";
      return [warning({ check, what, cause: "was not tried: no Issuer's selector names a domain", next })];
    }
    return [await ask(domain, context)];
  },
};

async function ask(domain: ReturnType<typeof parseName>, context: Context): Promise<Finding> {
  try {
    const network = await context.network();
    const { delegation } = await network.place(challengeName(domain), context.signal);
    const blind = delegation.warnings.find(({ code }) => code === "W_UNREACHABLE" || code === "W_INTERCEPTED");
    if (blind === undefined) return ok(check, what, `the nameservers of ${delegation.zone} answer`);
    if (context.settings.dns.resolvers.length > 0) {
      const next =
        "The gate asks the resolvers instead. Open port 53 (UDP and TCP) to have the nameservers' own answers.";
      return warning({ check, what, cause: blind.text, next });
    }
    return failed({ check, what, cause: blind.text, next: closed, code: "TRANSIENT" });
  } catch (error) {
    if (!Dns01Error.is(error) || error.code === "ABORTED") throw error;
    return failed({ check, what, cause: error.message, next: closed, code: "TRANSIENT" });
  }
}
