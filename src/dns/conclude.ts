import { explain } from "./explain.ts";
import { elapsedMs, warn } from "./run.ts";
import type { Verdict } from "./types.ts";
import { resolverVerdicts, serversOf } from "./verdict.ts";
import type { Wait } from "./wait.ts";

type Status = Verdict["status"];

/** Time is up while settling: the evidence is complete. Nobody was ever heard: that is no lateness of the servers. */
export function atDeadline(wait: Wait): Status {
  if (wait.request.mode === "none") return "skipped";
  if (wait.confirmed) return "propagated";
  const open = wait.owners.map((o) => o.state).filter((s) => s.outcome !== "propagated");
  const mute = open.every((s) =>
    s.targets.length === 0 ? s.discoveryBlind : s.targets.every((t) => !t.reached && t.failure !== undefined),
  );
  return open.length > 0 && mute && wait.views.length === 0 && wait.request.mode !== "recursive" ? "blind" : "timeout";
}

/** What is known now, as a verdict. */
export function conclude(wait: Wait, status: Status): Verdict {
  const { run, owners, views } = wait;
  const elapsed = elapsedMs(run);
  const { startedAt, quorum } = run.terms;
  const zones = new Map(owners.map(({ state }) => [state.owner, state.zone]));
  const servers = [
    ...owners.flatMap(({ state }) => serversOf(state, quorum, startedAt)),
    ...resolverVerdicts(views, (owner) => zones.get(owner), startedAt),
  ];
  if (status === "propagated") warnExcused(wait, servers);
  const now = run.clock.now();
  const cachedForMs = (s: Verdict["servers"][number]) => {
    const until = views.find((v) => v.label === s.address && v.owner === s.owner)?.cachedUntil;
    return until === undefined ? undefined : Math.max(0, until - now);
  };
  return {
    status,
    elapsedMs: Math.round(elapsed),
    queries: { ...run.spent },
    servers,
    warnings: [...run.warnings.values()],
    explanation: explain({ status, elapsedMs: elapsed, owners: owners.map((o) => o.state), servers, cachedForMs }),
  };
}

/** Each server that did not count is named once, whatever the number of owners. */
function warnExcused(wait: Wait, servers: Verdict["servers"]): void {
  const unroutable = new Set<string>();
  for (const s of servers) {
    if (!s.excused) continue;
    if (s.class === "unroutable") unroutable.add(s.address);
    else {
      const label = String(s.name) === s.address ? s.address : `${s.name} (${s.address})`;
      const why = s.error === undefined ? s.class : `${s.class}: ${s.error}`;
      warn(wait.run, { code: "W_EXCUSED", text: `${label} did not count, ${why}`, server: s.address });
    }
  }
  if (unroutable.size > 0) {
    const text = `no route from here to ${[...unroutable].join(", ")}; not tested`;
    warn(wait.run, { code: "W_UNROUTABLE", text });
  }
}
