// The servers and clients that test/real tries the program against, as Debian packages.
import { spawnSync } from "node:child_process";

const packages = [
  "pebble",
  "knot",
  "knot-dnsutils",
  "nsd",
  "bind9",
  "unbound",
  "lego",
  "certbot",
  "python3-certbot-dns-rfc2136",
  "openssl",
  "util-linux",
  "python3-moto",
  "python3-flask-cors",
  "pdns-server",
  "pdns-backend-sqlite3",
  "sqlite3",
  "kubectl",
  "kubernetes-client",
  "promtool",
  "tinyproxy",
];

/** One script, so that one `sudo` is enough and the trap puts everything back. */
const install = `
set -u
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
ours=
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && ours=1
fi
trap '[ -z "$ours" ] || rm -f /usr/sbin/policy-rc.d' EXIT
get() { apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"; }
for try in 1 2 3; do
  get install --no-install-recommends "$@" && exit 0
  sleep $((try * 3))
  get update || true
done
exit 1
`;

/**
 * Installs what is missing where that is allowed (root, or sudo that asks nothing); the services that Debian starts with a
 * package are kept from starting. Returns what is still missing and why.
 */
export function ensurePackages() {
  const missing = missingPackages();
  if (missing === undefined) return { missing: [], reason: "this is no Debian" };
  if (missing.length === 0 || process.env.DNS01_TEST_APT === "0") return { missing, reason: "DNS01_TEST_APT=0" };
  const become = process.getuid?.() === 0 ? [] : ["sudo", "-n", "-E"];
  if (become.length > 0 && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status !== 0) {
    return { missing, reason: "only root may install packages" };
  }
  console.error(`apt-get install ${missing.join(" ")}`);
  const [command, ...args] = [
    ...become,
    "timeout",
    "--kill-after=10",
    "420",
    "sh",
    "-c",
    install,
    "install",
    ...missing,
  ];
  const started = Date.now();
  const result = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 26 });
  const still = missingPackages() ?? [];
  if (still.length > 0) console.error(`${result.stdout}${result.stderr}`.trim().split("\n").slice(-20).join("\n"));
  else console.error(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
  return { missing: still, reason: "apt-get failed" };
}

/** Undefined where there is no dpkg or apt-get. */
function missingPackages() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = "-f=${Package} ${db:Status-Status}\n";
  const query = spawnSync("dpkg-query", ["-W", format, ...packages], {
    encoding: "utf8",
  });
  if (query.error !== undefined || spawnSync("apt-get", ["--version"], { stdio: "ignore" }).error !== undefined) {
    return undefined;
  }
  const installed = new Set(
    query.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((l) => l.split(" ")[0]),
  );
  return packages.filter((name) => !installed.has(name));
}
