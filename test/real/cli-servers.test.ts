import { expect, test } from "vitest";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { txtValues } from "./lab/dig.ts";
import { expectCleanDns, failed, issued } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

describeInLab("nameservers that are dead, silent, lame or behind", (inLab) => {
  test.each([
    ["refuses connections", "dead.test", "ns2.dead.test"],
    ["never answers", "mute.test", "ns2.mute.test"],
    ["does not know the zone", "lame.test", "ns3.lame.test"],
  ])("a server that %s does not stop the issuance and is named in the result", async (_, zone, server) => {
    const lab = inLab();
    const document = issued(await cli(issueArgs([zone, `*.${zone}`]), labEnv(lab)));
    const named = (document.warnings ?? []).filter(
      (warning) => warning.server?.includes(server) || warning.text.includes(server),
    );
    expect(named, JSON.stringify(document.warnings)).not.toEqual([]);
    const confirmed = document.propagation.servers.filter((s) => s.confirmedAfterMs !== undefined).map((s) => s.name);
    expect(confirmed).not.toContain(server);
    expect(confirmed).toContain(`ns1.${zone}`);
    await expectCleanDns(lab, [`_acme-challenge.${zone}`]);
  });

  test("a server with old data always blocks: status 4, a table with its name, address and serial, nothing answered", async () => {
    const lab = inLab();
    const witness = await lab.witness();
    const args = issueArgs(["stale.test"], "--propagation-timeout", "4s");
    const run = await cli(args, labEnv(lab, { ca: witness.directory }));
    const error = failed(run, 4);
    expect(error.code).toBe("NOT_PROPAGATED");
    expect(witness.answered).toEqual([]);
    expect(error.message).toContain("ns2.stale.test");
    const servers = serversOf(error.details);
    expect(servers.find((server) => server["name"] === "ns1.stale.test")).toMatchObject({ class: "match" });
    expect(servers.find((server) => server["name"] === "ns2.stale.test")).toMatchObject({
      class: "absent",
      address: lab.publicAt("nsd").address,
      soaSerial: 1,
    });
    for (const text of ["ns1.stale.test", "ns2.stale.test", lab.publicAt("nsd").address])
      expect(run.stderr).toContain(text);
    expect(await txtValues(lab.realAt("knot"), "_acme-challenge.stale.test")).toEqual([]);
  });
});

/** `details.verdict` has each server, as errors.ts says. */
function serversOf(
  details: Readonly<Record<string, unknown>> | undefined,
): readonly Readonly<Record<string, unknown>>[] {
  const verdict = details?.["verdict"] as
    | { readonly servers?: readonly Readonly<Record<string, unknown>>[] }
    | undefined;
  return verdict?.servers ?? [];
}
