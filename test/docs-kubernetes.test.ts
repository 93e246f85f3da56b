import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(join(root, "docs/kubernetes.md"), "utf8");
const blocks = [...page.matchAll(/^ *```yaml\n(.*?)^ *```/gms)].map(([, block = ""]) => block);
const solverList = /<!-- solvers -->\n```yaml\n(.*?)```\n<!-- \/solvers -->/s.exec(page)?.[1] ?? "";

/** Hosts that the page says have to be allowed. */
const allowed = ["auth.example.org", "dns-bridge.example.net", "pdns.example.com:8081"];
const groups = ["acme.dns01.io", "acme.dnspod.com"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dns01-issuers-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What `dns01 webhook validate` (npm run build) says about a manifest; "" when it is content. */
async function faultsIn(name: string, manifest: string, more: readonly string[] = []): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, manifest);
  const flags = [...groups.map((group) => `--group-name=${group}`), ...more];
  const command = [join(root, "dist/cli/main.js"), "webhook", "validate", ...flags, file];
  return await promisify(execFile)(process.execPath, command, { cwd: folder }).then(
    () => "",
    (error: { readonly stdout?: string; readonly stderr?: string }) => `${error.stdout}${error.stderr}`,
  );
}

const manifests = blocks.filter((block) => /^kind: (Cluster)?Issuer$/m.test(block));

test("the page has Issuers to be tried", () => {
  expect(manifests.length).toBeGreaterThan(2);
});

test.each(manifests.map((block, i) => [i, block] as const))(
  "Issuer %i of docs/kubernetes.md is valid",
  async (i, block) => {
    expect(await faultsIn(`issuer-${i}`, block)).toBe("");
  },
);

const issuerOf = (solvers: unknown) =>
  stringify({
    apiVersion: "cert-manager.io/v1",
    kind: "ClusterIssuer",
    metadata: { name: "all" },
    spec: { acme: { server: "https://example.com/directory", privateKeySecretRef: { name: "account" }, solvers } },
  });

test("the solvers of all providers are valid, where their hosts are allowed", async () => {
  const solvers: unknown = parse(solverList);
  expect(
    await faultsIn(
      "all",
      issuerOf(solvers),
      allowed.map((host) => `--allowed-endpoint=${host}`),
    ),
  ).toBe("");
  const said = await faultsIn("refused", issuerOf(solvers));
  for (const host of allowed) expect(said).toContain(host.split(":")[0]);
  expect(await faultsIn("wrong", issuerOf(solvers).replace("apiTokenSecretRef", "apiTokenSecretRfe"))).toContain(
    "apiTokenSecretRef",
  );
});

test("every provider that is served has a solver on the page", () => {
  const names = [solverList, ...manifests].flatMap((text) =>
    [...text.matchAll(/solverName: (\S+)/g)].map(([, name]) => name),
  );
  const served = z
    .object({ default: z.array(z.string()) })
    .parse(JSON.parse(readFileSync(join(root, "charts/dns01/files/providers.json"), "utf8")));
  expect([...new Set(names)].sort()).toEqual(served.default);
  for (const id of served.default) expect(page).toMatch(new RegExp(`^\\|[^|]*\`${id}\`[^|]*\\| `, "m"));
});

test("other documents on the page are YAML", () => {
  for (const block of blocks) expect(parseAllDocuments(block).flatMap((document) => document.errors)).toEqual([]);
});

test("every alert of the chart is on the page", () => {
  const rules = readFileSync(join(root, "charts/dns01/templates/prometheusrule.yaml"), "utf8");
  for (const [, alert = ""] of rules.matchAll(/"alert" "(\w+)"/g)) expect(page).toContain(`\`${alert}\``);
});

describe("docs/kubernetes-scenarios.md", () => {
  const scenarios = readFileSync(join(root, "docs/kubernetes-scenarios.md"), "utf8");
  const rows = [...scenarios.matchAll(/^\| (\d+) \|[^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, number, tests = "", hand = ""]) => ({
      number: Number(number),
      files: [...tests.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file),
      byHand: hand.trim() !== "",
    }),
  );

  /** "scenarios 4 and 6", "scenarios 18 to 22", "scenario 9". */
  const numbersIn = (text: string): ReadonlySet<number> => {
    const found = new Set<number>();
    for (const [, first, word, last] of text.matchAll(/\bscenarios? (\d+)(?: (and|to) (\d+))?/g)) {
      const [from, to] = [Number(first), Number(last ?? first)];
      if (word === "and") for (const n of [from, to]) found.add(n);
      else for (let n = from; n <= to; n++) found.add(n);
    }
    return found;
  };

  test("has every scenario once, each tried somewhere", () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(rows.filter(({ files, byHand }) => files.length === 0 && !byHand)).toEqual([]);
  });

  test.each(rows)("scenario $number is where the page says", ({ number, files, byHand }) => {
    for (const file of files) expect(numbersIn(readFileSync(join(root, file), "utf8")), file).toContain(number);
    const headings = [...scenarios.matchAll(/^## ([\d and]+):/gm)].flatMap(
      ([, numbers = ""]) => numbers.match(/\d+/g) ?? [],
    );
    expect(headings.map(Number).includes(number)).toBe(byHand);
  });
});
