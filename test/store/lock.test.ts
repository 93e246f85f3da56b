import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { LockedError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { openStore } from "../../src/store/index.ts";
import { heldToken } from "../../src/store/lock-token.ts";
import { lifeOf, ownIdentity, type ProcessIdentity } from "../../src/store/process-identity.ts";
import { compiled } from "./compiled.ts";

const { signal } = new AbortController();
let dir: string;
let own: ProcessIdentity;
let folder: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-lock-"));
  folder = join(dir, "locks/certificate-a.test");
  own = await ownIdentity();
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A lock in the hands of somebody else, whose last sign of life was so many seconds ago. */
async function heldBy(holder: ProcessIdentity, secondsAgo = 0): Promise<string> {
  const token = heldToken(holder, "renew", "0123456789ab");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, token), "");
  const time = new Date(Date.now() - secondsAgo * 1000);
  await utimes(join(folder, token), time, time);
  return token;
}

const elsewhere: ProcessIdentity = { pid: 4711, start: "99", space: "feedfeedfeed", host: "web1" };

describe("a lock", () => {
  test("is one process's at a time; a second waits and says for whom", async () => {
    const [one, two] = await Promise.all([openStore(dir, { purpose: "issue" }), openStore(dir)]);
    const release = await one.certificates.lock("a.test", { signal });
    const waits: string[] = [];
    let got = false;
    const second = two.certificates.lock("a.test", { signal, onWait: (holder) => waits.push(holder) }).then((r) => {
      got = true;
      return r;
    });
    while (waits.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(got).toBe(false);
    await release();
    await release();
    await (await second)();
    expect(waits).toEqual([
      expect.stringMatching(new RegExp(`^process ${process.pid} on .+ \\(issue, since 20.+ UTC\\)$`)),
    ]);
    expect(await readdir(folder)).toEqual(["free"]);
  });

  test("of another name, or of an account, is another lock", async () => {
    const store = await openStore(dir);
    await store.certificates.lock("a.test", { signal, timeoutMs: 0 });
    await store.certificates.lock("*.a.test", { signal, timeoutMs: 0 });
    await store.accounts.lock("https://a.test", { signal, timeoutMs: 0 });
    await store.close();
    await (await store.certificates.lock("a.test", { signal, timeoutMs: 0 }))();
  });

  test("that stays held ends in LockedError with the holder", async () => {
    await heldBy(elsewhere);
    const store = await openStore(dir);
    const failure = await store.certificates.lock("a.test", { signal, timeoutMs: 0 }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(LockedError);
    expect(failure).toMatchObject({
      code: "LOCKED",
      retryable: true,
      message: expect.stringContaining("certificate a.test is locked by process 4711 on web1 (renew, since 20"),
      details: { holder: { pid: 4711, host: "web1", purpose: "renew" } },
    });
  });

  test("is waited for no longer than was asked for, in the clock's time", async () => {
    await heldBy(elsewhere);
    let time = 0;
    const slept: number[] = [];
    const clock: Clock = {
      now: () => time,
      random: () => 0.5,
      sleep: async (ms) => {
        slept.push(ms);
        time += ms;
      },
    };
    const store = await openStore(dir, { clock });
    let waits = 0;
    await expect(store.certificates.lock("a.test", { signal, timeoutMs: 3000, onWait: () => waits++ })).rejects.toThrow(
      "after waiting 3 s",
    );
    expect(time).toBe(3000);
    expect(waits).toBe(1);
    expect(Math.max(...slept)).toBeLessThanOrEqual(250);
  });

  test("is no longer waited for when the caller gives up", async () => {
    await heldBy(elsewhere);
    const store = await openStore(dir);
    const controller = new AbortController();
    const waiting = store.certificates.lock("a.test", {
      signal: controller.signal,
      onWait: () => controller.abort(new Error("enough")),
    });
    await expect(waiting).rejects.toThrow("enough");
    await expect(store.certificates.lock("b.test", { signal: controller.signal })).rejects.toThrow("enough");
  });
});

describe("a lock whose holder", () => {
  test("ended without giving it back is taken over at once", async () => {
    await heldBy({ ...own, pid: 4194999, start: "77" });
    const events: Dns01Event[] = [];
    const store = await openStore(dir, { observer: (event) => events.push(event) });
    await store.certificates.lock("a.test", { signal, timeoutMs: 0 });
    expect(events).toContainEqual(expect.objectContaining({ type: "log", text: expect.stringContaining("took over") }));
    await store.close();
  });

  test.runIf(process.platform === "linux")(
    "has a pid that another process has by now is taken over at once",
    async () => {
      await heldBy({ ...own, start: "1" });
      await heldBy({ ...own, pid: process.ppid, start: "1" });
      const store = await openStore(dir);
      await store.certificates.lock("a.test", { signal, timeoutMs: 0 });
      await store.close();
      expect(await readdir(folder)).toContain("free");
    },
  );

  test("is on another machine is taken over when it gave no sign of life for 15 s", async () => {
    await heldBy(elsewhere, 14);
    const store = await openStore(dir);
    await expect(store.certificates.lock("a.test", { signal, timeoutMs: 0 })).rejects.toThrow(LockedError);
    await heldBy(elsewhere, 16);
    await store.certificates.lock("a.test", { signal, timeoutMs: 0 });
    await store.close();
  });

  test("left a time in the future, or one nobody can read, is taken over when that has not moved for 15 s", async () => {
    await heldBy(elsewhere, -86_400);
    let time = 0;
    const clock: Clock = {
      now: () => time,
      random: () => 0.5,
      sleep: async (ms) => {
        time += ms;
      },
    };
    const store = await openStore(dir, { clock });
    await store.certificates.lock("a.test", { signal, timeoutMs: 60_000 });
    expect(time).toBeGreaterThan(15_000);
    expect(time).toBeLessThan(16_000);
    await store.close();
    await rm(folder, { recursive: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "held,by a version to come"), "");
    await expect(store.certificates.lock("a.test", { signal, timeoutMs: 0 })).rejects.toThrow("an unknown process");
  });

  test("is gone has exactly one successor, however many try", async () => {
    for (let round = 0; round < 10; round++) {
      await rm(folder, { recursive: true, force: true });
      await heldBy({ ...own, pid: 4194999, start: "77" });
      const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(dir)));
      const taken = await Promise.allSettled(
        stores.map((s) => s.certificates.lock("a.test", { signal, timeoutMs: 0 })),
      );
      expect(taken.filter((t) => t.status === "fulfilled")).toHaveLength(1);
      expect(taken.filter((t) => t.status === "rejected").every((t) => t.reason instanceof LockedError)).toBe(true);
      await Promise.all(stores.map((s) => s.close()));
      expect(await readdir(folder)).toEqual(["free"]);
    }
  });
});

test("a holder shows that it lives, and says so when the lock was taken from it", async () => {
  const events: Dns01Event[] = [];
  const store = await openStore(dir, { heartbeatMs: 5, observer: (event) => events.push(event) });
  const release = await store.certificates.lock("a.test", { signal });
  const [token = ""] = await readdir(folder);
  await utimes(join(folder, token), 0, 0);
  while (Number((await readFile(join(folder, token)).catch(() => "")).length) === 0) await turn();
  await rm(join(folder, token));
  while (!events.some((e) => e.type === "warning" && e.code === "W_LOCK_LOST")) await turn();
  await release();
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

describe.runIf(process.platform === "linux")("life", () => {
  test("of a killed process that nobody collected is over", async () => {
    // The shell becomes `sleep` after it started a child that ends: nobody waits for that one.
    const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (d) => resolve(Number(String(d)))));
      let stat = "";
      while (!stat.includes(") Z ")) stat = await readFile(`/proc/${pid}/stat`, "latin1");
      const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
      expect(await lifeOf({ pid, start, space: own.space }, own)).toBe("dead");
      const { pid: sleeping = 0 } = parent;
      expect(await lifeOf({ pid: sleeping, start: "1", space: own.space }, own)).toBe("dead");
    } finally {
      parent.kill("SIGKILL");
    }
  });

  test("of this process goes on, that of one in another pid namespace is not known", async () => {
    expect(await lifeOf(own, own)).toBe("alive");
    expect(await lifeOf({ ...own, space: "feedfeedfeed" }, own)).toBe("unknown");
  });
});

describe("many processes that die at random", () => {
  const child = compiled("lock-child.ts");
  afterAll(async () => (await child).remove());

  test("never hold one lock together, and the lock is never lost", async () => {
    const { path } = await child;
    const ends = { killed: 0, done: 0 };
    const contend = async (seed: number) => {
      for (let life = 0; ; life++) {
        const signalName = await new Promise<string | undefined>((resolve, reject) => {
          execFile(process.execPath, [path, dir, "10", String(seed * 100 + life)], (error, _, stderr) => {
            if (error !== null && error.signal !== "SIGKILL") reject(new Error(stderr));
            else resolve(error?.signal);
          });
        });
        if (signalName === undefined) {
          ends.done += 1;
          return;
        }
        ends.killed += 1;
      }
    };
    await Promise.all([1, 2, 3, 4].map(contend));
    expect(ends.done).toBe(4);
    expect(ends.killed).toBeGreaterThan(0);
    expect(await readdir(folder)).not.toHaveLength(0);
    const store = await openStore(dir);
    await store.certificates.lock("a.test", { signal, timeoutMs: 0 });
    await store.close();
  }, 60_000);
});
