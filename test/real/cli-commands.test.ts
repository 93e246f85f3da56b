import { mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, cliFile, labEnv, startCli } from "./lab/cli.ts";
import { finish } from "./lab/clients.ts";
import { markUpdates } from "./lab/counts.ts";
import { dig, txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import { expectCleanDns, failed } from "./lab/outcome.ts";
import { until } from "./lab/patience.ts";
import { serviceFile } from "./lab/services.ts";
import { describeInLab } from "./lab/suite.ts";

const value = (letter: string) => letter.repeat(43);

describeInLab(
  "present, cleanup, check on their own",
  (inLab) => {
    const name = "_acme-challenge.zone0.test";
    const values = () => txtValues(inLab().realAt("knot"), name);

    test("presenting twice leaves one value, taking out takes only its own, foreign values and types stay", async () => {
      const lab = inLab();
      await changeZone(lab.realAt("knot"), "zone0.test", lab.keys["hmac-sha256"], [
        { does: "add", name, type: "TXT", data: "foreign" },
        { does: "add", name, type: "A", data: "192.0.2.5" },
      ]);
      const env = labEnv(lab);
      const run = async (command: string, letter: string) => {
        const done = await cli([command, name, value(letter), "-p", "rfc2136", "--json"], env);
        expect(done.status, done.stderr).toBe(0);
        expect(() => JSON.parse(done.stdout) as unknown).not.toThrow();
      };
      await run("present", "a");
      await run("present", "a");
      await run("present", "b");
      expect(await values()).toEqual([value("a"), value("b"), "foreign"]);
      await run("cleanup", "a");
      expect(await values()).toEqual([value("b"), "foreign"]);
      await run("cleanup", "a");
      await run("cleanup", "b");
      expect(await values()).toEqual(["foreign"]);
      expect((await dig(lab.realAt("knot"), name, "A"))?.answers).toHaveLength(1);
      await changeZone(lab.realAt("knot"), "zone0.test", lab.keys["hmac-sha256"], [
        { does: "remove", name, type: "TXT", data: "foreign" },
      ]);
    });

    test("check waits for every server, writes nothing, and says at the time-out who is behind", async () => {
      const lab = inLab();
      const { DNS01_RESOLVER, DNS01_DNS_PORT, DNS01_STATE } = labEnv(lab);
      const env = { DNS01_RESOLVER, DNS01_DNS_PORT, DNS01_STATE };
      const owner = "_acme-challenge.zone1.test";
      const key = lab.keys["hmac-sha256"];
      lab.lag.zones.set("zone1.test", { nsd: 2000, bind: 0 });
      await changeZone(lab.realAt("knot"), "zone1.test", key, [
        { does: "add", name: owner, type: "TXT", data: value("c") },
      ]);
      await until(async () => (await txtValues(lab.realAt("bind"), owner)).length === 1);
      const mark = await markUpdates(lab, "zone1.test");
      const early = await cli(["check", owner, value("c"), "--json", "--propagation-timeout", "700ms"], env);
      const error = failed(early, 4);
      expect(error.code).toBe("NOT_PROPAGATED");
      expect(error.message).toContain("ns2.zone1.test");
      const later = await cli(["check", owner, value("c"), "--json"], env);
      expect(later.status, later.stderr).toBe(0);
      expect(await txtValues(lab.realAt("nsd"), owner)).toEqual([value("c")]);
      expect(await markUpdates(lab, "zone1.test")).toBe(mark);
      lab.lag.zones.delete("zone1.test");
    });

    test("a caching resolver is asked only after every authoritative server has the value, and then it has it too", async () => {
      const lab = inLab();
      const owner = "_acme-challenge.zone2.test";
      lab.lag.zones.set("zone2.test", { nsd: 1500, bind: 0 });
      const key = lab.keys["hmac-sha256"];
      const mark = lab.servers.resolver.log.length;
      const run = startCli(["check", owner, value("d"), "--json", "--propagation", "both"], labEnv(lab));
      await until(async () => run.stderr().includes("ns1.zone2.test"), 20_000);
      await changeZone(lab.realAt("knot"), "zone2.test", key, [
        { does: "add", name: owner, type: "TXT", data: value("d") },
      ]);
      await until(async () => (await txtValues(lab.realAt("nsd"), owner)).length === 1, 20_000);
      const complete = Date.now();
      const done = await run.done;
      expect(done.status, done.stderr).toBe(0);
      const asked = lab.servers.resolver.log.slice(mark).filter((line) => line.text.toLowerCase().includes(owner));
      expect(asked).not.toEqual([]);
      // NSD had it a moment before we saw that it had.
      for (const line of asked) expect(line.at).toBeGreaterThanOrEqual(complete - 50);
      lab.lag.zones.delete("zone2.test");
    });

    test("as certbot's hooks: certbot, which knows nothing of the zone, gets a wildcard certificate", async () => {
      const lab = inLab();
      const dir = mkdtempSync(join(lab.dir, "certbot-hooks-"));
      lab.lag.zones.set("zone3.test", { nsd: 1500, bind: 0 });
      const hook = (command: string) => `${process.execPath} ${cliFile} ${command} -p rfc2136`;
      const args = [
        ...["certonly", "--manual", "--preferred-challenges", "dns", "--non-interactive", "--agree-tos"],
        ...["--register-unsafely-without-email", "--server", lab.ca.directory, "--cert-name", "hooked"],
        ...["--manual-auth-hook", hook("present"), "--manual-cleanup-hook", hook("cleanup")],
        ...["--config-dir", join(dir, "etc"), "--work-dir", join(dir, "work"), "--logs-dir", join(dir, "log")],
        ...["-d", "zone3.test", "-d", "*.zone3.test"],
      ];
      const env = { HOME: dir, ...labEnv(lab), REQUESTS_CA_BUNDLE: lab.ca.apiRootFile };
      const run = await finish(serviceFile("certbot"), args, env);
      expect(run.status, run.output).toBe(0);
      expect(readdirSync(join(dir, "etc", "live", "hooked"))).toContain("privkey.pem");
      lab.lag.zones.delete("zone3.test");
      await expectCleanDns(lab, ["_acme-challenge.zone3.test"]);
    });

    test("list and show tell what there is", async () => {
      const lab = inLab();
      const env = labEnv(lab);
      const none = await cli(["list", "--json"], env);
      expect(none.status, none.stderr).toBe(0);
      const issuedRun = await cli(["issue", "-p", "rfc2136", "--json", "-d", "zone4.test"], env);
      expect(issuedRun.status, issuedRun.stderr).toBe(0);
      const listed = await cli(["list", "--json"], env);
      expect(listed.stdout).toContain("zone4.test");
      const shown = await cli(["show", "zone4.test", "--json"], env);
      expect(JSON.parse(shown.stdout)).toMatchObject({ name: "zone4.test", domains: ["zone4.test"], keyType: "ec256" });
      expect((await cli(["show", "zone5.test", "--json"], env)).status).not.toBe(0);
    });
  },
  { needs: ["certbot"] },
);
