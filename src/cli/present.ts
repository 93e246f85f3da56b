import { readDnsSettings } from "../config/dns-settings.ts";
import { isGivenOutside } from "../config/settings.ts";
import { readRoutes, routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { waitForTxt } from "../dns/propagation.ts";
import { openDns } from "../issuer/network.ts";
import { placeAnyway } from "../issuer/place-anyway.ts";
import { createRouter } from "../issuer/router.ts";
import { settleDuring } from "../issuer/settle-during.ts";
import { createValueLedger } from "../issuer/values.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { propagationStep } from "./propagation-step.ts";
import { defaultStateDir } from "./state.ts";
import { readTxtArguments } from "./txt-arguments.ts";

/** `dns01 present`: one value into DNS, journaled as the user's own until `dns01 cleanup`. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const read = readTxtArguments(input);
    const config = await input.loadConfig();
    const { redactor, registry } = input;
    const { routes, issues } = await readRoutes({ flags, env: io.env, redactor, config, registry, observer });
    const dns = readDnsSettings(flags);
    failOn([...input.issues, ...read.issues, ...issues, ...dns.issues]);
    if (read.arguments === undefined) throw new Error("unchecked arguments");
    const { fqdn, values, hook } = read.arguments;
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const network = await openDns(dns.settings, observer);
    const mode = hook || isGivenOutside(flags, "propagation") ? dns.settings.propagation.mode : "none";
    const { owner, delegation, warnings, failure } = await placeAnyway(fqdn, network, io.signal);
    // There is nobody who could be asked whether it is there.
    if (failure !== undefined && mode !== "none") throw failure;
    for (const w of warnings) observer({ type: "warning", ...w });
    const solvers = createRouter(routes.map((r) => routeOf(r, observer, input.redactor, io.signal)));
    const deps = { solvers, journal: store.journal, clock: systemClock, observer, signal: io.signal };
    const ledger = createValueLedger(deps, "");
    try {
      const { at, written } = await ledger.present([{ owner, fqdn, zoneCut: delegation?.zone, values }], io.signal);
      const wait = () =>
        waitForTxt({
          items: [{ owner, values, delegation }],
          discovery: network.discovery,
          exchange: network.exchange,
          mode,
          resolvers: network.resolvers,
          dohExchange: network.dohExchange,
          deadlineMs: dns.settings.propagation.timeoutMs,
          signal: io.signal,
          clock: systemClock,
          observer,
        });
      const settled = () => settleDuring(written, wait, ({ status }) => status === "propagated", deps);
      const verdict = mode === "none" ? await settled() : await propagationStep(owner, settled, deps);
      io.signal.throwIfAborted();
      const { zone, provider } = at.get(owner) ?? { zone: delegation?.zone ?? "", provider: "" };
      const json = { fqdn, owner, zone, provider, values, propagation: verdict.status, warnings: input.warnings() };
      return { json, text: `${owner} TXT ${values.map((v) => `"${v}"`).join(" ")} in ${zone}\n` };
    } catch (error) {
      for (const w of await ledger.cleanUp(30_000)) observer({ type: "warning", ...w });
      throw error;
    }
  },
};
