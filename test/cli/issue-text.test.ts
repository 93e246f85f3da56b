import { expect, test } from "vitest";
import { issueText } from "../../src/cli/issue-text.ts";
import type { IssueResult } from "../../src/issuer/request.ts";

type Server = IssueResult["propagation"]["servers"][number];

const folder = "/var/lib/dns01/certificates/h1.example.test/current";

function textOf(servers: readonly Server[]): string {
  const text = issueText({
    name: "h1.example.test",
    domains: [],
    ca: "https://ca.example.test/directory",
    issuer: "E2",
    notAfter: "2027-02-25T02:26:22.000Z",
    renewAfter: "2027-01-26T02:26:22.000Z",
    reused: false,
    files: { cert: `${folder}/cert.pem`, privkey: `${folder}/privkey.pem` },
    challenges: [],
    propagation: { queries: 327, servers },
    timings: { totalMs: 1, orderMs: 1, presentMs: 1, propagationMs: 1, validationMs: 1, finalizeMs: 1, cleanupMs: 1 },
    warnings: [],
  } as unknown as IssueResult);
  return text;
}

const rowsOf = (text: string) => text.split("\n").filter((line) => /^ {2}ns/.test(line));

test("twenty names in one zone are one row per nameserver, with the name it served last, and the paths come last", () => {
  const servers = Array.from({ length: 20 }, (_, name) =>
    [1, 2, 3].map((n) => ({
      name: `ns${n}.example.test`,
      address: `192.0.2.${n}`,
      zone: "example.test",
      ...(n === 3 && name === 7 ? { state: "silent" } : { confirmedAfterMs: 1200 * n + name }),
    })),
  ).flat();
  const text = textOf(servers);
  expect(rowsOf(text)).toEqual([
    "  ns1.example.test  192.0.2.1  example.test  ✔ 1.2 s",
    "  ns2.example.test  192.0.2.2  example.test  ✔ 2.4 s",
    "  ns3.example.test  192.0.2.3  example.test  silent",
  ]);
  expect(text.trimEnd().split("\n").at(-1)).toContain(`${folder}/privkey.pem`);
});

test("of the nameservers of twenty zones the slowest are shown, and how many more there are", () => {
  const servers = Array.from({ length: 60 }, (_, at) => ({
    name: `ns${at % 3}.h${at}.test`,
    address: "192.0.2.1",
    zone: `h${at}.test`,
    ...(at === 3 ? { state: "silent" } : { confirmedAfterMs: 1000 * at + 200 }),
  }));
  const text = textOf(servers);
  expect(text).toContain("  … and 53 more; --json lists all\n");
  const rows = rowsOf(text);
  expect(rows[0]).toMatch(/ns0\.h3\.test .* silent$/);
  expect(rows[1]).toMatch(/ns2\.h59\.test .* ✔ 59\.2 s$/);
  expect(text.split("\n").length).toBeLessThan(28);
});
