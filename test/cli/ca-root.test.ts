import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli } from "../real/lab/cli.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "dns01-root-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const good = rootCertificates[0] ?? "";

test.each([
  ["cut off", good.slice(0, 200)],
  ["no certificate inside", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
  ["a good one, and one cut off", `${good}\n${good.slice(0, 200)}`],
  ["a good one, and one that is only begun", `${good}\n-----BEGIN CERTIFICATE-----\n`],
])(
  "a root that cannot be read (%s) is told with the other faults, before anything is called or made",
  async (_what, pem) => {
    const file = join(dir, "root.pem");
    writeFileSync(file, pem);
    const state = join(dir, "state");
    const args = ["--ca-root", file, "--ca", "https://127.0.0.1:9/dir", "--json"];
    const issue = await cli(
      ["issue", "-d", "example.test", "-p", "rfc2136", "--key-type", "zz", "--state", state, ...args],
      {
        RFC2136_NAMESERVER: "127.0.0.1:9",
      },
    );
    expect(issue.status).toBe(2);
    const { error } = JSON.parse(issue.stdout || issue.stderr) as { error: { message: string } };
    expect(error.message).toContain(`${file} holds a certificate that cannot be read`);
    expect(error.message).toContain("zz");
    const account = await cli(["account", "show", "--state", state, ...args], {});
    expect([account.status, account.stdout + account.stderr]).toEqual([2, expect.stringContaining(file)]);
    expect(readdirSync(dir)).toEqual(["root.pem"]);
  },
);
