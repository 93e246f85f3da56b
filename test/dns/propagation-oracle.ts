import { budgetOf } from "../../src/dns/polling.ts";
import type { Simulated, Told } from "./propagation-simulation.ts";
import type { OwnerScript, ServerScript } from "./propagation-world.ts";

/** What a run did wrong, in words, judged by what the servers truly said; empty when nothing. */
export function faultsOf(run: Simulated): readonly string[] {
  const found: string[] = [];
  const { script, verdict, endedAt, packets } = run;
  if (endedAt > script.deadlineMs) found.push(`ended at ${endedAt} ms, after the deadline`);
  if (run.sleepersLeft > 0) found.push(`${run.sleepersLeft} timers were left behind`);
  const late = packets.find((p) => p.at > endedAt);
  if (late !== undefined) found.push(`a packet left for ${late.address} after the end`);
  const aborted = script.abortAt < endedAt || verdict.status === "aborted";
  if (aborted && verdict.status !== "aborted")
    found.push(`aborted at ${script.abortAt} ms, ended at ${endedAt} ms as ${verdict.status}`);
  if (verdict.status === "aborted" && endedAt !== script.abortAt)
    found.push(`aborted at ${script.abortAt} ms, ended only at ${endedAt} ms`);
  found.push(...tooManyPackets(run), ...tooFast(run));
  if (verdict.status === "propagated") {
    const blind = run.verdict.warnings.some((w) => w.code === "W_BLIND");
    for (const o of script.owners) if (!blind || !isBlindFor(run, o)) found.push(...early(run, o));
  } else if (verdict.status !== "aborted") {
    for (const o of script.owners) found.push(...unnamed(run, o));
  }
  found.push(...tooEagerOfCaches(run));
  if (verdict.status === "misplaced" && !run.told.some((t) => t.kind === "alias"))
    found.push("misplaced without an alias");
  found.push(...stuck(run));
  return found;
}

/** Whether at the end some machine in force did not have every value: no question can exclude that for pools and vanishing values. */
export function disagreedInTruth(run: Simulated): boolean {
  const { script, endedAt, verdict } = run;
  return script.owners.some((o) =>
    script.servers.some((s, i) => {
      if (s.parent) return false;
      const server = verdict.servers.find((v) => v.address === s.address && v.owner === o.owner);
      if (server?.excused) return false;
      const asked = endedAt - script.settleMs;
      return (o.copies[i] ?? []).some((copy) =>
        copy.appears.some((at, v) => at > asked || (copy.vanishes[v] ?? Number.POSITIVE_INFINITY) <= asked),
      );
    }),
  );
}

/** Rule zero: a cache is asked when every nameserver that counts has agreed, and no nameserver after that. */
function tooEagerOfCaches(run: Simulated): readonly string[] {
  const { script, verdict, resolved } = run;
  const first = resolved[0];
  if (first === undefined) {
    const skipped = script.resolver !== undefined && verdict.status === "propagated";
    return skipped ? ["the resolver was never asked"] : [];
  }
  const then = { ...run, endedAt: first, script: { ...script, settleMs: 0 } };
  const found =
    verdict.status === "propagated" ? [] : script.owners.flatMap((o) => (isBlindFor(then, o) ? [] : early(then, o)));
  if (run.packets.some((p) => p.at > first)) found.push("a nameserver was asked after the resolver");
  const { kind, remembersUntil } = script.resolver ?? { kind: "good", remembersUntil: 0 };
  const wrong = (status: string) => found.push(`the resolver is ${kind}, and the verdict ${status}`);
  if (verdict.status === "propagated" && kind !== "good" && (kind !== "behind" || run.endedAt < remembersUntil))
    wrong("propagated");
  if (verdict.status === "dnssec-bogus" && kind !== "bogus") wrong("dnssec-bogus");
  return found;
}

/** Nobody said anything about the name: then caches are asked instead of nameservers. */
function isBlindFor(run: Simulated, o: OwnerScript): boolean {
  return !run.told.some((t) => t.owner === o.owner && t.endedAt <= run.endedAt && t.held !== undefined);
}

function serving(run: Simulated): readonly ServerScript[] {
  return run.script.servers.filter((s) => !s.parent);
}

function historyOf(run: Simulated, o: OwnerScript, s: ServerScript): readonly Told[] {
  return run.told.filter((t) => t.owner === o.owner && t.address === s.address && t.endedAt <= run.endedAt);
}

/** The latest answer about the name, if any. */
function latestData(history: readonly Told[]): Told | undefined {
  return history.findLast((t) => t.held !== undefined || t.kind === "alias");
}

function isAgreeing(o: OwnerScript, history: readonly Told[]): boolean {
  const last = history.findLast((t) => t.kind !== "silent" && t.kind !== "unroutable");
  return last?.held !== undefined && last.held.length === o.values.length;
}

function early(run: Simulated, o: OwnerScript): readonly string[] {
  const { quorum } = run.script;
  const servers = serving(run);
  const agreeing = new Set(servers.filter((s) => isAgreeing(o, historyOf(run, o, s))));
  if (agreeing.size === 0) return [`propagated, but nobody agreed about ${o.owner}`];
  const others = servers.filter((s) => !agreeing.has(s));
  const untested = others.filter((s) => {
    const history = historyOf(run, o, s);
    const twin = servers.some(
      (t) => t !== s && t.name === s.name && historyOf(run, o, t).at(-1)?.kind !== "unroutable",
    );
    return history.at(-1)?.kind === "unroutable" && latestData(history) === undefined && twin;
  });
  const open = others.filter((s) => !untested.includes(s));
  if (typeof quorum === "object") return open.length > quorum.missing ? [`propagated with ${open.length} missing`] : [];
  const found: string[] = [];
  const names = new Set(servers.map((s) => s.name));
  const agreeingNames = new Set([...agreeing].map((s) => s.name));
  // The last answer about this owner decided; other owners may have taken longer.
  const decidedAt = Math.max(
    ...run.told.filter((t) => t.owner === o.owner && t.endedAt <= run.endedAt).map((t) => t.endedAt),
  );
  for (const s of open) {
    const history = historyOf(run, o, s);
    const data = latestData(history);
    const failures = history.slice(data === undefined ? 0 : history.indexOf(data) + 1);
    const tries = failures.reduce((n, t) => n + (t.kind === "silent" ? 3 : 1), 0);
    const first = failures[0];
    const last = failures.at(-1);
    const lasted = first === undefined || last === undefined ? 0 : last.endedAt - first.sentAt;
    const label = `${s.address} for ${o.owner}`;
    if (quorum === "all") found.push(`propagated without ${label}`);
    else if (first === undefined || last === undefined)
      found.push(`propagated although ${label} disagreed in its latest answer`);
    else if (tries < 3 || lasted < 2_000) found.push(`${label} was excused after ${tries} tries in ${lasted} ms`);
    else if (data !== undefined && data.held?.length !== o.values.length && lasted < 10_000)
      found.push(`${label} had disagreed and was excused after ${lasted} ms`);
    else if (decidedAt - last.sentAt > 5_000) found.push(`${label} was excused on old evidence`);
    if (2 * agreeingNames.size < names.size) found.push(`only ${agreeingNames.size} of ${names.size} names agreed`);
  }
  return found;
}

/** Every server that did not agree in its latest answer is in the verdict, and as such. */
function unnamed(run: Simulated, o: OwnerScript): readonly string[] {
  const found: string[] = [];
  for (const s of serving(run)) {
    // What arrives in the very moment of the end may or may not have been read.
    const history = historyOf(run, o, s).filter((t) => t.endedAt < run.endedAt);
    if (history.length === 0 || history.length < historyOf(run, o, s).length) continue;
    const listed = run.verdict.servers.find((v) => v.address === s.address && v.owner === o.owner);
    const agrees = isAgreeing(o, history);
    if (listed === undefined) found.push(`${s.address} is not in the verdict`);
    else if (!agrees && listed.class === "match") found.push(`${s.address} is listed as agreeing about ${o.owner}`);
    else if (agrees && listed.class !== "match")
      found.push(`${s.address} is listed as ${listed.class} about ${o.owner}`);
  }
  return found;
}

function tooManyPackets(run: Simulated): readonly string[] {
  const pairs = run.script.servers.length * run.script.owners.length;
  const sent = run.packets.length;
  return sent > 1.5 * budgetOf(pairs) ? [`${sent} packets, with a budget of ${budgetOf(pairs)}`] : [];
}

/** Five packets a second to an address about an owner; a question let through may turn out to need three. */
function tooFast(run: Simulated): readonly string[] {
  const recent = new Map<string, number[]>();
  for (const p of run.packets) {
    // Serials are asked for once, at the end.
    if (!run.script.owners.some((o) => o.owner === p.owner)) continue;
    const key = `${p.address} ${p.owner}`;
    const times = (recent.get(key) ?? []).filter((t) => t > p.at - 1_000);
    times.push(p.at);
    recent.set(key, times);
    if (times.length > 8) return [`${times.length} packets to ${p.address} about ${p.owner} within a second`];
  }
  return [];
}

/** With everybody well and in agreement for half a minute, there was no reason to go on waiting. */
function stuck(run: Simulated): readonly string[] {
  const { script, verdict } = run;
  if (script.resolver !== undefined && script.resolver.kind !== "good") return [];
  if (verdict.status !== "timeout" && verdict.status !== "blind") return [];
  const servers = serving(run);
  if (servers.some((s) => s.machines > 1 || s.loss > 0 || s.truncates)) return [];
  if (script.owners.some((o) => Number.isFinite(o.aliasAt))) return [];
  let well = script.discovery.worksFrom;
  script.owners.forEach((o) => {
    script.servers.forEach((s, i) => {
      if (s.parent) return;
      for (const w of s.weather) well = Math.max(well, w.to);
      for (const copy of o.copies[i] ?? []) {
        well = Math.max(
          well,
          ...copy.appears,
          ...copy.vanishes.map((v) => (Number.isFinite(v) ? Number.POSITIVE_INFINITY : 0)),
        );
      }
    });
  });
  // A run that gave up because nobody answered is judged by what it could know.
  if (verdict.status === "blind")
    return well < Math.min(5_000, run.endedAt - 6_000) ? [`blind, although all was well from ${well} ms`] : [];
  const limit = script.servers.some((s) => s.parent) ? 30_000 : 25_000;
  return script.deadlineMs - well > limit
    ? [`time-out at ${script.deadlineMs} ms, although all was well from ${well} ms`]
    : [];
}
