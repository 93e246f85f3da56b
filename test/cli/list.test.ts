import { readdirSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readFlags } from "../../src/cli/args.ts";
import type { CommandInput } from "../../src/cli/command.ts";
import { command } from "../../src/cli/list.ts";
import { command as show } from "../../src/cli/show.ts";
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

test("says when each is renewed and by which rule, and how the last try ended", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-list-"));
  try {
    const store = await openStore(dir);
    for (const [name, serial] of [
      ["a.example.test", "01aa"],
      ["b.example.test", "01bb"],
      ["c.example.test", "01cc"],
    ] as const) {
      const pair = await makePair(serial);
      const meta = {
        ...metaOf(name, pair.serial),
        ...(name.startsWith("c") ? { revoked: { at: "2026-01-01T00:00:00Z" } } : {}),
      };
      await store.certificates.save(name, { cert: pair.cert, chain: "", privkey: pair.privkey }, meta);
      const at = "2001-01-01T00:00:00.000Z";
      const window = { start: at, end: "2001-01-02T00:00:00.000Z", at: Date.parse(at) };
      const lastError = { at, code: "ACME", message: "refused", count: 2 };
      if (name.startsWith("b")) await store.renewals.save(name, { serial: meta.serial, window, lastError });
    }
    await store.close();
    const { flags } = readFlags(["--state", dir], globalFlags, {});
    const input = { flags, issues: [], io: { env: {} }, observer: () => {} } as unknown as CommandInput;
    const output = await command.run(input);
    expect(output?.json).toMatchObject({
      certificates: [
        { name: "b.example.test", renewal: { rule: "ari", isDue: true, lastError: { code: "ACME" } } },
        { name: "a.example.test", renewal: { rule: "lifetime" } },
        { name: "c.example.test", renewal: { rule: "revoked" } },
      ],
    });
    expect(output?.text).toMatch(/b\.example\.test .* due +ari +ACME at 2001-01-01 00:00/);
    const showing = readFlags(["--state", dir, "b.example.test"], globalFlags, {});
    const shown = await show.run({ ...input, flags: showing.flags } as unknown as CommandInput);
    expect(shown?.text).toMatch(/^last error {2}2001-01-01T00:00:00.000Z {2}ACME: refused, 2 times in a row$/m);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test.skipIf(process.platform !== "linux")("many certificates are read with few files open at once", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-list-"));
  try {
    const store = await openStore(dir);
    const pair = await makePair("01aa");
    const pem = { cert: pair.cert, chain: "", privkey: pair.privkey };
    await store.certificates.save("c0.example.test", pem, metaOf("c0.example.test", pair.serial));
    await store.close();
    const folder = (at: number) => join(dir, "certificates", `c${at}.example.test`);
    for (let at = 1; at < 150; at++) await cp(folder(0), folder(at), { recursive: true, verbatimSymlinks: true });
    const { flags } = readFlags(["--state", dir], globalFlags, {});
    const input = { flags, issues: [], io: { env: {} }, observer: () => {} } as unknown as CommandInput;
    const openNow = () => readdirSync("/proc/self/fd").length;
    const before = openNow();
    let most = 0;
    let isOver = false;
    const done = command.run(input).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      most = Math.max(most, openNow() - before);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await done)?.json).toMatchObject({ certificates: { length: 150 } });
    expect(most).toBeLessThan(120);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
