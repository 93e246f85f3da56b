import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** Enough to tell, on the same machine, whether a process that wrote its identity down still lives. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start; "" where the system does not tell. A reused pid has another one. */
  readonly start: string;
  /** Hash of host name, boot and pid namespace: pids of one space can be compared, those of different ones never. */
  readonly space: string;
  readonly host: string;
}

/** Whether it lives: "unknown" when it runs elsewhere, or a pid of the same number may be another process. */
export type Life = "alive" | "dead" | "unknown";

/** The identity of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const host = hostname();
  // Two containers can share a host name but not a pid namespace; the pid of one says nothing in the other.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => "");
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  const space = createHash("sha256").update([host, boot.trim(), namespace].join("\n")).digest("hex").slice(0, 12);
  const stat = await statOf(process.pid);
  return { pid: process.pid, start: stat?.start ?? "", space, host };
}

/** Whether `other` still lives, as far as `own` can see. */
export async function lifeOf(other: Omit<ProcessIdentity, "host">, own: ProcessIdentity): Promise<Life> {
  if (other.space !== own.space) return "unknown";
  if (other.pid !== own.pid && !pidExists(other.pid)) return "dead";
  if (other.start === "" || own.start === "") return "unknown";
  if (other.pid === own.pid) return other.start === own.start ? "alive" : "dead";
  const stat = await statOf(other.pid);
  // /proc hides other users' processes when it is mounted with hidepid.
  if (stat === undefined) return pidExists(other.pid) ? "unknown" : "dead";
  return stat.start === other.start && !stat.ended ? "alive" : "dead";
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Fields 3 (state) and 22 (start time) of proc_pid_stat(5); field 2 may hold spaces and parentheses. */
async function statOf(pid: number): Promise<{ readonly start: string; readonly ended: boolean } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const start = fields[19];
  // A zombie has ended: nobody collected it yet, as in containers without an init process.
  return start === undefined ? undefined : { start, ended: fields[0] === "Z" || fields[0] === "X" };
}
