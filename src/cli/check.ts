import { readDnsSettings } from "../config/dns-settings.ts";
import { systemClock } from "../core/clock.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { waitForTxt } from "../dns/propagation.ts";
import { openDns } from "../issuer/network.ts";
import { type Command, failOn } from "./command.ts";
import { propagationStep } from "./propagation-step.ts";
import { verdictTable } from "./table.ts";
import { readTxtArguments } from "./txt-arguments.ts";

/** An answer "every nameserver serves it" after nobody was asked would be a lie. */
const idleMessage = '"none" asks nobody, and a check has to: say --propagation authoritative, recursive or both';

/** `dns01 check`: only the propagation part; touches nothing. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const read = readTxtArguments(input);
    const dns = readDnsSettings(flags);
    const idle: ConfigIssue[] =
      dns.settings.propagation.mode === "none"
        ? [{ path: flags.source("propagation") ?? "--propagation", message: idleMessage }]
        : [];
    failOn([...input.issues, ...read.issues, ...dns.issues, ...idle]);
    if (read.arguments === undefined) throw new Error("unchecked arguments");
    const { fqdn, values } = read.arguments;
    const network = await openDns(dns.settings, observer);
    const placement = await network.place(fqdn, io.signal);
    const { owner, aliases, delegation } = placement;
    const wait = () =>
      waitForTxt({
        items: [{ owner, values, delegation }],
        discovery: network.discovery,
        exchange: network.exchange,
        mode: dns.settings.propagation.mode,
        resolvers: network.resolvers,
        dohExchange: network.dohExchange,
        deadlineMs: dns.settings.propagation.timeoutMs,
        signal: io.signal,
        clock: systemClock,
        observer,
      });
    const verdict = await propagationStep(owner, wait, { observer, signal: io.signal });
    const text = [`${owner}: every nameserver serves it`, "", ...verdictTable(verdict.servers), ""].join("\n");
    return { json: { fqdn, owner, aliases, values, ...verdict }, text };
  },
};
