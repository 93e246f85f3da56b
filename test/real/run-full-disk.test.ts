import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { makeFolder, startService } from "../daemon/service.ts";
import { until } from "./lab/patience.ts";

/** A file system of 512 kB, or undefined where none may be mounted. */
function mountSmall(): { readonly dir: string; unmount(): void } | undefined {
  const dir = mkdtempSync(join(tmpdir(), "dns01-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", dir], { stdio: "ignore" });
  } catch {
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  }
  return {
    dir,
    unmount() {
      execFileSync("umount", [dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const small = mountSmall();

describe.skipIf(small === undefined)(
  "dns01 run on a disk that fills up (skipped where no tmpfs may be mounted)",
  () => {
    const disk = small?.dir ?? "";
    let box: Sandbox;
    beforeAll(async () => {
      box = await startSandbox({ validationDelayMs: 0 });
    });
    afterAll(async () => {
      await box.close();
      small?.unmount();
    });

    test("orders nothing that it could not store, says so in /healthz and when it tries again, and goes on", async () => {
      const solvers = [{ provider: "rfc2136" }];
      const one = { name: "one", domains: ["one.example.test"] };
      const folder = makeFolder({ solvers, certificates: [one] });
      mkdirSync(join(disk, "state"));
      const service = startService({ ...folder, state: join(disk, "state") }, box.env);
      try {
        const health = async () => {
          const answer = await fetch(`http://${await service.address()}/healthz`);
          return { status: answer.status, text: await answer.text() };
        };
        await service.line((l) => l.event === "renewed");
        expect(await health()).toEqual({ status: 200, text: "ok\n" });
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(join(disk, "ballast"), Buffer.alloc(bavail * bsize));
        box.log.clear();
        folder.write({ solvers, certificates: [one, { name: "two", domains: ["two.example.test"] }] });
        const { message } = await service.line((l) => l.event === "put-off" && l.certificate === "two");
        const [, until1 = "", why] = /^two: put off until (\S+ \S+ UTC): (.*)$/.exec(message) ?? [];
        expect(why).toMatch(new RegExp(`^${disk}/state/.*: the disk is full \\(ENOSPC\\)$`));
        expect(Date.parse(until1)).toBeLessThanOrEqual(Date.now() + 60_000);
        expect(box.log.entries.filter((entry) => entry.kind === "acme" && entry.path.includes("order"))).toEqual([]);
        await until(async () => (await health()).status === 503);
        expect((await health()).text).toContain(`the state folder ${disk}/state cannot be written`);

        rmSync(join(disk, "ballast"));
        // Looked at anew now, rather than within the minute.
        service.child.kill("SIGHUP");
        await service.line((l) => l.event === "renewed" && l.certificate === "two");
        expect(await health()).toEqual({ status: 200, text: "ok\n" });
      } finally {
        service.child.kill("SIGTERM");
        await service.done;
        rmSync(folder.dir, { recursive: true, force: true });
      }
    });
  },
);
