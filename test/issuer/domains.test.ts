import { expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { readDomains } from "../../src/issuer/domains.ts";

const faults = async (...names: readonly string[]) =>
  (await readDomains(names, "--domain")).issues.map(({ message }) => message);

test.each([["ab--c.example.com"], ["www.ab--c.example.com"], ["*.ab--c.example.com"]])(
  "%s has a reserved label, which CAs refuse",
  async (name) => {
    expect(await faults(name)).toEqual([expect.stringContaining('the label "ab--c"')]);
  },
);

test.each([["xn--bcher-kva.example.com"], ["bücher.example.com"], ["a-b--c.example.com"], ["a--b.example.com"]])(
  "%s is a name like any other",
  async (name) => {
    expect(await faults(name)).toEqual([]);
  },
);

test("a fault that two readers find is told once", () => {
  const issue = { path: "--provider", message: "there is no such provider" };
  expect(new ConfigError([issue, { ...issue }])).toMatchObject({
    message: "--provider: there is no such provider",
    issues: [issue],
  });
});
