import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { markUpdates } from "./lab/counts.ts";
import { expectCleanDns, failed } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

const skewed = fileURLToPath(new URL("skew.mjs", import.meta.url));

describeInLab("what the other side refuses", (inLab) => {
  test("a wrong TSIG secret: status 3, code AUTH, told apart from an unknown key", async () => {
    const lab = inLab();
    const env = { ...labEnv(lab), RFC2136_TSIG_SECRET: randomBytes(32).toString("base64") };
    const error = failed(await cli(issueArgs(["zone0.test"]), env), 3);
    expect(error.code).toBe("AUTH");
    expect(error.retryable).toBe(false);
    expect(`${error.message} ${error.hint}`).toMatch(/secret/i);
  });

  test("a TSIG key the server does not know: status 3, and the key is named", async () => {
    const lab = inLab();
    const env = { ...labEnv(lab), RFC2136_TSIG_KEY_NAME: "nobody" };
    const error = failed(await cli(issueArgs(["zone0.test"]), env), 3);
    expect(error.code).toBe("AUTH");
    expect(error.message).toContain("nobody");
  });

  test("a clock an hour ahead of the server's: status 3, and the message says by how much", async () => {
    const lab = inLab();
    const skew = { NODE_OPTIONS: `--import ${skewed}`, DNS01_TEST_SKEW_MS: "3600000" };
    const error = failed(await cli(issueArgs(["zone0.test"]), { ...labEnv(lab), ...skew }), 3);
    expect(error.code).toBe("AUTH");
    expect(`${error.message} ${error.hint}`).toMatch(/clock/i);
    expect(`${error.message} ${error.hint}`).toMatch(/3[56]\d\d ?s|1 h|60 min|59 min|1 hour/);
  });

  test("a zone the server does not hold: status 3, code ZONE_NOT_FOUND, with the zone's name", async () => {
    const lab = inLab();
    const error = failed(await cli(issueArgs(["bind.test"]), labEnv(lab)), 3);
    expect(error.code).toBe("ZONE_NOT_FOUND");
    expect(error.message).toContain("bind.test");
  });

  test("a zone that takes no updates from this key: status 3, and nothing is said to be left over", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const run = await cli(issueArgs(["readonly.test"]), env);
    const error = failed(run, 3);
    expect(run.stderr).not.toContain("W_LEFTOVER");
    const leftovers = await cli(["cleanup", "--leftovers", "--json"], env);
    expect(JSON.parse(leftovers.stdout)).toEqual({ leftovers: [] });
    expect(["AUTH", "REJECTED"]).toContain(error.code);
    expect(error.message).toContain("readonly.test");
  });

  test("a name the CA refuses: status 5 with the CA's problem document", async () => {
    const lab = inLab();
    const ca = await lab.startCa({ blocklist: ["zone3.test"] });
    const mark = await markUpdates(lab, "zone3.test", "zone4.test");
    const error = failed(await cli(issueArgs(["zone3.test", "zone4.test"]), labEnv(lab, { ca: ca.directory })), 5);
    expect(error.code).toBe("ACME");
    expect(error.details?.["problem"]).toMatchObject({ type: "urn:ietf:params:acme:error:rejectedIdentifier" });
    expect(error.message).toContain("zone3.test");
    expect(await markUpdates(lab, "zone3.test", "zone4.test")).toBe(mark);
  });

  test("a CA that breaks the connection: status 4", async () => {
    const lab = inLab();
    // This version panics when an entry has more labels than the name.
    const ca = await lab.startCa({ blocklist: ["a.zone4.test"] });
    const error = failed(
      await cli(issueArgs(["zone4.test"], "--propagation-timeout", "5s"), labEnv(lab, { ca: ca.directory })),
      4,
    );
    expect(error.code).toBe("TRANSIENT");
    expect(error.retryable).toBe(true);
  });

  test("a failed validation: status 5, the problem of each name, DNS clean", async () => {
    const lab = inLab();
    // This CA asks a server that never has the value.
    const ca = await lab.startCa({ dns: lab.tld });
    const error = failed(await cli(issueArgs(["zone5.test", "*.zone5.test"]), labEnv(lab, { ca: ca.directory })), 5);
    expect(error.code).toBe("ACME");
    expect(error.message).toContain("zone5.test");
    expect(JSON.stringify(error.details)).toContain("urn:ietf:params:acme:error:");
    await expectCleanDns(lab, ["_acme-challenge.zone5.test"]);
  });

  test("a CA that wants external account binding and gets none: status 5 or 2, and the flags are named", async () => {
    const lab = inLab();
    const ca = await lab.startCa({ eab: { kid1: randomBytes(32).toString("base64url") } });
    const run = await cli(issueArgs(["zone5.test"]), labEnv(lab, { ca: ca.directory }));
    const error = failed(run, run.status === 2 ? 2 : 5);
    expect(`${error.message} ${error.hint}`).toMatch(/--eab-kid/);
  });
});
