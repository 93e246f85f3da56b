import type { DiskWatch } from "./disk-watch.ts";
import type { Life } from "./life.ts";
import type { Notifier } from "./notify.ts";

export interface TimersOptions {
  readonly disk: DiskWatch;
  readonly life: Life;
  readonly notifier: Notifier;
  readonly rescanMs: number;
  readonly rescan: () => Promise<unknown>;
  readonly onFault: (what: string, error: unknown) => void;
}

/** As often as an order is repeated that the disk has failed. */
const probeMs = 60_000;

/** What is done regularly beside the certificates, until the returned function is called. */
export function startTimers({ disk, life, notifier, rescanMs, rescan, onFault }: TimersOptions): () => void {
  const scan = setInterval(() => {
    rescan().catch((error: unknown) => onFault("state folder", error));
  }, rescanMs);
  const probe = setInterval(() => {
    disk.check().catch((error: unknown) => onFault("state folder", error));
  }, probeMs);
  // A loop that is stuck gives no sign: systemd starts the service anew.
  const beat =
    notifier.watchdogMs === undefined
      ? undefined
      : setInterval(() => {
          if (life.fault() === undefined) void notifier.alive();
        }, notifier.watchdogMs);
  return () => {
    clearInterval(scan);
    clearInterval(probe);
    clearInterval(beat);
  };
}
