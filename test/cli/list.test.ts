import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readFlags } from "../../src/cli/args.ts";
import type { CommandInput } from "../../src/cli/command.ts";
import { command } from "../../src/cli/list.ts";
import { globalFlags } from "../../src/cli/spec.ts";
import { openStore } from "../../src/store/index.ts";
import { makePair, metaOf } from "../store/pair.ts";

test("one damaged certificate is named and does not hide the others", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-list-"));
  try {
    const store = await openStore(dir);
    const pair = await makePair("01aa");
    const paths = [];
    for (const name of ["a.example.test", "b.example.test"]) {
      const pem = { cert: pair.cert, chain: "", privkey: pair.privkey };
      paths.push(await store.certificates.save(name, pem, metaOf(name, pair.serial)));
    }
    await store.close();
    await writeFile(paths[0]?.privkey ?? "", "");
    const { flags } = readFlags(["--state", dir], globalFlags, {});
    const input = { flags, issues: [], io: { env: {} }, observer: () => {} } as unknown as CommandInput;
    const output = await command.run(input);
    expect(output?.status).toBe(2);
    expect(output?.json).toMatchObject({
      certificates: [{ name: "b.example.test" }],
      faults: [{ name: "a.example.test", fault: expect.stringContaining("a.example.test") }],
    });
    expect(output?.text).toMatch(/b\.example\.test.*damaged: a\.example\.test: /s);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
