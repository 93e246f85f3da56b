import { counted } from "../core/counted.ts";
import { describeTimeout } from "./explain-timeout.ts";
import { addressesOf, inSeconds, list, nameOf, type Situation } from "./explain-words.ts";

/** One sentence a person acts on; the most specific rule that fits. */
export function explain(situation: Situation): string {
  const { status, owners } = situation;
  const seconds = inSeconds(situation.elapsedMs);
  const names = owners.length === 1 ? String(owners[0]?.owner) : `${owners.length} names`;
  switch (status) {
    case "skipped":
      return `Whether ${names} is visible was not checked, as asked.`;
    case "propagated":
      return propagated(situation, names, seconds);
    case "aborted": {
      const asked = addressesOf(situation.servers);
      return `Stopped after ${seconds}: ${asked.filter((s) => s.class === "match").length} of ${counted(asked.length, "nameserver address")} had the value.`;
    }
    case "misplaced":
      return misplaced(situation);
    case "no-delegation":
      return noDelegation(situation);
    case "blind":
      return blind(situation, names);
    case "dnssec-bogus":
      return bogus(situation);
    case "timeout":
      return describeTimeout(situation);
  }
}

function propagated(situation: Situation, names: string, seconds: string): string {
  const asked = addressesOf(situation.servers);
  const views = situation.servers.filter((s) => s.resolver === true);
  const agreed = asked.filter((s) => s.class === "match");
  const excused = asked.filter((s) => s.excused);
  if (agreed.length === 0) {
    return `${list(views.filter((s) => s.class === "match").map(nameOf))} can see the value at ${names} after ${seconds}; the nameservers themselves ${asked.length === 0 ? "were not asked" : "cannot be reached from here"}.`;
  }
  const isAll = excused.length === 0 && asked.length > 1;
  const some = agreed.length === asked.length ? "" : `${agreed.length} of `;
  const serve = asked.length === 1 ? "serves" : "serve";
  const but = excused.length === 0 ? "" : ` ${list(excused.map((s) => `${nameOf(s)} (${s.class})`))} did not count.`;
  return `${isAll ? "All " : some}${counted(asked.length, "nameserver address")} ${serve} ${names} after ${seconds}.${but}`;
}

function misplaced(situation: Situation): string {
  const at = situation.servers.find((s) => s.class === "alias");
  const what = at?.error ?? "an alias";
  return `${at?.owner ?? "The name"} is itself an alias (${what}, says ${at === undefined ? "a nameserver" : nameOf(at)}), so nobody will look for the value there: write it at the end of the alias, or remove the alias.`;
}

function noDelegation(situation: Situation): string {
  const lost = situation.owners.find((o) => o.discoveryError !== undefined);
  if (lost !== undefined) return `No nameservers were found for ${lost.owner}: ${lost.discoveryError}.`;
  const bare = situation.owners.find((o) => !situation.servers.some((s) => s.owner === o.owner && s.resolver !== true));
  const which = bare === undefined || bare.unresolved.length === 0 ? "" : ` (${list(bare.unresolved)})`;
  return `The nameservers of ${bare?.zone ?? bare?.owner ?? "the zone"}${which} have no address, so nobody can look the name up: correct the delegation at the registrar.`;
}

function blind(situation: Situation, names: string): string {
  const asked = addressesOf(situation.servers);
  const views = situation.servers.filter((s) => s.resolver === true);
  if (views.length > 0) {
    const errors = views.map((v) => `${nameOf(v)}: ${v.error ?? v.class}`);
    const before =
      asked.length > 0 && asked.every((s) => s.class === "match" || s.excused)
        ? "All nameservers serve the value, but no resolver"
        : "Neither the nameservers nor a resolver";
    return `${before} could be asked for ${names} (${list(errors)}): check the resolvers given, or use another one.`;
  }
  const lost = situation.owners.find((o) => o.discoveryError !== undefined);
  if (asked.length === 0)
    return `No nameserver could be asked for ${names}: ${lost?.discoveryError ?? "nobody answered"}.`;
  const resolving = asked.find((s) => s.class === "lame");
  if (resolving !== undefined) {
    return `Something between here and the nameservers answers in their place (${nameOf(resolving)} answers without AA, like a resolver): port 53 is intercepted in this network. Use a DoH resolver (--resolver https://…) or another network.`;
  }
  if (asked.every((s) => s.class === "unroutable")) {
    return `This machine has no route to any nameserver of ${names} (${list(asked.map((s) => s.address))}).`;
  }
  const none = asked.length === 1 ? "The nameserver address" : `None of the ${asked.length} nameserver addresses`;
  const answers = asked.length === 1 ? "does not answer" : "answers";
  return `${none} of ${names} ${answers} over UDP or TCP: port 53 seems blocked in this network. Give a resolver that can be reached (--resolver), DoH included.`;
}

function bogus(situation: Situation): string {
  const at = situation.servers.find((s) => s.resolver === true && s.class === "broken");
  const said = at?.error === undefined ? "" : ` (${at.error})`;
  return `The zone of ${at?.owner ?? "the name"} fails DNSSEC validation at ${at === undefined ? "a resolver" : nameOf(at)}${said}: no CA can validate it until its signatures, or the DS record at the parent, are repaired.`;
}
