/** What is known of the work of a service when its unit is printed. */
export interface UnitWork {
  /** Absolute. */
  readonly state: string;
  /** It runs commands of the user: deploy hooks, or scripts of the provider exec. */
  readonly runsCommands: boolean;
  /** Folders that certificates are copied to. */
  readonly copies: readonly string[];
  /** Nothing that it reads or runs needs root. */
  readonly needsNoRoot: boolean;
}

export const defaultState = "/var/lib/dns01";

/** Returns the lines of a [Service] that say as whom it runs and what is closed to it. */
export function wallsOf({ state, runsCommands, copies, needsNoRoot }: UnitWork): string {
  const isDefault = state === defaultState;
  const hasOwnUser = needsNoRoot && isDefault && !runsCommands && copies.length === 0;
  const folders = [
    ...(isDefault ? [] : [`ReadWritePaths=${unitPath(state)}`]),
    ...copies.map((path) => `ReadWritePaths=${unitPath(`-${path}`)}`),
  ];
  return [
    "KillMode=mixed",
    "UMask=0077",
    "",
    ...(isDefault ? ["StateDirectory=dns01", "StateDirectoryMode=0700", "Environment=DNS01_STATE=%S/dns01"] : []),
    ...(hasOwnUser ? ownUser : root),
    "",
    ...(runsCommands ? aroundCommands : alone),
    ...folders,
    ...everywhere,
    ...(runsCommands ? [] : narrow),
    ...(runsCommands || hasOwnUser ? [] : ["CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"]),
    ...(hasOwnUser ? ["CapabilityBoundingSet="] : []),
    "",
  ].join("\n");
}

const ownUser = [
  "# A user of its own, which systemd makes: dns01.yaml has no deploy hooks, copies or secrets in files, which need root.",
  "# Print this unit again when that changes. Other commands on its state run as this user: runuser -u dns01 -- dns01 list",
  "DynamicUser=yes",
  "User=dns01",
];

const root = [
  '# Runs as root: deploy hooks such as "systemctl reload nginx", copies for other users and secrets in files that only root',
  "# can read need it. Where a polkit rule lets a user of your own reload the server, and the secrets are its own:",
  "#User=dns01",
];

const aroundCommands = [
  "# /usr, /boot and /etc are read-only, also to deploy hooks. What they write there needs a line of its own:",
  "#ReadWritePaths=-/etc/haproxy/certs",
  "ProtectSystem=full",
];

const alone = [
  "# Everything is read-only but the state folder, /tmp and the folders below. A deploy hook needs more: print this unit again",
  "# when dns01.yaml has one.",
  "ProtectSystem=strict",
];

/** Deploy hooks live with these, too. Not MemoryDenyWriteExecute: Node compiles JavaScript in memory. */
const everywhere = [
  "ProtectHome=read-only",
  "PrivateTmp=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "LockPersonality=yes",
  "NoNewPrivileges=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
];

/** What a command of the user may need: containers, sockets of any kind, the rights of root. */
const narrow = [
  "PrivateDevices=yes",
  "RemoveIPC=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX",
  "RestrictNamespaces=yes",
  "SystemCallFilter=@system-service @pkey",
  "SystemCallErrorNumber=EPERM",
];

/** A path in a list, as systemd.exec(5) reads it. */
function unitPath(path: string): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return /\s/.test(escaped) ? `"${escaped}"` : escaped;
}
