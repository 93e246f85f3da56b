// Preloaded into `dns01` by NODE_OPTIONS=--import: kills the process, as a power cut would, when it reaches its n-th step
// (DNS01_TEST_KILL_AT), and writes every step down before that (DNS01_TEST_STEPS).
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";

const killAt = Number(process.env["DNS01_TEST_KILL_AT"] ?? "0");
const file = process.env["DNS01_TEST_STEPS"];
let count = 0;

subscribe("dns01:step", (step) => {
  count++;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ n: count, ...step })}\n`);
  if (count === killAt) process.kill(process.pid, "SIGKILL");
});
