import { expect, test } from "vitest";
import { ConfigError, TransientError } from "../../src/core/errors.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Solver } from "../../src/core/solver.ts";
import { createRouter, type Route } from "../../src/issuer/router.ts";

let connects: string[] = [];
function route(provider: string, ...zones: readonly string[]): Route {
  const solver = { provider } as Solver;
  return {
    zones: zones.map((z) => parseName(z)),
    provider,
    connect: async () => {
      connects.push(provider);
      return solver;
    },
  };
}
const name = (text: string): DomainName => parseName(text);

test("the longest zone wins, on label boundaries, and each route connects once and only when needed", async () => {
  connects = [];
  const router = createRouter([
    route("default"),
    route("com", "example.com"),
    route("sub", "sub.example.com", "other.net"),
  ]);
  expect((await router.solverFor(name("_acme-challenge.a.sub.example.com"))).provider).toBe("sub");
  expect((await router.solverFor(name("_acme-challenge.example.com"))).provider).toBe("com");
  expect((await router.solverFor(name("_acme-challenge.notexample.com"))).provider).toBe("default");
  expect((await router.solverFor(name("_acme-challenge.example.com"))).provider).toBe("com");
  expect(connects).toEqual(["sub", "com", "default"]);
});

test("a name no solver is for is a configuration fault that names it", async () => {
  const router = createRouter([route("com", "example.com")]);
  await expect(router.solverFor(name("_acme-challenge.example.org"))).rejects.toBeInstanceOf(ConfigError);
  await expect(router.solverFor(name("_acme-challenge.example.org"))).rejects.toThrow("_acme-challenge.example.org");
});

test("what a provider left is taken out through it even if its zones have changed since", async () => {
  const router = createRouter([route("a", "example.com"), route("b", "example.org")]);
  expect((await router.solverOf("a", name("_acme-challenge.gone.net")))?.provider).toBe("a");
  expect(await router.solverOf("c", name("_acme-challenge.example.com"))).toBeUndefined();
});

test("a connection that failed is tried again, by the next one who needs it", async () => {
  let attempts = 0;
  const connect = async () => {
    attempts += 1;
    if (attempts === 1) throw new TransientError("no answer within 30 s", { timeout: true });
    return { provider: "late" } as Solver;
  };
  const router = createRouter([{ zones: [], provider: "late", connect }]);
  const owner = name("_acme-challenge.example.test");
  const both = [router.solverFor(owner), router.solverOf("late", owner)].map((one) => one.catch(() => "failed"));
  expect(await Promise.all(both)).toEqual(["failed", "failed"]);
  expect(await router.solverFor(owner)).toBe(await router.solverFor(owner));
  expect(attempts).toBe(2);
});
