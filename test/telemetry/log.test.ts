import { expect, test } from "vitest";
import { namedObserver } from "../../src/cli/named-observer.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { createLog, describeEvent } from "../../src/telemetry/log.ts";

test.each([
  ["", "propagation: why; 1.5 s"],
  ["_acme-challenge.example.test", "propagation _acme-challenge.example.test: why; 1.5 s"],
])("a wait for %j names its owner, and none where it is for all", (owner, text) => {
  expect(describeEvent({ type: "propagation.wait", owner, waitMs: 1_500, reason: "why" })).toMatchObject({
    level: "info",
    text,
  });
});

test.each<[Dns01Event, string]>([
  [{ type: "phase", phase: "order", state: "start", detail: "a.test" }, "order       cert: a.test"],
  [{ type: "phase", phase: "order", state: "failed" }, "order       cert: failed"],
  [{ type: "propagation.wait", owner: "", waitMs: 1, reason: "why" }, "cert: propagation: why; 1 ms"],
  [{ type: "lock.wait", name: "cert", holder: "pid 1" }, "cert: waiting for cert: held by pid 1"],
  [{ type: "warning", code: "W_CHAIN", text: "no such chain" }, "cert: no such chain [W_CHAIN]"],
  [{ type: "log", level: "info", text: "hook: done" }, "cert: hook: done"],
])("of several certificates, each line names its own: %j", (event, text) => {
  const heard: Dns01Event[] = [];
  namedObserver((one) => void heard.push(one), "cert")(event);
  expect(heard.map((one) => describeEvent(one)?.text)).toEqual([text]);
});

test.each([
  ["rfc2136 example.test", "rfc2136: cannot look up the zone example.test: refused", ""],
  ["newOrder", "newOrder: the CA answered 503", ""],
  ["fake example.test", "busy", "fake example.test: "],
])("a retry of %s says once who failed at what", (what, message, prefix) => {
  const event = { type: "retry", what, message, attempt: 2, waitMs: 58_000, code: "TRANSIENT" } as const;
  expect(describeEvent(event)?.text).toBe(`${prefix}${message}; again in 58 s (attempt 2)`);
});

test("a line for people holds nothing that a terminal obeys; one for machines has it escaped", () => {
  const lines: string[] = [];
  for (const format of ["text", "json"] as const)
    createLog({ level: "info", format, write: (text) => void lines.push(text), now: () => new Date(0) })({
      type: "log",
      level: "info",
      text: "hook: \u001b[2Jdone\tat last\r\nand more",
    });
  expect(lines[0]).toBe("hook:  [2Jdone\tat last\nand more\n");
  expect(lines[1]).toContain("\\u001b[2J");
});

test("no line has a challenge's value whole, for people or for machines", () => {
  const value = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";
  const other = "xNqzyUYFWqmOTUxIlOIvSdSiHCMTlSPdBx2tGsmxfyE";
  const server = { name: "ns1.example.test", address: "192.0.2.1", zone: "example.test", state: "stale" };
  const written = { provider: "p", zone: "example.test", fqdn: "_acme-challenge.example.test", value };
  const events: readonly Dns01Event[] = [
    {
      type: "propagation.poll",
      owner: written.fqdn,
      servers: [{ ...server, values: [value], missing: [other] }],
      elapsedMs: 1,
    },
    ...(["txt.added", "txt.kept", "txt.removed", "txt.absent"] as const).map((type) => ({ type, ...written })),
  ];
  const lines: string[] = [];
  for (const format of ["text", "json"] as const) {
    const log = createLog({ level: "debug", format, write: (text) => void lines.push(text), now: () => new Date(0) });
    for (const event of events) log(event);
  }
  expect(lines).toHaveLength(10);
  for (const line of lines) expect(line).not.toMatch(/[\w-]{40}/);
  expect(lines[1]).toContain('"LHDhK3oG…"');
  expect(JSON.parse(lines[5] ?? "")).toMatchObject({ servers: [{ values: ["LHDhK3oG…"], missing: ["xNqzyUYF…"] }] });
});
