import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli } from "./lab/cli.ts";
import { failed } from "./lab/outcome.ts";
import { serviceFile } from "./lab/services.ts";

/** A port where every datagram and connection is counted: a refused command line must cause none. */
describe("bad input", () => {
  const udp = createSocket("udp4");
  const tcp = createServer((socket) => {
    calls++;
    socket.destroy();
  });
  let calls = 0;
  let port = 0;
  const dir = mkdtempSync(join(tmpdir(), "dns01-bad-"));

  beforeAll(async () => {
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    port = (tcp.address() as AddressInfo).port;
    udp.on("message", () => calls++);
    await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
  });
  afterAll(() => {
    udp.close();
    tcp.close();
  });

  const env = () => ({
    DNS01_CA: `https://127.0.0.1:${port}/dir`,
    DNS01_RESOLVER: `127.0.0.1:${port}`,
    DNS01_STATE: join(dir, "state"),
    RFC2136_NAMESERVER: `127.0.0.1:${port}`,
    RFC2136_TSIG_KEY_NAME: "k",
    RFC2136_TSIG_SECRET: "c2VjcmV0c2VjcmV0c2VjcmV0",
  });
  const refuse = async (args: readonly string[], more: Readonly<Record<string, string | undefined>> = {}) => {
    calls = 0;
    const error = failed(await cli(["issue", "--json", ...args], { ...env(), ...more }, dir), 2);
    expect(error.code).toBe("CONFIG");
    expect(error.retryable).toBe(false);
    expect(calls).toBe(0);
    return error;
  };
  const good = ["-p", "rfc2136", "-d", "example.test"];
  const long = `${Array.from({ length: 5 }, () => "a".repeat(60)).join(".")}.test`;

  test.each([
    ["a name with a space", ["-d", "exa mple"], "exa mple"],
    ["a double wildcard", ["-d", "*.*.example.com"], "*.*.example.com"],
    ["a wildcard inside", ["-d", "a.*.example.com"], "a.*.example.com"],
    ["an IPv4 address", ["-d", "192.0.2.1"], "192.0.2.1"],
    ["an IPv6 address", ["-d", "2001:db8::1"], "2001:db8::1"],
    ["over 253 octets", ["-d", long], "253"],
    ["an empty label", ["-d", "a..example.com"], "a..example.com"],
    ["a label that begins with a hyphen", ["-d", "-a.example.com"], "-a.example.com"],
    ["a wildcard of a public suffix", ["-d", "*.co.uk"], "co.uk"],
    [
      "a name that a wildcard covers",
      ["-d", "example.test", "-d", "*.example.test", "-d", "www.example.test"],
      "www.example.test",
    ],
  ])("%s is refused before any call", async (_, domains, named) => {
    const error = await refuse(["-p", "rfc2136", ...domains]);
    expect(error.message).toContain(named);
  });

  test.each([
    ["provider", ["-p", "rfc2163", "-d", "example.test"], "rfc2136"],
    ["flag", [...good, "--propagation-timout", "5m"], "--propagation-timeout"],
    ["provider field", [...good, "--rfc2136-namserver", "127.0.0.1"], "--rfc2136-nameserver"],
    ["key type", [...good, "--key-type", "ec265"], "ec256"],
    ["CA", [...good, "--ca", "letsencript"], "letsencrypt"],
  ])("an unknown %s is refused with the nearest real one", async (_, args, nearest) => {
    expect((await refuse(args)).message).toContain(nearest);
  });

  test.each(["300", "5 minutes", "-5m", "abc", "5x"])("the duration %s is refused", async (duration) => {
    expect((await refuse([...good, `--propagation-timeout=${duration}`])).message).toContain(duration);
  });

  test("missing credentials: every name that is accepted is listed", async () => {
    const error = await refuse(good, { RFC2136_TSIG_SECRET: undefined });
    for (const name of ["RFC2136_TSIG_SECRET", "RFC2136_TSIG_SECRET_FILE"]) expect(error.message).toContain(name);
  });

  test("a credential and its _FILE form at once are refused", async () => {
    const file = join(dir, "secret");
    writeFileSync(file, "c2VjcmV0c2VjcmV0c2VjcmV0\n", { mode: 0o600 });
    const error = await refuse(good, { RFC2136_TSIG_SECRET_FILE: file });
    for (const name of ["RFC2136_TSIG_SECRET", "RFC2136_TSIG_SECRET_FILE"]) expect(error.message).toContain(name);
  });

  test("a CSR that does not parse, and one for other names, are refused", async () => {
    const broken = join(dir, "broken.csr");
    writeFileSync(broken, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
    expect((await refuse([...good, "--csr", broken])).message).toContain("--csr");
    const other = join(dir, "other.csr");
    const args = [
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      join(dir, "k.pem"),
    ];
    execFileSync(
      serviceFile("openssl"),
      [...args, "-out", other, "-subj", "/", "-addext", "subjectAltName=DNS:other.test"],
      { stdio: "pipe" },
    );
    const error = await refuse([...good, "--csr", other]);
    for (const name of ["other.test", "example.test"]) expect(error.message).toContain(name);
  });

  test("all faults are told at once, each with its place", async () => {
    const args = [
      "-p",
      "rfc2136",
      "-d",
      "exa mple",
      "-d",
      "192.0.2.1",
      "--key-type",
      "dsa",
      "--propagation-timeout",
      "90",
      "--resolver",
      "nowhere",
    ];
    const error = await refuse(args, { RFC2136_TSIG_SECRET: undefined });
    const issues = error.details?.["issues"] as readonly { readonly path: string; readonly message: string }[];
    const told = issues.map((issue) => `${issue.path} ${issue.message}`).join("\n");
    for (const part of [
      "exa mple",
      "192.0.2.1",
      "--key-type",
      "--propagation-timeout",
      "--resolver",
      "RFC2136_TSIG_SECRET",
    ]) {
      expect(told).toContain(part);
    }
    for (const issue of issues) expect(issue.path).not.toBe("");
  });

  test("a mistyped command names the nearest", async () => {
    const run = await cli(["isue", "--json"], env(), dir);
    expect(failed(run, 2).message).toContain("issue");
  });
});
