import { type ServerProgress, silent } from "../core/events.ts";
import { elapsedMs, type Run } from "./run.ts";
import type { OwnerState } from "./schedule.ts";

/** Tells the observer where the servers of an owner stand, when that has changed. */
export function reportProgress(run: Run, s: OwnerState): void {
  if (run.observer === silent) return;
  const servers = s.targets.map((t): ServerProgress => {
    const missing = t.heard?.missing ?? s.values;
    return {
      name: t.server.name,
      address: t.server.address,
      zone: s.zone ?? "",
      state: t.class,
      values: s.values.filter((v) => !missing.includes(v)),
      missing,
      ...(t.agreedAt === undefined ? {} : { agreedAfterMs: t.agreedAt - run.terms.startedAt }),
    };
  });
  const told = JSON.stringify(servers);
  if (told === s.told) return;
  s.told = told;
  const withTimes = servers.map((p, i) => {
    const rttMs = s.targets[i]?.answer?.rttMs;
    return rttMs === undefined ? p : { ...p, rttMs };
  });
  run.observer({ type: "propagation.poll", owner: s.owner, servers: withTimes, elapsedMs: elapsedMs(run) });
}
