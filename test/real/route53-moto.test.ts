import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import route53 from "../../providers/route53.ts";
import type { DomainName } from "../../src/core/name.ts";
import { cases, connectBackend, type Service, testProvider } from "../../src/testing/index.ts";
import { cli, cliFile, type Env } from "./lab/cli.ts";
import { type Moto, startMoto, whyNoMoto } from "./lab/moto.ts";

const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG" };
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const reason = whyNoMoto();

describe.skipIf(reason !== undefined)(`Route 53 as moto has it${reason === undefined ? "" : ` (${reason})`}`, () => {
  let moto: Moto;
  let client: Route53Client;

  beforeAll(async () => {
    moto = await startMoto();
    client = new Route53Client({ region: "us-east-1", endpoint: moto.url, credentials });
  });
  afterAll(async () => {
    client?.destroy();
    await moto?.stop();
  });

  const zoneIdOf = async (apex: string): Promise<string> => {
    const { HostedZones = [] } = await client.send(new ListHostedZonesByNameCommand({ DNSName: apex }));
    const zone = HostedZones.find(({ Name }) => Name === `${apex}.`);
    if (zone?.Id === undefined) throw new Error(`moto has no zone ${apex}`);
    return zone.Id;
  };
  const setsAt = async (apex: string, fqdn: string): Promise<readonly ResourceRecordSet[]> => {
    const command = new ListResourceRecordSetsCommand({ HostedZoneId: await zoneIdOf(apex) });
    const { ResourceRecordSets = [] } = await client.send(command);
    return ResourceRecordSets.filter(({ Name }) => Name === `${fqdn}.`);
  };
  const txtAt = async (apex: string, fqdn: string) => (await setsAt(apex, fqdn)).filter(({ Type }) => Type === "TXT");
  const valuesAt = async (apex: string, fqdn: string): Promise<readonly string[]> =>
    (await txtAt(apex, fqdn)).flatMap(({ ResourceRecords = [] }) =>
      ResourceRecords.map(({ Value = "" }) => JSON.parse(Value) as string),
    );
  const upsert = async (apex: string, set: ResourceRecordSet): Promise<void> => {
    const ChangeBatch = { Changes: [{ Action: "UPSERT" as const, ResourceRecordSet: set }] };
    await client.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: await zoneIdOf(apex), ChangeBatch }));
  };
  const createZone = async (apex: string): Promise<void> => {
    await client.send(new CreateHostedZoneCommand({ Name: `${apex}.`, CallerReference: `${apex} ${Math.random()}` }));
  };

  const start = async (apexes: readonly DomainName[]): Promise<Service> => {
    await moto.reset();
    for (const apex of apexes) await createZone(apex);
    const config = {
      accessKeyID: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      endpoint: moto.url,
    };
    return {
      connect: (signal) => connectBackend(route53, config, signal),
      values: valuesAt,
      async put(apex, fqdn, values, TTL) {
        const all = [...(await valuesAt(apex, fqdn)), ...values];
        const ResourceRecords = all.map((value) => ({ Value: JSON.stringify(value) }));
        await upsert(apex, { Name: fqdn, Type: "TXT", TTL, ResourceRecords });
      },
      async putOtherType(apex, fqdn) {
        await upsert(apex, { Name: fqdn, Type: "A", TTL: 60, ResourceRecords: [{ Value: "192.0.2.1" }] });
        return async () => (await setsAt(apex, fqdn)).some(({ Type }) => Type === "A");
      },
      ttlSeconds: async (apex, fqdn) => (await txtAt(apex, fqdn))[0]?.TTL,
      secrets: [credentials.secretAccessKey],
      stop: async () => {},
    };
  };

  // What moto cannot do: it has no faults, and takes any credentials.
  const beyondMoto: readonly (keyof Service)[] = ["refuseCredentials", "disappear", "hang", "inject", "loseNextAnswer"];
  const skipped = cases.filter(({ needs = [] }) => needs.some((need) => beyondMoto.includes(need)));
  testProvider(
    test,
    {
      provider: route53,
      start,
      // moto takes a CREATE over a set that stands, and a DELETE whatever its values: nothing to compare and swap with.
      writers: 1,
      skip: {
        ...Object.fromEntries(skipped.map(({ id }) => [id, "moto has no faults; the fake in test/fakes has"])),
        "concurrency.settling":
          "moto compares nothing, so a swap that lost is told as done; the fake in test/fakes compares",
      },
    },
    { seed, operations: 40 },
  );

  describe("from the command line", () => {
    const owner = "_acme-challenge.www.example.test";
    let env: Env = {};
    beforeAll(async () => {
      await moto.reset();
      await createZone("example.test");
      env = {
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_REGION: "eu-central-1",
        ROUTE53_ENDPOINT: moto.url,
        DNS01_PROPAGATION: "none",
        DNS01_STATE: mkdtempSync(join(tmpdir(), "dns01-state-")),
      };
    });
    afterAll(() => rmSync(env["DNS01_STATE"] ?? "", { recursive: true, force: true }));
    const run = async (command: string, more: Env = {}) => {
      // The sandbox has nameservers that tell where the zone begins; the value goes to moto.
      const sandboxed = ["sandbox", "--", process.execPath, cliFile];
      const args = [...sandboxed, command, owner, "the-value", "--provider", "route53"];
      const { status, stderr, stdout } = await cli(args, { ...env, ...more });
      expect(status, `${stdout}${stderr}`).toBe(0);
      return stderr;
    };

    test("present and cleanup leave stderr without a word of the SDK", async () => {
      expect(await run("present", { DNS01_LOG_LEVEL: "info" })).not.toMatch(/AWS SDK|Warning/);
      expect(await valuesAt("example.test", owner)).toEqual(["the-value"]);
      await run("cleanup");
      expect(await valuesAt("example.test", owner)).toEqual([]);
    });

    test("a role is assumed, a pinned zone written to, and INSYNC waited for", async () => {
      const more = {
        AWS_ASSUME_ROLE_ARN: "arn:aws:iam::123456789012:role/dns01",
        AWS_EXTERNAL_ID: "tenant-7",
        AWS_ENDPOINT_URL_STS: moto.url,
        AWS_HOSTED_ZONE_ID: await zoneIdOf("example.test"),
        ROUTE53_WAIT_FOR_INSYNC: "true",
      };
      await run("present", more);
      expect(await valuesAt("example.test", owner)).toEqual(["the-value"]);
      await run("cleanup", more);
      expect(await valuesAt("example.test", owner)).toEqual([]);
    });
  });
});
