import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { type Folder, makeFolder, type Service, startService } from "../daemon/service.ts";
import { cli } from "./lab/cli.ts";
import { until } from "./lab/patience.ts";

const has = (program: string) => {
  try {
    execFileSync("which", [program]);
    return true;
  } catch {
    return false;
  }
};

describe("dns01 run", () => {
  let box: Sandbox;
  const folders: Folder[] = [];
  const services: Service[] = [];
  beforeAll(async () => {
    box = await startSandbox({ validationDelayMs: 0 });
  });
  afterAll(async () => {
    for (const service of services) service.child.kill("SIGKILL");
    await Promise.allSettled(services.map((service) => service.done));
    await box.close();
    for (const { dir } of folders) rmSync(dir, { recursive: true, force: true });
  });

  const folderOf = (certificates: readonly object[]) => {
    const folder = makeFolder({ solvers: [{ provider: "rfc2136" }], certificates });
    folders.push(folder);
    return folder;
  };
  const start = (folder: Folder, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) => {
    const service = startService(folder, { ...box.env, ...env }, ["--orders-per-second", "50", ...args]);
    services.push(service);
    return service;
  };
  const stop = async (service: Service) => {
    service.child.kill("SIGTERM");
    return (await service.done).status;
  };
  const eventOf = (service: Service, event: string, certificate: string) =>
    service.line((l) => l.event === event && l.certificate === certificate);

  test("issues what the file declares, deploys, follows the file, and ends in order", async () => {
    const names = ["a.example.test", "*.a.example.test"];
    const deploy = { command: 'echo "$DNS01_NAME" >> "$HOME/deployed"' };
    const one = { name: "one", domains: names, deploy };
    const folder = folderOf([one]);
    const service = start(folder);
    await eventOf(service, "deployed", "one");
    expect(existsSync(join(folder.state, "certificates/one/current/privkey.pem"))).toBe(true);

    // Another file, and a broken one.
    const two = { name: "two", domains: ["b.example.test"] };
    folder.write({ solvers: [{ provider: "rfc2136" }], certificates: [one, two] });
    await eventOf(service, "renewed", "two");
    appendFileSync(folder.config, "}");
    const broken = await service.line((l) => l.message.includes("the earlier one stays in force"));
    expect(broken).toMatchObject({ level: "warn" });
    service.child.kill("SIGHUP");
    await until(() => service.lines().filter((l) => l.message.includes("stays in force")).length === 2);
    folder.write({ solvers: [{ provider: "rfc2136" }], certificates: [two] });
    await service.line((l) => l.message.includes("read again: 2 certificates"));

    const second = await cli(["run", "--config", folder.config, "--state", folder.state], box.env, folder.dir);
    expect(second.status).toBe(4);
    expect(second.stderr).toMatch(new RegExp(`LOCKED: .*process ${service.child.pid} .*run`));

    expect(await stop(service)).toBe(0);
    // The steps of an order are for level debug.
    expect(service.lines().filter((l) => /^(phase|txt\.)/.test(l.event ?? ""))).toEqual([]);
    expect(readFileSync(join(folder.dir, "deployed"), "utf8")).toBe("one\n");
    expect(box.zone.txt("_acme-challenge.a.example.test")).toEqual([]);

    // Nothing is due, and the CA was asked a moment ago: nothing is sent.
    box.log.clear();
    const again = start(folder);
    await again.line((l) => l.message.includes("looking after 2"));
    const address = await again.address();
    const planned = /^dns01_certificate_renewal_timestamp_seconds\{name="(one|two)"\} \d/gm;
    await until(async () => {
      const text = await (await fetch(`http://${address}/metrics`)).text();
      return text.match(planned)?.length === 2;
    });
    expect(box.log.entries.filter((e) => e.kind === "acme" || e.kind === "update")).toEqual([]);
    expect(await stop(again)).toBe(0);
    expect(again.lines().filter((l) => l.event === "ordering" || l.event === "deployed")).toEqual([]);
  });

  test("a secret that was exchanged counts before the next renewal needs it, without a signal", async () => {
    const provider = { provider: "rfc2136", config: { tsigSecret: { file: "secret" } } };
    const folder = makeFolder({ solvers: [provider], certificates: [{ domains: ["secret.example.test"] }] });
    folders.push(folder);
    const put = (text: string) => writeFileSync(join(folder.dir, "secret"), text, { mode: 0o600 });
    put("d3Jvbmc=");
    const service = start(folder, { RFC2136_TSIG_SECRET: "" });
    await eventOf(service, "failed", "secret.example.test");
    put(box.tsig.secret);
    await eventOf(service, "renewed", "secret.example.test");
    expect(service.lines().filter((l) => l.event === "failed")).toHaveLength(1);
    expect(await stop(service)).toBe(0);
  });

  test("what the CA has seen at a name is not forgotten when the file is read again", async () => {
    const caching = await startSandbox({ validationDelayMs: 0, cachingResolver: true });
    try {
      const solvers = [{ provider: "rfc2136", config: { ttl: 10 } }];
      const apex = { name: "apex", domains: ["example.test"] };
      const folder = makeFolder({ solvers, certificates: [apex] });
      folders.push(folder);
      const service = start(folder, caching.env);
      await eventOf(service, "renewed", "apex");
      folder.write({ solvers, certificates: [apex, { name: "wild", domains: ["*.example.test"] }] });
      await eventOf(service, "renewed", "wild");
      expect(service.lines().filter((l) => l.event === "failed")).toEqual([]);
      expect(await stop(service)).toBe(0);
    } finally {
      await caching.close();
    }
  });

  test("/healthz and /metrics", async () => {
    const folder = folderOf([{ name: "shop", domains: ["shop.example.test", "www.shop.example.test"] }]);
    const service = start(folder);
    const address = await service.address();
    await eventOf(service, "renewed", "shop");
    const get = async (path: string) => {
      const answer = await fetch(`http://${address}${path}`);
      return { status: answer.status, text: await answer.text() };
    };
    expect(await get("/healthz")).toEqual({ status: 200, text: "ok\n" });
    const expiry = /^dns01_certificate_expiry_timestamp_seconds\{name="shop"\} (\S+)$/m;
    await until(async () => expiry.test((await get("/metrics")).text));
    const { text } = await get("/metrics");
    expect(Number(expiry.exec(text)?.[1])).toBeGreaterThan(Date.now() / 1000 + 80 * 86_400);
    expect(text).toMatch(/^dns01_renewals_total\{ca="127\.0\.0\.1:\d+"\} 1$/m);
    expect(text).toMatch(/^dns01_certificates 1$/m);
    expect(text).not.toContain("www.shop.example.test");
    expect((await get("/else")).status).toBe(404);
    // What the page says is there, and the other way round.
    const page = readFileSync(new URL("../../docs/daemon.md", import.meta.url), "utf8");
    const told = new Set([...page.matchAll(/`(dns01_\w+)/g)].map(([, name]) => name));
    const shown = new Set([...text.matchAll(/^# TYPE (dns01_\w+)/gm)].map(([, name]) => name));
    expect([...told].sort()).toEqual([...shown].sort());
    expect(await stop(service)).toBe(0);
  });

  test("a value that stands in DNS is taken out before the end", async () => {
    const slow = await startSandbox({ validationDelayMs: 120_000 });
    try {
      const folder = folderOf([{ name: "slow", domains: ["slow.example.test"] }]);
      const service = startService(folder, slow.env);
      services.push(service);
      const owner = "_acme-challenge.slow.example.test";
      await until(() => slow.zone.txt(owner).length === 1);
      await until(() => slow.log.entries.some((e) => e.kind === "acme" && /chall/i.test(e.path)));
      expect(await stop(service)).toBe(0);
      expect(slow.zone.txt(owner)).toEqual([]);
    } finally {
      await slow.close();
    }
  });

  test("failures are kept: a restart does not try again before its time", async () => {
    const caa = await startSandbox({});
    try {
      caa.zone.add([]);
      const folder = folderOf([{ name: "no", domains: ["no.elsewhere.test"] }]);
      const env = caa.env;
      const first = startService(folder, env);
      services.push(first);
      await eventOf(first, "failed", "no");
      expect(await stop(first)).toBe(0);
      const orders = () => caa.log.entries.filter((e) => e.kind === "acme" && /order/i.test(e.path)).length;
      const before = orders();
      const second = startService(folder, env);
      services.push(second);
      const line = await eventOf(second, "put-off", "no");
      expect(line.message).toMatch(/put off until .*failed once/);
      expect(orders()).toBe(before);
      expect(await stop(second)).toBe(0);
    } finally {
      await caa.close();
    }
  });

  test.skipIf(!has("systemd-notify") || !has("python3"))("tells systemd how it is", async () => {
    const folder = folderOf([{ name: "n", domains: ["n.example.test"] }]);
    const socket = join(folder.dir, "notify");
    const log = join(folder.dir, "told");
    const listener = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound",flush=True)
while True:
  d=s.recv(4096); open(sys.argv[2],"ab").write(d+b"\\n--\\n")`;
    const python = spawn("python3", ["-c", listener, socket, log], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await new Promise((resolve) => python.stdout.once("data", resolve));
      const told = () => (existsSync(log) ? readFileSync(log, "utf8") : "");
      const service = start(folder, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1000000" });
      await until(() => told().includes("READY=1\nSTATUS=1 certificate"));
      await until(() => told().includes("WATCHDOG=1"));
      service.child.kill("SIGHUP");
      await until(() => /RELOADING=1\nMONOTONIC_USEC=\d+[\s\S]*READY=1/.test(told()));
      expect(await stop(service)).toBe(0);
      await until(() => told().includes("STOPPING=1"));
    } finally {
      python.kill();
    }
  });

  test.skipIf(!has("systemd-analyze"))("prints units that systemd understands", async () => {
    const folder = folderOf([{ name: "n", domains: ["n.example.test"] }]);
    for (const unit of ["dns01.service", "dns01-renew.service", "dns01-renew.timer"]) {
      const args = ["run", "--print-unit", "--unit", unit, "--config", "dns01.yaml", "--state", "my state 100%"];
      const more = unit === "dns01.service" ? ["--listen", "127.0.0.1:9402"] : [];
      const { status, stdout } = await cli([...args, ...more], box.env, folder.dir);
      expect(status).toBe(0);
      writeFileSync(join(folder.dir, unit), stdout);
      if (unit === "dns01.service") expect(stdout).toContain(`--config ${folder.config} --state "`);
    }
    const lost = await cli(["run", "--print-unit", "--email", "ops@example.test"], box.env, folder.dir);
    expect(lost.status).toBe(2);
    expect(lost.stderr).toContain("--email: is not handed on by dns01.service");
    const units = ["dns01.service", "dns01-renew.timer"].map((name) => join(folder.dir, name));
    const said = execFileSync("systemd-analyze", ["verify", "--recursive-errors=no", ...units], { stdio: "pipe" });
    expect(said.toString()).toBe("");
  });
});
