import fc from "fast-check";
import { expect, test } from "vitest";
import { providers } from "../../providers/index.ts";
import { readFlags } from "../../src/cli/args.ts";
import { withFile } from "../../src/cli/file-flags.ts";
import { showFile } from "../../src/cli/show-file.ts";
import { parseConfig } from "../../src/config/load.ts";
import { readPlan } from "../../src/config/plan.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { createRegistry } from "../../src/providers.ts";

/** One that is always the same and one that is new each time; fast-check prints it when a rule fails. */
const seeds = [1, Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31))];
const keys = [
  ...["acme", "ca", "email", "caRoot", "eab", "kid", "hmacKey", "fallback", "profile", "keyType", "plugins"],
  ...["credentials", "solvers", "zones", "provider", "config", "ttl", "nameserver", "tsigSecret", "env", "file"],
  ...[
    "dns",
    "resolvers",
    "propagation",
    "certificates",
    "name",
    "domains",
    "csr",
    "out",
    "dir",
    "mode",
    "pfx",
    "deploy",
  ],
  ...["password", "command", "timeout", "run", "listen", "parallel", "__proto__", "constructor"],
];
const words = [
  "memory",
  "rfc2136",
  "example.com",
  "*.example.com",
  "letsencrypt",
  "zerossl",
  "ec256",
  "90s",
  "",
  "x y",
];
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.oneof(fc.constantFrom(...words), fc.integer(), fc.boolean(), fc.constant(null), fc.string()),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 5 }),
  ),
}));
/** Sections with anything in them, so that most of it gets past the first look. */
const file = fc.record(
  {
    acme: value,
    credentials: fc.dictionary(fc.constantFrom("a", "b"), value, { maxKeys: 2 }),
    solvers: fc.array(
      fc.record({ zones: value, provider: value, credentials: value, config: value }, { requiredKeys: [] }),
      { maxLength: 3 },
    ),
    certificates: fc.array(
      fc.record(
        { name: value, domains: value, ca: value, out: value, pfx: value, deploy: value },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
    dns: value,
    run: value,
  },
  { requiredKeys: [] },
);

/** Reads it as the commands do; faults are answers, and nothing may be thrown. */
async function read(text: string): Promise<readonly { readonly path: string; readonly message: string }[]> {
  const config = await parseConfig("dns01.yaml", Buffer.from(text));
  const { flags } = readFlags([], [{ name: "ca", kind: "string", default: "letsencrypt", help: "" }], {});
  const sources = {
    config,
    flags: withFile(flags, config),
    env: {},
    redactor: createRedactor(),
    registry: createRegistry(providers),
    observer: () => {},
  };
  const { issues, complete } = await readPlan(sources);
  if (issues.length === 0) complete();
  await showFile(sources, new Set());
  return issues;
}

test.each(seeds)(
  "whatever a file holds, it is read or told to be faulty, the same each time (seed %d)",
  { timeout: 60_000 },
  async (seed) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(file, value), async (content) => {
        const text = JSON.stringify(content) ?? "";
        const issues = await read(text);
        expect(await read(text)).toEqual(issues);
        for (const { path, message } of issues) {
          expect(path).not.toBe("");
          expect(message).not.toMatch(/Invalid input|undefined|\[object/);
        }
      }),
      { seed, numRuns: 100 },
    );
  },
);

test.each(seeds)(
  "whatever text a file is, it is read or told to be faulty (seed %d)",
  { timeout: 60_000 },
  async (seed) => {
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom(
          "acme:",
          "  ca: x",
          "solvers:",
          "  - provider: memory",
          "  - &a {}",
          "  - *a",
          "\t- b",
          "---",
          "? a",
          "!t x",
        ),
        fc.string(),
      ),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(lines, async (text) => {
        await read(text.join("\n"));
      }),
      { seed, numRuns: 100 },
    );
  },
);
