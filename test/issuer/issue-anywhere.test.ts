import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { TransientError } from "../../src/core/errors.ts";
import { issueAnywhere } from "../../src/issuer/issue-anywhere.ts";
import { openWorld, type World } from "./world.ts";

let world: World | undefined;
const servers: { close(): void }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await world?.close();
  world = undefined;
});

async function troubled(status: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status, headers).end());
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/directory`;
}

test.each([
  ["fails by itself", () => troubled(503)],
  ["limits us", () => troubled(429, { "retry-after": "86400" })],
  ["cannot be reached", async () => "http://127.0.0.1:1/directory"],
])("the next CA is asked when the first one %s; the record says so", async (_, start) => {
  world = await openWorld();
  const directoryUrl = await start();
  const here = world.request(["example.test"]);
  const there = { ...here, ca: { ...here.ca, directoryUrl } };
  const result = await issueAnywhere(there, [here], await world.deps());
  expect(result.ca).toBe(world.box.directoryUrl);
  expect((await world.store.certificates.load("example.test"))?.meta.insteadOf).toBe(directoryUrl);
  expect(world.events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_OTHER_CA" }));
  expect(result.warnings).toMatchObject([{ code: "W_OTHER_CA" }]);
  // It counts for the first CA, too, until it is due.
  expect((await issueAnywhere(there, [here], await world.deps())).reused).toBe(true);
});

test("no other CA is asked about what is not this CA's trouble", async () => {
  world = await openWorld({ blocked: ["example.test"] });
  const here = world.request(["example.test"]);
  await expect(issueAnywhere(here, [here], await world.deps())).rejects.toMatchObject({ code: "ACME" });
  const down = {
    solverFor: () => Promise.reject(new TransientError("the DNS service is down", { provider: "rfc2136" })),
    solverOf: async () => undefined,
  };
  const other = world.request(["example.test"]);
  Object.assign(world.box.ca.state.behaviour, { blocked: [] });
  const failing = issueAnywhere(other, [other], await world.deps({ solvers: down }));
  await expect(failing).rejects.toThrow("the DNS service is down");
  expect(world.events.filter((e) => e.type === "warning")).toEqual([]);
});
