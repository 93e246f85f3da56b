import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { cli, issueArgs, labEnv, newState } from "./lab/cli.ts";
import { askedOfResolver, markUpdates, updatesSince } from "./lab/counts.ts";
import { expectCleanDns, expectGoodCertificate, issued } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

const pair = ["example.test", "*.example.test"];

describeInLab("dns01 issue against Pebble, Knot, NSD and BIND", (inLab) => {
  test("the pair: both values in one update, one to take them out, at most ten requests, DNS clean, a good certificate", async () => {
    const lab = inLab();
    const witness = await lab.witness();
    const mark = await markUpdates(lab, "example.test");
    const asked = lab.servers.resolver.log.length;
    const document = issued(await cli(issueArgs(pair), labEnv(lab, { ca: witness.directory })));

    expect(await updatesSince(lab, mark, "example.test")).toBe(2);
    await expectCleanDns(lab, ["_acme-challenge.example.test"]);
    await expectGoodCertificate(lab, document, pair);
    expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[], []]);
    expect(new Set(witness.answered.map((challenge) => challenge.value)).size).toBe(2);

    const ordered = witness.requests.findIndex((request) => request.path.includes("order"));
    const ours = witness.requests.slice(ordered);
    expect(ours[0]).toMatchObject({ method: "POST", status: 201 });
    expect(ours.length, JSON.stringify(ours, undefined, 1)).toBeLessThanOrEqual(10);

    expect(document).toMatchObject({ name: "example.test", domains: pair, reused: false, keyType: "ec256" });
    expect(document.challenges.map((challenge) => challenge.domain).sort()).toEqual([...pair].sort());
    for (const challenge of document.challenges) {
      expect(challenge).toMatchObject({
        type: "dns-01",
        fqdn: "_acme-challenge.example.test",
        owner: "_acme-challenge.example.test",
        zone: "example.test",
        provider: "rfc2136",
        status: "valid",
      });
    }
    expect(document.propagation.servers.map((server) => server.name).sort()).toEqual([
      "ns1.example.test",
      "ns2.example.test",
      "ns3.example.test",
    ]);
    // Rule zero: no cache heard of the challenge name.
    expect(askedOfResolver(lab, asked).filter((name) => name.startsWith("_acme-challenge"))).toEqual([]);
    expect(askedOfResolver(lab, asked)).not.toEqual([]);
  });

  test("the same command again orders nothing and says reused", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const first = issued(await cli(issueArgs(pair), env));
    const mark = await markUpdates(lab, "example.test");
    const again = issued(await cli(issueArgs(pair), env));
    expect(again).toMatchObject({ reused: true, serial: first.serial, files: first.files });
    expect(await markUpdates(lab, "example.test")).toBe(mark);
  });

  test("a root that does not vouch for the CA does no harm where Node trusts it anyhow", async () => {
    const lab = inLab();
    const { DNS01_CA_ROOT: root, ...env } = labEnv(lab);
    const stranger = join(lab.dir, "stranger.pem");
    writeFileSync(stranger, rootCertificates[0] ?? "");
    const both = { ...env, DNS01_CA_ROOT: stranger, NODE_EXTRA_CA_CERTS: root };
    expect(issued(await cli(issueArgs(pair), both))).toMatchObject({ reused: false, domains: pair });
    const neither = await cli(issueArgs(pair), { ...env, DNS01_CA_ROOT: stranger, DNS01_STATE: newState(lab) });
    expect(neither.status).not.toBe(0);
    expect(neither.stderr).toContain("--ca-root");
  });

  test("twenty names of one zone are written in one update and taken out in one", async () => {
    const lab = inLab();
    const names = Array.from({ length: 20 }, (_, i) => `host${i}.example.test`);
    const mark = await markUpdates(lab, "example.test");
    const document = issued(await cli(issueArgs(names), labEnv(lab)));
    expect(await updatesSince(lab, mark, "example.test")).toBe(2);
    await expectCleanDns(
      lab,
      names.map((name) => `_acme-challenge.${name}`),
    );
    await expectGoodCertificate(lab, document, names);
  });

  test("a hundred names over ten zones: two updates for each zone", async () => {
    const lab = inLab();
    const names = Array.from({ length: 100 }, (_, i) => `host${Math.floor(i / 10)}.zone${i % 10}.test`);
    const mark = await markUpdates(lab, ...Array.from({ length: 10 }, (_, i) => `zone${i}.test`));
    const document = issued(await cli(issueArgs(names), labEnv(lab)));
    for (let zone = 0; zone < 10; zone++) expect(await updatesSince(lab, mark, `zone${zone}.test`)).toBe(2);
    await expectCleanDns(
      lab,
      names.map((name) => `_acme-challenge.${name}`),
    );
    await expectGoodCertificate(lab, document, names);
  });

  test("five seconds of lag on one secondary: nothing is answered before it has the value", async () => {
    const lab = inLab();
    const witness = await lab.witness();
    lab.lag.nsd = 5000;
    try {
      const document = issued(await cli(issueArgs(pair), labEnv(lab, { ca: witness.directory })));
      expect(witness.answered.map((challenge) => challenge.missingAt)).toEqual([[], []]);
      const late = document.propagation.servers.find((server) => server.name === "ns2.example.test");
      expect(late?.confirmedAfterMs).toBeGreaterThan(4000);
      await expectCleanDns(lab, ["_acme-challenge.example.test"]);
    } finally {
      lab.lag.nsd = 0;
    }
  });

  test("names of a zone and of a zone delegated below it are each written where they belong", async () => {
    const lab = inLab();
    const names = ["example.test", "sub.example.test", "www.sub.example.test"];
    const document = issued(await cli(issueArgs(names), labEnv(lab)));
    const zones = Object.fromEntries(document.challenges.map((challenge) => [challenge.domain, challenge.zone]));
    expect(zones).toEqual({
      "example.test": "example.test",
      "sub.example.test": "sub.example.test",
      "www.sub.example.test": "sub.example.test",
    });
    await expectCleanDns(
      lab,
      names.map((name) => `_acme-challenge.${name}`),
    );
  });

  test("a zone that is cut at the challenge name itself is written at its apex", async () => {
    const lab = inLab();
    const document = issued(await cli(issueArgs(["cut.example.test"]), labEnv(lab)));
    const owner = "_acme-challenge.cut.example.test";
    expect(document.challenges[0]).toMatchObject({ owner, zone: owner });
    await expectCleanDns(lab, [owner]);
  });

  test("half of all nonces refused: the certificate comes all the same", async () => {
    const lab = inLab();
    const ca = await lab.startCa({ nonceReject: 50 });
    const document = issued(await cli(issueArgs(pair), labEnv(lab, { ca: ca.directory })));
    await expectGoodCertificate(lab, document, pair, ca);
  });

  test("a CA that asks for a second between looks (Retry-After, as number or date) gets it, and the certificate comes", async () => {
    const lab = inLab();
    const ca = await lab.startCa({ retryAfter: 1 });
    const document = issued(await cli(issueArgs(pair), labEnv(lab, { ca: ca.directory })));
    await expectGoodCertificate(lab, document, pair, ca);
  });

  test.each(["ec256", "ec384", "rsa2048"])("a key of type %s", async (keyType) => {
    const lab = inLab();
    const document = issued(await cli(issueArgs(["zone1.test"], "--key-type", keyType), labEnv(lab)));
    expect(document).toMatchObject({ keyType });
    await expectGoodCertificate(lab, document, ["zone1.test"]);
  });
});
