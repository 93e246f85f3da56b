import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, labEnv } from "./lab/cli.ts";
import { markUpdates, updatesSince } from "./lab/counts.ts";
import type { Lab } from "./lab/lab.ts";
import { expectCleanDns, failed, issued } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

/** A configuration for two DNS services: Knot for its zones, BIND for bind.test, each with credentials of its own. */
function setUp(lab: Lab): { readonly env: Readonly<Record<string, string>>; readonly file: string } {
  const dir = mkdtempSync(join(lab.dir, "config-"));
  const [knot, bind] = [lab.publicAt("knot"), lab.publicAt("bind")];
  const [knotKey, bindKey] = [lab.keys["hmac-sha256"], lab.keys["hmac-sha512"]];
  writeFileSync(join(dir, "bind-secret"), `${bindKey.secret}\n`, { mode: 0o600 });
  const yaml = `
acme: { ca: "${lab.ca.directory}", caRoot: ${lab.ca.apiRootFile} }
solvers:
  - zones: [bind.test]
    provider: rfc2136
    config:
      nameserver: "${bind.address}:${bind.port}"
      tsigKeyName: ${bindKey.name}
      tsigSecret: { file: ${join(dir, "bind-secret")} }
      tsigAlgorithm: ${bindKey.algorithm}
  - provider: rfc2136
    config:
      nameserver: "${knot.address}:${knot.port}"
      tsigKeyName: ${knotKey.name}
      tsigSecret: { env: KNOT_SECRET }
      tsigAlgorithm: ${knotKey.algorithm}
`;
  const file = join(dir, "dns01.yaml");
  writeFileSync(file, yaml);
  const { DNS01_RESOLVER = "", DNS01_DNS_PORT = "", DNS01_STATE = "" } = labEnv(lab);
  return { file, env: { DNS01_RESOLVER, DNS01_DNS_PORT, DNS01_STATE, KNOT_SECRET: knotKey.secret } };
}

describeInLab("solvers of the configuration file", (inLab) => {
  test("an alias into a zone of another service is solved there, in one certificate with a name of the first", async () => {
    const lab = inLab();
    const { env, file } = setUp(lab);
    const mark = await markUpdates(lab, "example.test", "zone0.test");
    const args = ["issue", "--json", "--config", file, "-d", "cross.example.test", "-d", "zone0.test"];
    const document = issued(await cli(args, env));
    const places = Object.fromEntries(document.challenges.map((c) => [c.domain, `${c.owner} in ${c.zone}`]));
    expect(places).toEqual({
      "cross.example.test": "cross.bind.test in bind.test",
      "zone0.test": "_acme-challenge.zone0.test in zone0.test",
    });
    expect(await updatesSince(lab, mark, "example.test")).toBe(0);
    expect(await updatesSince(lab, mark, "zone0.test")).toBe(2);
    await expectCleanDns(lab, ["cross.bind.test", "_acme-challenge.zone0.test"]);
  });

  test("a secret that cannot be read is a fault of the configuration, with its place", async () => {
    const { env, file } = setUp(inLab());
    const { KNOT_SECRET: _, ...without } = env;
    const error = failed(await cli(["issue", "--json", "--config", file, "-d", "zone0.test"], without), 2);
    expect(error.code).toBe("CONFIG");
    expect(error.message).toContain("KNOT_SECRET");
  });
});
