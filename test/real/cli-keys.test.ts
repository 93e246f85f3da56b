import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { expectGoodCertificate, expectPair, issued } from "./lab/outcome.ts";
import { serviceFile } from "./lab/services.ts";
import { describeInLab } from "./lab/suite.ts";

const names = ["zone0.test", "*.zone0.test"];

describeInLab("keys, requests and copies", (inLab) => {
  test("a renewal has a new key, with --reuse-key the old one", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const keyOf = (document: ReturnType<typeof issued>) => readFileSync(document.files.privkey, "utf8");
    const first = issued(await cli(issueArgs(names), env));
    const firstKey = keyOf(first);
    const second = issued(await cli(issueArgs(names, "--force"), env));
    const secondKey = keyOf(second);
    expect(secondKey).not.toBe(firstKey);
    const third = issued(await cli(issueArgs(names, "--force", "--reuse-key"), env));
    expect(keyOf(third)).toBe(secondKey);
    expect(new Set([first.serial, second.serial, third.serial]).size).toBe(3);
    await expectGoodCertificate(lab, third, names);
  });

  test("a CSR of the user's own: its key is certified and never asked for", async () => {
    const lab = inLab();
    const dir = mkdtempSync(join(lab.dir, "csr-"));
    const [key, csr] = [join(dir, "key.pem"), join(dir, "request.pem")];
    const san = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`;
    const how = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/", "-addext", san];
    execFileSync(serviceFile("openssl"), [...how, "-keyout", key, "-out", csr], { stdio: "pipe" });
    const document = issued(await cli(["issue", "-p", "rfc2136", "--json", "--csr", csr], labEnv(lab)));
    expect(document.domains).toEqual(names);
    expect(document.files.privkey).toBeUndefined();
    expectPair(document.files.cert, key);
  });

  test("--out gets a copy of every file, the key for its owner only; the hook sees where they are", async () => {
    const lab = inLab();
    const dir = mkdtempSync(join(lab.dir, "out-"));
    const seen = join(dir, "seen");
    const hook = `printf '%s|%s|%s' "$DNS01_NAME" "$DNS01_DOMAINS" "$DNS01_PRIVKEY" > ${seen}`;
    const args = issueArgs(names, "--out", join(dir, "copy"), "--deploy-hook", hook);
    const document = issued(await cli(args, labEnv(lab)));
    for (const kind of ["cert", "chain", "fullchain", "privkey"] as const) {
      expect(readFileSync(join(dir, "copy", `${kind}.pem`), "utf8")).toBe(readFileSync(document.files[kind], "utf8"));
    }
    expect(statSync(join(dir, "copy", "privkey.pem")).mode & 0o777).toBe(0o600);
    expect(readFileSync(seen, "utf8")).toBe(`zone0.test|${names.join(" ")}|${document.files.privkey}`);
  });

  test("a hook that fails: status 7, the certificate is there all the same", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const run = await cli(issueArgs(names, "--deploy-hook", "exit 3"), env);
    expect(run.status, run.stderr).toBe(7);
    expect(issued(await cli(issueArgs(names), env)).reused).toBe(true);
  });

  test("--dry-run goes up to finalize and stores no certificate", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const witness = await lab.witness();
    const run = await cli(issueArgs(names, "--dry-run"), { ...env, DNS01_CA: witness.directory });
    expect(run.status, run.stderr).toBe(0);
    expect(witness.answered).toHaveLength(2);
    expect(witness.requests.some((request) => request.path.includes("finalize"))).toBe(false);
    expect(issued(await cli(issueArgs(names), env)).reused).toBe(false);
  });
});
