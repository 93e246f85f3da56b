import type { Clock } from "../../core/clock.ts";
import { type Dns01Error, PropagationError } from "../../core/errors.ts";
import type { Observer } from "../../core/events.ts";
import type { DomainName } from "../../core/name.ts";
import { createBlindZones } from "../../dns/blind-zones.ts";
import { observedMs } from "../../dns/hint.ts";
import { createLimits } from "../../dns/limits.ts";
import { waitForTxt } from "../../dns/propagation.ts";
import type { ServerVerdict, Verdict } from "../../dns/types.ts";
import { type DnsSettings, openDns } from "../../issuer/network.ts";
import type { Question } from "./question.ts";

/** What was seen of one value at the nameservers. */
export interface GateReport {
  readonly status: Verdict["status"];
  readonly lagMs: number | undefined;
  readonly servers: readonly ServerVerdict[];
  readonly explanation: string;
}

/** Holds back the answer until every authoritative nameserver serves the value. */
export interface Gate {
  /** "propagated", or "skipped" where nobody is asked. Throws PropagationError otherwise, or abort's reason. */
  wait(
    value: Pick<Question, "owner" | "value" | "zoneCut">,
    /** Of the call, for what is told meanwhile. */
    trace: string,
    signal: AbortSignal,
    onReport: (report: GateReport) => void,
  ): Promise<Verdict["status"]>;
}

export interface GateOptions {
  readonly dns: DnsSettings;
  readonly clock: Clock;
  readonly observer: Observer;
}

export function createGate({ dns, clock, observer }: GateOptions): Gate {
  const limits = createLimits(clock);
  const blindZones = createBlindZones(clock);
  return {
    async wait({ owner, value, zoneCut }, trace, signal, onReport) {
      const tell: Observer = (event) => observer(event, trace);
      // Opened for each wait: what it finds out about nameservers is kept for as long as it lives.
      const network = await openDns(dns, tell, undefined, clock);
      const verdict = await waitForTxt({
        // Of a zone that is known to be blind they need not be looked for again: that takes seconds as well.
        items: [{ owner, values: [value], delegation: zoneCut && blindZones.find(zoneCut) }],
        discovery: network.discovery,
        exchange: network.exchange,
        resolvers: network.resolvers,
        ...(network.dohExchange === undefined ? {} : { dohExchange: network.dohExchange }),
        mode: dns.propagation.mode,
        deadlineMs: dns.propagation.timeoutMs,
        signal,
        clock,
        observer: tell,
        limits,
        blindZones,
      });
      signal.throwIfAborted();
      const { status, servers, explanation } = verdict;
      onReport({ status, servers, explanation, lagMs: observedMs(verdict) });
      if (status !== "propagated" && status !== "skipped") throw unseen(owner, status, dns.resolvers.length > 0);
      return status;
    },
  };
}

/**
 * Why the value does not count as published. The same words at every time of the wait, and none about single servers:
 * those are in the log, and come and go.
 */
export function unseen(owner: DomainName, status: Verdict["status"], hasResolver = false): Dns01Error {
  const hint = hasResolver && status === "blind" ? blindResolvers : hints[status];
  return new PropagationError(`${causes[status] ?? causes.timeout} ${owner}`, {
    fqdn: owner,
    operation: "propagation",
    hint: hint ?? "The next call goes on waiting; dns01's log has the answer of each nameserver.",
  });
}

const causes: Readonly<Record<string, string>> & { readonly timeout: string } = {
  timeout: "the provider took the value, but not every authoritative nameserver serves it yet at",
  misplaced: "the provider took the value, but the nameservers of this name belong to another zone or account:",
  blind: "the provider took the value, but no authoritative nameserver could be asked for",
  "no-delegation": "the provider took the value, but no nameservers were found for",
  "dnssec-bogus": "the provider took the value, but its DNSSEC signatures do not hold for",
};

const blindResolvers =
  "Let the pod of dns01 send DNS (UDP and TCP port 53) outside, or to the resolvers that --resolver names.";

const hints: Readonly<Record<string, string>> = {
  misplaced: "Compare the NS records of the zone with the provider's nameservers.",
  blind: "Let the pod of dns01 send DNS (UDP and TCP port 53) outside, or give it --resolver.",
  "no-delegation": "Check that the domain is delegated at its registrar.",
  "dnssec-bogus": "Check the DS record and the signing of the zone.",
};
