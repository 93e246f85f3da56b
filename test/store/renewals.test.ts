import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { RenewalState } from "../../src/issuer/renewal.ts";
import { openStore } from "../../src/store/index.ts";

let dir = "";
afterEach(() => rm(dir, { recursive: true, force: true }));

async function opened() {
  dir = await mkdtemp(join(tmpdir(), "dns01-renewals-"));
  const { renewals } = await openStore(dir);
  const file = join(dir, "certificates", "example.test", "renewal.json");
  await mkdir(dirname(file), { recursive: true });
  return { renewals, file };
}

const at = Date.UTC(2027, 0, 1);
const state: RenewalState = {
  serial: "01",
  window: {
    start: "2027-01-01T00:00:00.000Z",
    end: "2027-01-03T00:00:00.000Z",
    at,
    explanationUrl: "https://why.test",
  },
  plannedAt: at + 1,
  checkedAt: at + 2,
  checkAt: at + 3,
  checkFailures: 2,
  isHurried: true,
  lastError: { at: "2027-01-01T00:00:00.000Z", code: "ACME", message: "no", count: 1 },
};

test("is read as it was written; in the file times are for people", async () => {
  const { renewals, file } = await opened();
  expect(await renewals.load("example.test")).toBeUndefined();
  await renewals.save("example.test", state);
  expect(await renewals.load("example.test")).toEqual(state);
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
    window: { start: "2027-01-01T00:00:00.000Z", at: "2027-01-01T00:00:00.000Z" },
    plannedAt: "2027-01-01T00:00:00.001Z",
    checkedAt: "2027-01-01T00:00:00.002Z",
    checkAt: "2027-01-01T00:00:00.003Z",
  });
});

test("times that somebody made unreadable are as good as none, and the rest stays", async () => {
  const { renewals, file } = await opened();
  const wrong = { serial: "01", schema: 1, plannedAt: 7, checkAt: "soon", checkedAt: null, checkFailures: 3 };
  for (const window of [
    { start: "x", end: "y", at: "z" },
    { start: state.window?.start, at: "2027" },
    "always",
    null,
  ]) {
    await writeFile(file, JSON.stringify({ ...wrong, window }));
    expect(await renewals.load("example.test")).toEqual({ serial: "01", checkFailures: 3 });
  }
});
