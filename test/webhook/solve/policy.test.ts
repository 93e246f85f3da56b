import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { memoryProvider } from "../../../providers/memory.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import { denialOf, openPolicy, parsePolicy } from "../../../src/webhook/solve/policy.ts";
import { createVirtualClock } from "../../fakes/virtual-clock.ts";
import { createCluster, messageOf, name, ok, startReplica } from "./world.ts";

const known = ["memory", "dnspod", "tencentcloud", "cloudflare"];
const text = `
namespaces:
  shop:
    providers: [dnspod, memory]
    zones: [shop.example.com, Example.NET]
  anything: {}
  nothing: { providers: [], zones: [] }
`;

function faults(yaml: string): readonly string[] {
  try {
    parsePolicy("policy.yaml", yaml, known);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues.map(({ path, message }) => `${path} ${message}`);
  }
}

test("who is not named may do nothing, and zones hold on label boundaries", () => {
  const policy = parsePolicy("policy.yaml", text, known);
  const denial = (namespace: string, provider: string, owner: string) =>
    denialOf(policy, { namespace, provider, owner: name(owner) });
  expect(denial("shop", "dnspod", "_acme-challenge.shop.example.com")).toBeUndefined();
  expect(denial("shop", "memory", "example.net")).toBeUndefined();
  expect(denial("anything", "cloudflare", "a.example")).toBeUndefined();
  expect(denial("shop", "cloudflare", "_acme-challenge.shop.example.com")).toEqual({
    message: 'namespace "shop" may not use the provider cloudflare',
    rule: "only dnspod, memory",
  });
  expect(denial("shop", "dnspod", "_acme-challenge.workshop.example.com")).toEqual({
    message: 'namespace "shop" may not write to _acme-challenge.workshop.example.com',
    rule: "only below example.net, shop.example.com",
  });
  expect(denial("nothing", "dnspod", "a.example")).toMatchObject({ rule: expect.stringMatching(/^only .*none$/) });
  expect(denial("other", "dnspod", "a.example")).toEqual({ message: 'namespace "other" is not in the policy' });
  const open = parsePolicy("policy.yaml", `${text}  "*": { zones: [dev.example.com] }`, known);
  expect(denialOf(open, { namespace: "other", provider: "dnspod", owner: name("x.dev.example.com") })).toBeUndefined();
  expect(denialOf(open, { namespace: "other", provider: "dnspod", owner: name("x.example.com") })).toBeDefined();
  const aliased = parsePolicy("policy.yaml", "namespaces: { a: { providers: [tencentcloud] } }", known);
  const idOf = (id: string) => (id === "tencentcloud" ? "dnspod" : id);
  expect(denialOf(aliased, { namespace: "a", provider: "dnspod", owner: name("x.example") }, idOf)).toBeUndefined();
});

test("every fault of the file at once, with its line", () => {
  expect(
    faults(`namespaces:
  shop:
    providers: [dnspdo]
    zones: ["a b", ok.example]
`),
  ).toEqual([
    'policy.yaml:4 namespaces.shop.zones.0 "a b" is not a domain name: it has white space inside or around it',
    'policy.yaml:3 namespaces.shop.providers.0 there is no provider "dnspdo"; did you mean dnspod?',
  ]);
  expect(faults("namespaces:\n  shop: { provider: [dnspod] }\n")).toEqual([
    'policy.yaml:2 namespaces.shop.provider unknown key; did you mean "providers"?',
  ]);
  expect(faults("namespace: {}")[0]).toMatch(/^policy\.yaml/);
  expect(faults("a: [")[0]).toMatch(/^policy\.yaml:\d/);
  expect(faults("")).toHaveLength(1);
});

test("is asked before anything is called, follows its file, and keeps the last that was of use", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dns01-policy-"));
  try {
    const file = join(folder, "policy.yaml");
    await writeFile(file, text);
    const clock = createVirtualClock();
    const complaints: string[] = [];
    const policy = await openPolicy(file, { clock, known, idOf: (id) => id, onFault: (said) => complaints.push(said) });
    const cluster = createCluster();
    const replica = await startReplica([memoryProvider()], { solver: "memory", cluster, policy });
    const shop = { resourceNamespace: "shop", dnsName: "shop.example.com" };
    expect(await replica.present(shop)).toEqual(ok);
    const denied = await replica.present({ ...shop, dnsName: "example.com" });
    expect(denied).toMatchObject({ code: "CONFIG", reason: "Invalid" });
    const said = 'the operator\'s policy forbids it: namespace "shop" may not write to _acme-challenge.example.com';
    expect(messageOf(denied)).toBe(`memory: ${said}`);
    // With a ClusterIssuer the rule names zones of all tenants: only the log has it.
    const message = `${said}, only below example.net, shop.example.com`;
    expect(replica.eventsOf("denied")).toMatchObject([
      { namespace: "shop", provider: "memory", action: "Present", message },
    ]);
    expect(cluster.asked).toEqual([]);
    // What was presented before the policy changed is still taken out, by who remembers it.
    const replace = async (yaml: string) => {
      await writeFile(`${file}.new`, yaml);
      await rename(`${file}.new`, file);
      await clock.advance(6_000);
    };
    await replace("namespaces: { other: {} }");
    expect(messageOf(await replica.present({ ...shop, key: "second" }))).toMatch(/"shop" is not in the policy/);
    expect(await replica.cleanUp(shop)).toEqual(ok);
    expect(replica.eventsOf("leftover")).toEqual([]);
    // Another replica, or a pod before this one, may have written under an earlier policy. What this replica rejected was
    // never written.
    expect(await replica.cleanUp({ ...shop, key: "elsewhere" })).toEqual(ok);
    expect(await replica.cleanUp({ ...shop, dnsName: "example.com" })).toEqual(ok);
    expect(replica.eventsOf("leftover").map(({ value }) => value)).toEqual(["elsewhere"]);
    await replace("namespaces: [");
    expect(messageOf(await replica.present(shop))).toMatch(/"shop" is not in the policy/);
    expect(complaints).toEqual([expect.stringMatching(/policy\.yaml:1[\s\S]*the policy before it stays in force$/)]);
    await replace(text);
    expect(await replica.present(shop)).toEqual(ok);
    await replica.solving.close();
    await expect(
      openPolicy(join(folder, "none"), { clock, known, idOf: (id) => id, onFault: () => {} }),
    ).rejects.toThrow(/--policy: cannot read/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the policy of docs/webhook.md is one", async () => {
  const page = await readFile(new URL("../../../docs/webhook.md", import.meta.url), "utf8");
  const [, yaml = ""] = /```yaml\n(namespaces:.*?)```/s.exec(page) ?? [];
  expect([...parsePolicy("policy.yaml", yaml, known).keys()]).toEqual(["shop", "cert-manager", "*"]);
});
