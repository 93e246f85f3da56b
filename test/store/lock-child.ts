import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../src/store/index.ts";

/**
 * Takes the lock again and again. Whoever has it leaves its pid in a file; to find there the pid of a living process
 * means that two had it. Dies with the lock in its hands now and then.
 */
const [dir = "", rounds = "0", seed = "1"] = process.argv.slice(2);
const { signal } = new AbortController();
const store = await openStore(dir, { purpose: "contend" });
const inside = join(dir, "inside");
let state = Number(seed);
const chance = () => {
  state = (state * 1103515245 + 12345) % 2147483648;
  return state / 2147483648;
};

for (let i = 0; i < Number(rounds); i++) {
  const release = await store.certificates.lock("a.test", { signal });
  const other = Number(read(inside) || "0");
  if (other !== 0 && lives(other)) {
    console.error(`${process.pid} and ${other} hold the same lock`);
    process.exit(3);
  }
  writeFileSync(inside, String(process.pid));
  if (chance() < 0.15) process.kill(process.pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, chance() * 3));
  if (read(inside) !== String(process.pid)) {
    console.error(`${process.pid} lost the lock to ${read(inside)}`);
    process.exit(3);
  }
  rmSync(inside);
  await release();
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A killed process that its parent has not collected yet does not live. */
function lives(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  if (stat !== "") return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
