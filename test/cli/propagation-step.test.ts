import { expect, test } from "vitest";
import { createLiveProgress } from "../../src/cli/progress.ts";
import { propagationStep } from "../../src/cli/propagation-step.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import type { Verdict } from "../../src/dns/types.ts";
import { openScreen } from "./screen.ts";

const owner = "_acme-challenge.example.test";
const signal = new AbortController().signal;
const verdict = (status: Verdict["status"]) => ({ status, servers: [], warnings: [] }) as unknown as Verdict;
const server = { name: "ns1.example.test", address: "192.0.2.1", zone: "example.test", values: [], missing: ["value"] };

test("a wait of check or present shows its nameservers on a terminal while it lasts", async () => {
  const screen = openScreen(80, 24);
  const { observer, stop } = createLiveProgress({ write: screen.write, size: screen.size, color: false });
  let during: readonly string[] = [];
  const wait = async () => {
    observer({ type: "propagation.poll", owner, servers: [{ ...server, state: "absent" }], elapsedMs: 1 });
    observer({ type: "lock.wait", name: "x", holder: "y" });
    during = await screen.visible();
    return verdict("propagated");
  };
  await propagationStep(owner, wait, { observer, signal });
  stop();
  expect(during.slice(1)).toEqual([
    `  ${owner}`,
    expect.stringMatching(/ns1\.example\.test {2}192\.0\.2\.1 {2}· value {2}absent$/),
    expect.stringMatching(/propagation 0 of 1 answers agree/),
  ]);
  expect((await screen.history()).slice(1)).toEqual([expect.stringMatching(/^✔ propagation/)]);
});

test.each([
  ["propagated", "done"],
  ["timeout", "failed"],
] as const)("a wait that ends as %s is a step that is %s", async (status, state) => {
  const events: Dns01Event[] = [];
  const wait = async () => verdict(status as Verdict["status"]);
  const deps = { observer: (event: Dns01Event) => void events.push(event), signal };
  await propagationStep(owner, wait, deps).catch(() => {});
  expect(events.map((event) => (event.type === "phase" ? event.state : event.type))).toEqual(["start", state]);
});
