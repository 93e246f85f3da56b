import { expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
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
