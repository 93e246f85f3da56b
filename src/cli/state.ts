import { homedir, platform } from "node:os";
import { join } from "node:path";

/** Where state is kept when neither --state nor DNS01_STATE says. */
export function defaultStateDir(env: Readonly<Record<string, string | undefined>>): string {
  if (platform() === "win32") return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "dns01");
  if (process.getuid?.() === 0) return "/var/lib/dns01";
  if (platform() === "darwin") return join(homedir(), "Library", "Application Support", "dns01");
  return join(env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "dns01");
}
