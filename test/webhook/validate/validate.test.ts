import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readFlags } from "../../../src/cli/args.ts";
import type { CommandInput } from "../../../src/cli/command.ts";
import { commands, globalFlags } from "../../../src/cli/spec.ts";
import { command } from "../../../src/cli/webhook-validate.ts";
import { builtInProviders } from "../../../src/providers.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
});

interface Report {
  readonly valid: boolean;
  readonly issuers: readonly { kind: string; name: string; solvers: readonly { solverName: string }[] }[];
  readonly faults: readonly { line: number; path: string; message: string }[];
  readonly warnings: readonly { line: number; path: string; message: string }[];
  readonly error?: { code: string; details: { issues: readonly unknown[] } };
}

/** Runs the command on one file; its lines as "LINE PATH: MESSAGE". */
async function validate(text: string, ...args: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), "dns01-validate-"));
  folders.push(dir);
  const file = join(dir, "issuers.yaml");
  await writeFile(file, text);
  const spec = commands.find(({ name }) => name === "webhook validate");
  const { flags, issues } = readFlags([file, ...args], [...globalFlags, ...(spec?.flags ?? [])], {});
  const io = { env: {}, signal: new AbortController().signal };
  const input = { flags, issues, io, registry: builtInProviders() } as unknown as CommandInput;
  const output = await command.run(input);
  const report = output?.json as Report;
  const lines = (level: "faults" | "warnings") => report[level].map((f) => `${f.line} ${f.path}: ${f.message}`);
  return { output, report, faults: lines("faults"), warnings: lines("warnings") };
}

const issuer = (webhook: string, more = "") => `apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: letsencrypt, namespace: shop}
spec:
  acme:
    solvers:
      - dns01:
          webhook:
${webhook.replace(/^/gm, "            ")}
${more.replace(/^/gm, "        ")}
`;

const cloudflare = `groupName: acme.dns01.io
solverName: cloudflare
config: {apiTokenSecretRef: {name: cf, key: token}}`;

describe("webhook validate", () => {
  test.each([
    ["an alias without its anchor", "a: *nowhere\n", "nowhere"],
    [
      "aliases that grow",
      `a: &a [x${", x".repeat(9)}]\nb: &b [${Array(9).fill("*a")}]\nc: [${Array(99).fill("*b")}]\n`,
      "alias",
    ],
    ["a list within itself", "kind: List\nitems: &a\n  - {kind: List, items: *a}\n", "contains itself"],
  ])("%s is a fault of that document, and the others are read", async (_, text, said) => {
    const { faults, report } = await validate(`${text}---\n${issuer(cloudflare)}`);
    expect(faults).toEqual([expect.stringMatching(new RegExp(`^\\d+ : is no YAML: .*${said}`))]);
    expect(report.issuers).toHaveLength(1);
  });

  test("a configuration that contains itself is refused", async () => {
    const webhook = cloudflare.replace("config: {", "config: &self {endpoint: *self, ");
    expect((await validate(issuer(webhook))).report.valid).toBe(false);
  });

  test.each([
    ["spec: 5", "spec: has to be an object"],
    ["spec:", "spec: has to be an object"],
    ["spec: {acme: letsencrypt}", "spec.acme: has to be an object"],
    ["spec: {acme: {solvers: null}}", "spec.acme.solvers: has to be a list"],
    ["spec: {acme: {solvers: {dns01: {}}}}", "spec.acme.solvers: has to be a list"],
    ["spec: {acme: {solvers: [null]}}", "spec.acme.solvers[0]: has to be an object"],
    ["spec: {acme: {solvers: [{dns01: [webhook]}]}}", "spec.acme.solvers[0].dns01: has to be an object"],
    [
      "spec: {acme: {solvers: [{}, {dns01: {webhook: dnspod}}]}}",
      "spec.acme.solvers[1].dns01.webhook: has to be an object",
    ],
  ])("what no API server takes is told: %s", async (spec, fault) => {
    const head = "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: a, namespace: b}\n";
    const { report, faults } = await validate(`${head}${spec}\n`);
    expect(faults).toEqual([`4 ${fault}`]);
    expect(report.valid).toBe(false);
  });

  test("issuers that have no solver of a webhook are not looked at", async () => {
    for (const spec of [
      "{selfSigned: {}}",
      "{acme: {}}",
      "{acme: {solvers: []}}",
      "{acme: {solvers: [{http01: {}}]}}",
    ]) {
      const { faults } = await validate(
        `apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: a}\nspec: ${spec}\n`,
      );
      expect(faults).toEqual([]);
    }
  });

  test("accepts the Issuer of cert-manager-webhook-dnspod's README unchanged", async () => {
    const text = issuer(`groupName: acme.dnspod.com
solverName: dnspod
config:
  secretIdRef: {name: dnspod-secret, key: secretId}
  secretKeyRef: {name: dnspod-secret, key: secretKey}
  ttl: 600
  recordLine: ""`);
    const { report, output } = await validate(text, "--group-name", "acme.dnspod.com");
    expect(report).toMatchObject({
      valid: true,
      faults: [],
      warnings: [],
      issuers: [{ kind: "Issuer", name: "letsencrypt" }],
    });
    expect(output?.status).toBe(0);
    // Without the group it is somebody else's, and only told about.
    const elsewhere = await validate(text);
    expect(elsewhere.output?.status).toBe(0);
    expect(elsewhere.warnings).toEqual([expect.stringContaining("give --group-name acme.dnspod.com")]);
  });

  test("tells every fault at once, with line, path and the nearest name", async () => {
    const { faults, output, report } = await validate(`apiVersion: v1
kind: List
items:
- apiVersion: cert-manager.io/v1
  kind: ClusterIssuer
  metadata: {name: one}
  spec:
    acme:
      solvers:
      - dns01:
          webhook:
            groupName: acme.dns01.oi
            solverName: dnspod
      - selector: {dnsZone: [a.test]}
        dns01:
          cnameStrategy: follow
          webhook:
            groupName: acme.dns01.io
            solverName: clouflare
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: two}
spec:
  acme:
    solvers:
    - selector:
        dnsZones:
        - "*.example.com"
        - Example.com
        dnsNames: [ok.example.com, "*.example.com", "a b"]
      dns01:
        webhook:
          groupName: acme.dns01.io
          solverName: dnspod
          ttl: 600
          config:
            secretId: AKID-literal
            secretKeyRef:
              name: dnspod
              namespace: elsewhere
              key: k
            endpoint: https://collect.example
`);
    const solvers = "spec.acme.solvers";
    expect(faults).toEqual([
      `12 items[0].${solvers}[0].dns01.webhook.groupName: "acme.dns01.oi" is not served by dns01; did you mean acme.dns01.io?`,
      `14 items[0].${solvers}[1].selector.dnsZone: is not a field of selector; did you mean dnsZones?`,
      `16 items[0].${solvers}[1].dns01.cnameStrategy: has to be None or Follow`,
      `19 items[0].${solvers}[1].dns01.webhook.solverName: there is no solver "clouflare"; did you mean cloudflare?`,
      `29 ${solvers}[0].selector.dnsZones[0]: "*.example.com": a zone has no "*."; example.com stands for every name in it`,
      `30 ${solvers}[0].selector.dnsZones[1]: "Example.com" is compared as it is written: write example.com`,
      expect.stringMatching(/^31 spec\.acme\.solvers\[0\]\.selector\.dnsNames\[2\]: "a b" is not a domain name/),
      `36 ${solvers}[0].dns01.webhook.ttl: is not a field of webhook; put the provider's fields below config`,
      expect.stringMatching(/^38 .*\.config\.secretId: is a secret/),
      expect.stringMatching(/^39 .*\.config\.secretKeyRef: may not name a namespace/),
      expect.stringMatching(/^43 .*\.config\.endpoint: credentials may not be sent to collect\.example/),
    ]);
    expect(output?.status).toBe(2);
    expect(report.error).toMatchObject({ code: "CONFIG" });
    expect(report.error?.details.issues).toHaveLength(faults.length);
    // The secret itself is repeated nowhere.
    expect(JSON.stringify(output)).not.toContain("AKID-literal");
  });

  test("an allowed endpoint is no fault, nor another webhook's group with a solver that is not ours", async () => {
    const own = `groupName: acme.dns01.io
solverName: powerdns
config: {endpoint: "http://pdns.internal:8081", apiKeySecretRef: {name: p, key: k}}`;
    expect((await validate(issuer(own))).faults).toHaveLength(1);
    expect((await validate(issuer(own), "--allowed-endpoint", "http://pdns.internal:8081")).faults).toEqual([]);
    const other = await validate(issuer("groupName: acme.hetzner.com\nsolverName: hetzner-cloud"));
    expect(other.report).toMatchObject({ valid: true, issuers: [], warnings: [] });
  });

  test("exec is never served, memory only where it was asked for", async () => {
    const with_ = (id: string) => issuer(`groupName: acme.dns01.io\nsolverName: ${id}`);
    expect((await validate(with_("exec"))).faults).toEqual([expect.stringContaining("never served to Issuers")]);
    expect((await validate(with_("memory"))).faults).toEqual([expect.stringContaining("not served by default")]);
    expect((await validate(with_("memory"), "--providers", "memory")).faults).toEqual([]);
  });

  test("warns of a wait without anybody who looks, and of a solver that is never used", async () => {
    const wait = "waitInsteadOfSelfCheck: 0s";
    const { warnings, report } = await validate(issuer(cloudflare, wait));
    expect(report.valid).toBe(true);
    expect(warnings).toEqual([
      expect.stringMatching(/^12 spec\.acme\.solvers\[0\]\.waitInsteadOfSelfCheck: .*propagation: gate/),
    ]);
    expect((await validate(issuer(cloudflare, wait), "--propagation-gate")).warnings).toEqual([]);
    const twice = issuer(cloudflare) + issuer(cloudflare).split("\n").slice(6).join("\n");
    expect((await validate(twice)).warnings).toEqual([expect.stringContaining("is never used: solvers[0]")]);
    // Of a wildcard cert-manager is offered no http-01, and goes past that solver.
    const http = "      - http01: {ingress: {ingressClassName: nginx}}\n";
    const mixed = issuer(cloudflare).replace("solvers:\n", `solvers:\n${http}`);
    expect((await validate(mixed)).warnings).toEqual([
      expect.stringContaining("solvers[1]: is used for wildcards alone: solvers[0] (http01) has no selector either"),
    ]);
    const third = mixed + issuer(cloudflare).split("\n").slice(6).join("\n");
    expect((await validate(third)).warnings).toEqual([
      expect.stringContaining("solvers[1]: is used for wildcards alone"),
      expect.stringContaining("solvers[2]: is never used: solvers[1] has no selector either"),
    ]);
  });

  test("what cannot be parsed is a fault of its document alone; anchors and other kinds are fine", async () => {
    const { faults, report } = await validate(`apiVersion: v1
kind: Secret
metadata: {name: x}
---
a: [1
---
x-ref: &ref {name: cf, key: token}
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: anchored}
spec:
  acme:
    solvers:
    - dns01:
        webhook: {groupName: acme.dns01.io, solverName: cloudflare, config: {apiTokenSecretRef: *ref, ttll: 1}}
`);
    expect(faults[0]).toMatch(/^[56] : /);
    expect(faults.at(-1)).toMatch(/^15 .*config\.ttll: .*did you mean ttl\?/);
    expect(report.issuers).toMatchObject([{ name: "anchored" }]);
  });

  test("a file that is not there, a document that is no object, an empty one", async () => {
    expect((await validate("")).report).toMatchObject({ valid: true, issuers: [] });
    expect((await validate("- 1\n- 2\n")).report.valid).toBe(true);
    const { report, output } = await validate(issuer(cloudflare), "/nowhere/x.yaml");
    expect(report.faults).toMatchObject([{ path: "", message: "does not exist" }]);
    expect(output?.text).toContain("/nowhere/x.yaml: does not exist");
  });
});
