import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { type Folder, makeFolder, startService } from "../daemon/service.ts";
import { cli } from "./lab/cli.ts";
import { until } from "./lab/patience.ts";

describe("the states of certificates", () => {
  let box: Sandbox;
  let folder: Folder;
  beforeAll(async () => {
    box = await startSandbox({ validationDelayMs: 0 });
  });
  afterAll(async () => {
    await box.close();
    rmSync(folder.dir, { recursive: true, force: true });
  });

  const run = (...args: readonly string[]) =>
    cli([...args, "--config", folder.config, "--state", folder.state], box.env, folder.dir);
  const statesOf = (stdout: string) => {
    const { certificates } = JSON.parse(stdout) as { certificates: { name: string; state: string }[] };
    return Object.fromEntries(certificates.map(({ name, state }) => [name, state]));
  };

  test("of what is declared are those that renew and the daemon leave, and list --check ends with 6 until all is well", async () => {
    const certificates = [
      { name: "fine", domains: ["fine.example.test"] },
      { name: "nowhere", domains: ["www.elsewhere.test"] },
      { name: "hooked", domains: ["hooked.example.test"], deploy: { command: `test -e ${"$HOME"}/ready` } },
    ];
    folder = makeFolder({ solvers: [{ provider: "rfc2136" }], certificates });
    const before = await run("list", "--check", "--json");
    expect(statesOf(before.stdout)).toEqual({ fine: "not issued", nowhere: "not issued", hooked: "not issued" });
    expect(before.status).toBe(6);

    await run("renew");
    const after = await run("list", "--check", "--json");
    expect(statesOf(after.stdout)).toEqual({ fine: "valid", nowhere: "failing", hooked: "not deployed" });
    expect(after.status).toBe(6);
    expect((await run("show", "nowhere")).stdout).toMatch(/^state +failing\nlast error {2}/m);
    expect((await run("show", "hooked")).stdout).toMatch(/^deployment {2}.* UTC {2}HOOK: /m);

    const broken = join(folder.state, "certificates", "broken.example.test");
    mkdirSync(broken);
    writeFileSync(join(broken, "meta.json"), "");
    const service = startService(folder, box.env);
    try {
      const metrics = async () => await (await fetch(`http://${await service.address()}/metrics`)).text();
      await service.line((line) => line.event === "deploy-failed");
      await until(async () => /^dns01_certificates_failing 3$/m.test(await metrics()), 20_000);
      expect(await metrics()).toMatch(/^dns01_certificates_by_state\{state="not deployed"\} 1$/m);
      expect(await metrics()).toMatch(/^dns01_certificates 4$/m);
    } finally {
      service.child.kill("SIGTERM");
      await service.done;
    }

    rmSync(broken, { recursive: true });
    writeFileSync(join(folder.dir, "ready"), "");
    folder.write({
      solvers: [{ provider: "rfc2136" }],
      certificates: certificates.filter(({ name }) => name !== "nowhere"),
    });
    await run("renew");
    const done = await run("list", "--check", "--json");
    expect(statesOf(done.stdout)).toEqual({ fine: "valid", hooked: "valid" });
    expect(done.status).toBe(0);
  });
});
