import { readDnsSettings } from "../config/dns-settings.ts";
import { readRoutes, routeOf } from "../config/solvers.ts";
import { systemClock } from "../core/clock.ts";
import { openDns } from "../issuer/network.ts";
import { createRouter } from "../issuer/router.ts";
import { takeOut } from "../issuer/take-out.ts";
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
    const { journal } = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const done = await takeOut(fqdn, values, {
      dns: await openDns(dns.settings, observer),
      solvers: createRouter(routes.map((r) => routeOf(r, observer, redactor, io.signal))),
      journal,
      clock: systemClock,
      observer,
      now: () => new Date(),
      signal: io.signal,
    });
    const changes = done.map(({ owner, zone, changed }) => ({ owner, zone, changed }));
    const json = {
      fqdn,
      owner: done[0]?.owner ?? fqdn,
      provider: done[0]?.provider,
      values,
      changes,
      warnings: input.warnings(),
    };
    const lines = done.map(({ owner, changed }) => `${owner}: ${changed ? "taken out" : "was not there"}\n`);
    return { json, text: lines.join("") };
  },
};
