import { readDnsSettings } from "../config/dns-settings.ts";
import { readRoutes, routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { cleanUpForGood } from "../core/settle.ts";
import { openDns } from "../issuer/network.ts";
import { createRouter } from "../issuer/router.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";
import { readTxtArguments } from "./txt-arguments.ts";

/** `dns01 cleanup`: takes exactly one value out, wherever it was presented from; with `--leftovers`, what was forgotten. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    if (flags.on("leftovers")) return await (await import("./cleanup-leftovers.ts")).cleanLeftovers(input);
    const onlyWith = ["yes", "domain"].filter((flag) => flags.source(flag) === `--${flag}`);
    const strange = onlyWith.map((flag) => ({ path: `--${flag}`, message: "is for --leftovers only" }));
    const read = readTxtArguments(input);
    const config = await input.loadConfig();
    const { redactor, registry } = input;
    const { routes, issues } = await readRoutes({ flags, env: io.env, redactor, config, registry, observer });
    const dns = readDnsSettings(flags);
    failOn([...input.issues, ...strange, ...read.issues, ...issues, ...dns.issues]);
    if (read.arguments === undefined) throw new Error("unchecked arguments");
    const { fqdn, values } = read.arguments;
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const network = await openDns(dns.settings, observer);
    const noted = (await store.journal.list()).filter((e) => e.certificate === "" && values.includes(e.value));
    const placement = await network.place(fqdn, io.signal);
    const solver = await createRouter(routes.map((r) => routeOf(r, observer, input.redactor, io.signal))).solverFor(
      placement.owner,
    );
    const items = [{ owner: placement.owner, zoneCut: placement.delegation.zone, values }];
    const solved = await cleanUpForGood(solver, items, { clock: systemClock, observer, signal: io.signal });
    const changes = solved.map(({ owner, zone, changed }) => ({ owner, zone, changed }));
    await store.journal.remove(noted.filter((e) => e.owner === placement.owner).map((e) => e.id));
    const json = { fqdn, owner: placement.owner, provider: solver.provider, values, changes };
    return { json, text: `${placement.owner}: taken out\n` };
  },
};
