import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { toDns01Error } from "../../src/core/classify.ts";
import { durationText } from "../../src/core/duration.ts";
import { codeText } from "../../src/core/system-error.ts";
import { thrownText } from "../../src/core/thrown.ts";

const errorOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined).catch((e: unknown) => e);

describe("a failure of the system is told in words", () => {
  test("of a port that another program has", async () => {
    const first = createServer();
    await new Promise<void>((resolve) => first.listen(0, "127.0.0.1", resolve));
    const { port } = first.address() as { readonly port: number };
    const second = createServer();
    const error = await new Promise((resolve) => second.once("error", resolve).listen(port, "127.0.0.1"));
    await new Promise((resolve) => first.close(resolve));
    expect(thrownText(error)).toBe(`127.0.0.1:${port}: the address is already in use`);
  });

  test("of a port where no program listens", async () => {
    const error = await new Promise((resolve) => connect(1, "127.0.0.1").once("error", resolve));
    expect(thrownText(error)).toBe("127.0.0.1:1: connection refused");
  });

  test("of a host without a route, without the port on our side", () => {
    const error = Object.assign(new Error("connect EHOSTUNREACH 2001:db8::1:443 - Local (:::0)"), {
      code: "EHOSTUNREACH",
      syscall: "connect",
      address: "2001:db8::1",
      port: 443,
    });
    expect(thrownText(error)).toBe("[2001:db8::1]:443: no route to the host");
  });

  test("of a name, with the name", async () => {
    const error = (await errorOf(lookup("no-such-host.invalid"))) as Error;
    expect(thrownText(error)).toMatch(/^no-such-host\.invalid: /);
    expect(thrownText(error)).not.toMatch(/E[A-Z]{4}/);
  });

  test("of a file, with its path and without the code", async () => {
    const text = thrownText(await errorOf(readFile("/nowhere/at/all")));
    expect(text).toBe("no such file or directory, open '/nowhere/at/all'");
  });

  test("of a program, with its name", () => {
    const facts = { code: "ENOENT", syscall: "spawn frob", path: "frob" };
    expect(thrownText(Object.assign(new Error("spawn frob ENOENT"), facts))).toBe("frob: no such file or folder");
  });

  test("behind fetch, whose own words say nothing", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { readonly port: number };
    await new Promise((resolve) => server.close(resolve));
    const cause = await errorOf(fetch(`http://127.0.0.1:${port}/`));
    const error = toDns01Error(cause, { provider: "fake", operation: "findZone", name: "example.com" });
    expect(error.message).toBe(`fake: cannot look up the zone example.com: 127.0.0.1:${port}: connection refused`);
  });

  test("but for one that has no words here, by its code", () => expect(codeText("EWEIRD")).toBe("EWEIRD"));
});

test.each([
  [412, "412 ms"],
  [1_500, "1.5 s"],
  [10_000, "10 s"],
  [58_000, "58 s"],
  [59_990, "1 m 0 s"],
  [200_000, "3 m 20 s"],
])("%i ms are %s", (ms, text) => expect(durationText(ms)).toBe(text));
