import { type UnitWork, wallsOf } from "./unit-walls.ts";

export const unitNames = ["dns01.service", "dns01-renew.service", "dns01-renew.timer"] as const;
export type UnitName = (typeof unitNames)[number];

export interface UnitOptions {
  /** Node and the program, absolute. */
  readonly program: readonly string[];
  /** What follows the command's name: absolute paths. */
  readonly args: readonly string[];
  readonly work: UnitWork;
}

/** The text of a unit for systemd. */
export function unitText(name: UnitName, { program, args, work }: UnitOptions): string {
  switch (name) {
    case "dns01.service":
      return `[Unit]
Description=dns01: issues and renews certificates
Wants=network-online.target
After=network-online.target nss-lookup.target

[Service]
Type=notify
# Messages are sent by systemd-notify, a process of its own.
NotifyAccess=all
ExecStart=${commandLine([...program, "run", ...args])}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=5min
Restart=on-failure
RestartSec=30s
# What stands in DNS is taken out before the end.
TimeoutStopSec=90s
${wallsOf(work)}
[Install]
WantedBy=multi-user.target
`;
    case "dns01-renew.service":
      return `[Unit]
Description=dns01: renews certificates that are due
Wants=network-online.target
After=network-online.target nss-lookup.target

[Service]
Type=oneshot
ExecStart=${commandLine([...program, "renew", ...args])}
TimeoutStartSec=1h
${wallsOf(work)}`;
    case "dns01-renew.timer":
      return `[Unit]
Description=dns01: looks for certificates that are due

[Timer]
# Nothing is sent to anybody while nothing is due and no look at the CA's renewal information is.
OnCalendar=hourly
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
`;
  }
}

/** As systemd.service(5) reads it: quoted where needed, % and $ doubled. */
function commandLine(words: readonly string[]): string {
  return words
    .map((word) => {
      const escaped = word
        .replaceAll("\\", "\\\\")
        .replaceAll('"', '\\"')
        .replaceAll("%", "%%")
        .replaceAll("$", "$$$$");
      return /^[A-Za-z0-9_@%:,./=+$-]+$/.test(escaped) ? escaped : `"${escaped}"`;
    })
    .join(" ");
}
