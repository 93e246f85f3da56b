import { counted } from "../core/counted.ts";
import { authoritative, inSeconds, list, nameOf, type Situation } from "./explain-words.ts";
import type { ServerVerdict } from "./types.ts";

/** Why time ran out: rules from the most specific to the most general; the first that says something is taken. */
export function describeTimeout(situation: Situation): string {
  const waiting = situation.owners
    .map(({ owner }) => situation.servers.filter((s) => s.owner === owner))
    .filter((servers) => servers.some((s) => s.class !== "match" && !s.excused));
  const found = situation.owners.find((o) => o.discoveryError !== undefined);
  if (found !== undefined) {
    return `The nameservers of ${found.owner} could not be found within ${inSeconds(situation.elapsedMs)}: ${found.discoveryError}.`;
  }
  const others = waiting.length - 1;
  const more = others > 0 ? ` (${others} more ${others === 1 ? "name is" : "names are"} not ready either)` : "";
  for (const rule of rules) {
    for (const servers of waiting) {
      const text = rule(servers, situation);
      if (text !== undefined) return text + more;
    }
  }
  const seconds = inSeconds(situation.elapsedMs);
  return situation.servers.length === 0
    ? `Nothing was heard within ${seconds}.`
    : `Time ran out after ${seconds} while the agreement of the nameservers was being confirmed: allow more (--propagation-timeout).`;
}

type Rule = (servers: readonly ServerVerdict[], situation: Situation) => string | undefined;

const rules: readonly Rule[] = [
  onlyCacheIsBehind,
  lineagesDiffer,
  transferLags,
  nothingPublished,
  publishedElsewhere,
  valuesReplaced,
  otherValuesOnly,
  flapping,
  nobodyServesTheZone,
  onlySilenceBlocks,
  someLag,
];

function onlyCacheIsBehind(servers: readonly ServerVerdict[], situation: Situation): string | undefined {
  const asked = authoritative(servers);
  const view = servers.find((s) => s.resolver === true && s.class !== "match" && !s.excused);
  if (view === undefined || !asked.every((s) => s.class === "match" || s.excused)) return undefined;
  const leftMs = situation.cachedForMs(view);
  const says =
    view.class === "absent" || view.class === "absent-nosoa" ? (view.rcode ?? "no record") : "an older answer";
  const left = leftMs === undefined ? "" : ` for another ${Math.ceil(leftMs / 1_000).toLocaleString("en-US")} s`;
  const agree =
    asked.length === 0
      ? ""
      : `${asked.length === 1 ? "The nameserver address serves" : `All ${asked.length} nameserver addresses serve`} the value, but `;
  return `${agree}${nameOf(view)} keeps ${says} for ${view.owner} in its cache${left}: it was asked before the record existed. The CA uses resolvers of its own and is not affected; --propagation authoritative does not ask caches.`;
}

/** Serials so far apart do not come from counting or from dates of one scheme: two masters. */
const lineageGap = 1_000_000;

function lineagesDiffer(servers: readonly ServerVerdict[]): string | undefined {
  const known = withSerial(servers);
  const behind = known.filter((s) => isWaiting(s));
  const ahead = known.filter((s) => s.class === "match");
  for (const a of behind) {
    const b = ahead.find(
      (o) =>
        Math.abs(serialLag(o.soaSerial, a.soaSerial)) > lineageGap ||
        (o.soaMname !== undefined && a.soaMname !== undefined && o.soaMname !== a.soaMname),
    );
    if (b === undefined) continue;
    return `${nameOf(a)} serves another copy of ${a.zone} (serial ${a.soaSerial}, primary ${a.soaMname ?? "unknown"}) than ${nameOf(b)} (serial ${b.soaSerial}, primary ${b.soaMname ?? "unknown"}): two DNS services share the zone, so the value must be written at both, or one of them removed from the delegation.`;
  }
  return undefined;
}

function transferLags(servers: readonly ServerVerdict[]): string | undefined {
  const known = withSerial(servers);
  const newest = known.filter((s) => s.class === "match")[0];
  if (newest === undefined) return undefined;
  const behind = known.filter((s) => isWaiting(s) && serialLag(newest.soaSerial, s.soaSerial) > 0);
  const worst = behind[0];
  if (worst === undefined) return undefined;
  const lag = serialLag(newest.soaSerial, worst.soaSerial);
  const by = lag === 1 ? "one serial" : `${lag.toLocaleString("en-US")} serials`;
  return `${share(servers)} the value, but ${list(behind.map(nameOf))} still ${behind.length === 1 ? "has" : "have"} serial ${worst.soaSerial}, ${by} behind ${newest.soaSerial} at ${nameOf(newest)}: zone transfer or NOTIFY to ${behind.length === 1 ? "it" : "them"} is not working.`;
}

function nothingPublished(servers: readonly ServerVerdict[]): string | undefined {
  const asked = authoritative(servers).filter((s) => !s.excused);
  if (asked.length === 0 || !asked.every(isEmpty)) return undefined;
  const known = withSerial(asked);
  if (known.length < asked.length || known.some((s) => s.soaSerial !== s.firstSoaSerial)) return undefined;
  const first = asked[0];
  return `${asked.length === 1 ? "The nameserver has published nothing" : `None of the ${asked.length} nameserver addresses has published anything`} since the wait began (serial ${first?.soaSerial}, no TXT at ${first?.owner}). If the provider accepted the change: is ${first?.zone} the zone that this account edits, and are these its nameservers?`;
}

function publishedElsewhere(servers: readonly ServerVerdict[]): string | undefined {
  const asked = authoritative(servers).filter((s) => !s.excused);
  if (asked.length === 0 || !asked.every(isEmpty)) return undefined;
  const moved = asked.find((s) => s.soaSerial !== undefined && s.soaSerial !== s.firstSoaSerial);
  if (moved === undefined) return undefined;
  return `${moved.zone} was published anew (serial ${moved.firstSoaSerial} became ${moved.soaSerial}), but no nameserver has a TXT record at ${moved.owner}: was the value written at another name, or removed again?`;
}

function valuesReplaced(servers: readonly ServerVerdict[]): string | undefined {
  const partial = servers.find((s) => s.class === "partial" && !s.excused);
  if (partial === undefined || servers.some((s) => s.class === "match")) return undefined;
  return `${nameOf(partial)} serves only some of the values at ${partial.owner} (${partial.missing.length} missing): another client may have replaced the record set, or the provider keeps one value per name.`;
}

function otherValuesOnly(servers: readonly ServerVerdict[]): string | undefined {
  const asked = authoritative(servers).filter((s) => !s.excused);
  if (asked.length === 0 || !asked.every((s) => s.class === "stale")) return undefined;
  const first = asked[0];
  return `Every nameserver has TXT records at ${first?.owner}, but not the expected value (seen: ${list(first?.seen ?? [])}): the change was not published, or somebody else has overwritten it.`;
}

function flapping(servers: readonly ServerVerdict[], situation: Situation): string | undefined {
  const pool = servers.find((s) => isWaiting(s) && (s.nsids?.length ?? 0) > 1);
  if (pool === undefined) return undefined;
  return `${nameOf(pool)} is several machines that do not agree (${list(pool.nsids ?? [])}): some still answer without the value after ${inSeconds(situation.elapsedMs)}.`;
}

function nobodyServesTheZone(servers: readonly ServerVerdict[]): string | undefined {
  const asked = authoritative(servers).filter((s) => !s.excused);
  if (asked.length === 0 || !asked.every((s) => s.class === "lame" || s.class === "broken" || s.class === "referral")) {
    return undefined;
  }
  const first = asked[0];
  const said = [...new Set(asked.map((s) => s.rcode ?? s.class))];
  return `No nameserver that ${first?.zone} is delegated to serves it (${list(said)} from ${list(asked.map(nameOf))}): correct the delegation, or the zone at these servers.`;
}

function onlySilenceBlocks(servers: readonly ServerVerdict[]): string | undefined {
  const blocking = authoritative(servers).filter((s) => s.class !== "match" && !s.excused);
  const first = blocking[0];
  if (first === undefined || !blocking.every((s) => !isWaiting(s))) return undefined;
  const how = blocking.map((s) => `${nameOf(s)}: ${s.class}${s.error === undefined ? "" : ` (${s.error})`}`);
  return `${share(servers)} the value; the others cannot be asked, and too many are missing to go on without them: ${list(how)}.`;
}

function someLag(servers: readonly ServerVerdict[], situation: Situation): string | undefined {
  const behind = servers.filter((s) => s.class !== "match" && !s.excused);
  const first = behind[0];
  if (first === undefined) return undefined;
  return `${share(servers)} the value at ${first.owner} after ${inSeconds(situation.elapsedMs)}; still waiting for ${list(behind.map((s) => `${nameOf(s)} (${s.class})`))}.`;
}

function share(servers: readonly ServerVerdict[]): string {
  const asked = authoritative(servers);
  const agreed = asked.filter((s) => s.class === "match").length;
  const has = agreed === 1 || asked.length === 1 ? "has" : "have";
  return `${agreed} of ${counted(asked.length, "nameserver address")} ${has}`;
}

function withSerial(servers: readonly ServerVerdict[]) {
  return authoritative(servers).flatMap((s) => (s.soaSerial === undefined ? [] : [{ ...s, soaSerial: s.soaSerial }]));
}

function isWaiting(s: ServerVerdict): boolean {
  return s.class === "absent" || s.class === "absent-nosoa" || s.class === "stale" || s.class === "partial";
}

function isEmpty(s: ServerVerdict): boolean {
  return s.class === "absent" || s.class === "absent-nosoa";
}

/** How far `b` is behind `a` in serial number arithmetic (RFC 1982); negative when it is ahead. */
function serialLag(a: number, b: number): number {
  const lag = (a - b) >>> 0;
  return lag < 0x8000_0000 ? lag : lag - 0x1_0000_0000;
}
