import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/core/errors.ts";
import { loadProvider, providerIds } from "../../../src/providers.ts";
import type { ChallengeRequest } from "../../../src/webhook/challenge.ts";
import { completeConfig, readIssuerConfig } from "../../../src/webhook/solve/config.ts";
import { parseAllowedEndpoints } from "../../../src/webhook/solve/endpoints.ts";
import { failureOf } from "../../../src/webhook/solve/message.ts";
import { readQuestion } from "../../../src/webhook/solve/question.ts";

const none = { allowed: [] };
const ref = (key: string) => ({ name: "credentials", key });

async function faults(id: string, config: unknown, rules: Parameters<typeof readIssuerConfig>[2] = none) {
  const provider = await loadProvider(id);
  try {
    readIssuerConfig(provider, config, rules);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues.map(({ path, message }) => `${path} ${message}`);
  }
}

describe("what works elsewhere works here", () => {
  const shapes: readonly (readonly [string, object])[] = [
    ["dnspod", { secretIdRef: ref("id"), secretKeyRef: ref("key"), ttl: 600, recordLine: "" }],
    ["dnspod", { secretIdSecretRef: ref("id"), secretKeySecretRef: ref("key") }],
    ["dnspod", { loginTokenSecretRef: ref("token"), propagation: "gate" }],
    // cert-manager's own solvers.
    ["route53", { region: "eu-central-1", accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKeySecretRef: ref("s") }],
    [
      "route53",
      {
        accessKeyIDSecretRef: ref("id"),
        secretAccessKeySecretRef: ref("s"),
        hostedZoneID: "Z0123456789ABCDEFGHIJ",
        role: "arn:aws:iam::123456789012:role/dns01",
      },
    ],
    ["cloudflare", { email: "ops@example.com", apiTokenSecretRef: ref("token") }],
    ["cloudflare", { email: "ops@example.com", apiKeySecretRef: ref("key") }],
    [
      "rfc2136",
      {
        nameserver: "192.0.2.1:53",
        tsigKeyName: "cert-manager",
        tsigAlgorithm: "HMACSHA512",
        tsigSecretSecretRef: ref("tsig"),
        protocol: "TCP",
      },
    ],
    ["hetzner", { apiTokenSecretRef: ref("token"), ttl: 120 }],
  ];
  test.each(shapes)("%s %j", async (id, config) => {
    expect(await faults(id, config)).toEqual([]);
  });

  test("acme-dns and powerdns, with their host allowed", async () => {
    const rules = { allowed: parseAllowedEndpoints(["auth.acme-dns.example", "http://pdns.example:8081"]) };
    const acmeDns = { host: "https://auth.acme-dns.example", accountSecretRef: ref("account") };
    expect(await faults("acme-dns", acmeDns, rules)).toEqual([]);
    expect(
      await faults("powerdns", { apiUrl: "http://pdns.example:8081", apiKeySecretRef: ref("key") }, rules),
    ).toEqual([]);
  });
});

test("what the Issuer may say about the webhook itself", async () => {
  const provider = await loadProvider("hetzner");
  const read = (config: object) => readIssuerConfig(provider, { apiTokenSecretRef: ref("t"), ...config }, none);
  expect(read({})).toMatchObject({ gate: undefined, ttlSeconds: undefined });
  expect(read({ propagation: "gate", ttl: 300 })).toMatchObject({ gate: true, ttlSeconds: 300 });
  expect(read({ propagation: "none" })).toMatchObject({ gate: false });
  expect(read({ propagation: null, ttl: null })).toMatchObject({ gate: undefined, ttlSeconds: undefined });
  expect(await faults("hetzner", { apiTokenSecretRef: ref("t"), propagation: "wait", ttl: "5m" })).toEqual([
    "config.propagation has to be gate (wait for the nameservers) or none",
    "config.ttl has to be a whole number of seconds, at least 1 (without a unit)",
  ]);
});

test("a ttl of 0 is for services that take it, as at the command line", async () => {
  const rfc2136 = await loadProvider("rfc2136");
  expect(readIssuerConfig(rfc2136, { nameserver: "ns.example.com", ttl: 0 }, none).ttlSeconds).toBe(0);
  expect(await faults("hetzner", { apiTokenSecretRef: ref("t"), ttl: 0 })).toEqual([
    "config.ttl has to be a whole number of seconds, at least 1 (without a unit)",
  ]);
});

test("every fault at once, each with its path and the nearest name", async () => {
  expect(
    await faults("dnspod", {
      secretIdReff: ref("id"),
      secretKeySecretRef: { name: "credentials" },
      recordLine: 7,
      loginToken: "13490,6b5976c68aba5b14a0558b77c17c3932",
      tll: 600,
    }),
  ).toEqual([
    "config.loginToken is a secret, and an Issuer is read by many: put it into a Secret and refer to it as loginTokenSecretRef: { name, key }",
    "config.recordLine invalid input: expected string, received number",
    "config.secretIdReff is not a field of this provider; did you mean secretIdRef?",
    "config.secretKeySecretRef has to be { name, key }: the name of a Secret and one of its keys",
    "config.secretKeySecretRef is given together with loginToken: give one of the two ways to sign in",
    "config.tll is not a field of this provider; did you mean ttl?",
  ]);
  expect(await faults("hetzner", {})).toEqual([
    "config.apiTokenSecretRef is missing (API token (Read & Write) of the Hetzner Cloud project that holds the zones); a reference { name, key } into a Secret",
  ]);
});

test("a missing config is an empty one; a list or a text is told", async () => {
  for (const config of [undefined, null, {}]) expect(await faults("hetzner", config)).toHaveLength(1);
  expect(await faults("hetzner", [])).toEqual(["config is a list; it has to be an object with the provider's fields"]);
  expect(await faults("hetzner", "x")).toEqual([
    "config is a string; it has to be an object with the provider's fields",
  ]);
  for (const odd of ["__proto__", "constructor", "toString", ""]) {
    const [fault] = await faults("hetzner", JSON.parse(`{"apiTokenRef":{"name":"a","key":"b"},"${odd}":1}`));
    expect(fault).toMatch(/is not a field of this provider/);
  }
});

test("literal secrets are refused for every provider, and the text never has them", async () => {
  for (const id of providerIds()) {
    const provider = await loadProvider(id);
    const { fieldsOf } = await import("../../../src/core/fields.ts");
    for (const field of fieldsOf(provider).filter(({ secret }) => secret)) {
      for (const key of [field.name, ...field.aliases]) {
        const found = await faults(id, { [key]: "hunter2hunter2" });
        expect(found.join("\n"), `${id} ${key}`).toMatch(new RegExp(`config\\.${key} is a secret`));
        expect(found.join("\n")).not.toContain("hunter2");
      }
    }
  }
});

test("scenario 14: another namespace, another address, the environment or a file of the machine", async () => {
  const token = ref("token");
  expect(await faults("hetzner", { apiTokenSecretRef: { ...token, namespace: "kube-system" } })).toEqual([
    "config.apiTokenSecretRef may not name a namespace: an Issuer's Secrets are read from its own, a ClusterIssuer's from cert-manager's",
  ]);
  for (const name of ["../kube-system/x", "A", "a/b", "a..b", "x".repeat(254)])
    expect((await faults("hetzner", { apiTokenSecretRef: { name, key: "k" } }))[0]).toMatch(/cannot be the name/);
  for (const key of ["a/b", "..", "k\n"])
    expect((await faults("hetzner", { apiTokenSecretRef: { name: "a", key } }))[0]).toMatch(/cannot be a key/);
  expect(await faults("hetzner", { apiTokenRef: token, endpoint: { env: "AWS_SECRET_ACCESS_KEY" } })).toEqual([
    "config.endpoint has to be a plain value",
  ]);
  const local = "names something of the machine that dns01 runs on, which an Issuer may not choose";
  expect(await faults("route53", { profile: "admin" })).toContain(`config.profile ${local}`);
  expect(await faults("rfc2136", { nameserver: "ns.example", tsigFile: "/etc/passwd" })).toEqual([
    `config.tsigFile ${local}`,
  ]);
  expect(await faults("dnspod", { webIdentityTokenFile: "/var/run/secrets/token" })).toContain(
    `config.webIdentityTokenFile ${local}`,
  );
  expect(await faults("acme-dns", { endpoint: "https://a.example", storagePath: "/etc/shadow" })).toContain(
    `config.storagePath ${local}`,
  );
});

describe("endpoints", () => {
  const with_ = (endpoint: unknown) => ({ apiTokenSecretRef: ref("t"), endpoint });
  const refused =
    /^config\.endpoint credentials may not be sent to ([^ ]+:\d+): the operator of dns01 has to allow it with --allowed-endpoint \1$/;

  test("the service's own is allowed, by TLS at its usual port", async () => {
    for (const url of ["https://api.hetzner.cloud/v1", "https://API.Hetzner.cloud/", "https://api.hetzner.cloud./v1"])
      expect(await faults("hetzner", with_(url)), url).toEqual([]);
    const intl = { secretIdRef: ref("a"), secretKeyRef: ref("b"), endpoint: "https://dnspod.intl.tencentcloudapi.com" };
    expect(await faults("dnspod", intl)).toEqual([]);
    for (const url of [
      "http://api.hetzner.cloud/v1",
      "https://api.hetzner.cloud:8443/v1",
      "https://api.hetzner.cloud.evil.example/v1",
      "https://evil.example/api.hetzner.cloud",
      "https://evil.example#api.hetzner.cloud",
      "https://169.254.169.254/",
      "https://[::1]/",
      "https://0x7f000001/",
    ])
      expect((await faults("hetzner", with_(url)))[0], url).toMatch(refused);
    expect((await faults("hetzner", with_("https://api.hetzner.cloud@evil.example/")))[0]).toMatch(/has a login in it/);
    expect(await faults("hetzner", with_("file:///etc/passwd"))).toEqual([
      "config.endpoint is no http:// or https:// URL",
    ]);
  });

  test("an address is named as the flag takes it, and stays so in the answer", async () => {
    const [fault = ""] = await faults("hetzner", with_("https://[2001:DB8:0::1]:8443/"));
    expect(fault).toContain("may not be sent to [2001:db8::1]:8443:");
    const error = new ConfigError([{ path: "config.endpoint", message: fault.replace("config.endpoint ", "") }]);
    expect(failureOf(error, { provider: "hetzner" }).message).toBe(`hetzner: ${fault}`);
  });

  test("every provider's endpoint fields are refused elsewhere and allowed by the operator", async () => {
    const { fieldsOf } = await import("../../../src/core/fields.ts");
    for (const id of providerIds()) {
      const fields = fieldsOf(await loadProvider(id)).filter(({ endpoint }) => endpoint?.kind === "url");
      for (const key of fields.flatMap((f) => [f.name, ...f.aliases])) {
        const all = (await faults(id, { [key]: "https://evil.example/x" })).join("\n");
        expect(all, `${id} ${key}`).toMatch(
          new RegExp(`config\\.${key} credentials may not be sent to evil.example:443:`),
        );
        const rules = { allowed: parseAllowedEndpoints(["evil.example:443"]) };
        expect((await faults(id, { [key]: "https://evil.example/x" }, rules)).join("\n")).not.toMatch(
          /may not be sent/,
        );
        expect((await faults(id, { [key]: "https://evil.example:1/x" }, rules)).join("\n")).toMatch(/may not be sent/);
      }
    }
  });

  test("a nameserver may be named, unless that is switched off", async () => {
    const config = { nameserver: "ns.evil.example:5353" };
    expect(await faults("rfc2136", config)).toEqual([]);
    const off = { allowed: parseAllowedEndpoints(["192.0.2.1", "[2001:db8::1]:53"]), anyNameserver: false };
    expect(await faults("rfc2136", config, off)).toEqual([
      "config.nameserver credentials may not be sent to ns.evil.example:5353: the operator of dns01 has to allow it with --allowed-endpoint ns.evil.example:5353",
    ]);
    expect(await faults("rfc2136", { nameserver: "192.0.2.1:5353" }, off)).toEqual([]);
    expect(await faults("rfc2136", { nameserver: "[2001:db8:0::1]:53" }, off)).toEqual([]);
  });

  test("what is allowed is given as hosts", () => {
    expect(() => parseAllowedEndpoints(["ftp://a.example", "a b", "a.example:0", "https://a/b"])).toThrow(/4 faults/);
    expect(parseAllowedEndpoints(["A.Example.:8081"])).toEqual([{ protocol: "https:", host: "a.example", port: 8081 }]);
  });

  test.each([
    ["pdns.example", ["https://pdns.example", "https://pdns.example:443/x"]],
    ["pdns.example:443", ["https://pdns.example/"]],
    ["https://pdns.example", ["https://pdns.example/"]],
    ["pdns.example:8443", ["https://pdns.example:8443/"]],
    ["HTTPS://PDNS.example:8443/", ["https://pdns.example:8443/"]],
    ["http://pdns.example:8081", ["http://pdns.example:8081/api"]],
    ["http://pdns.example", ["http://pdns.example/"]],
  ])("%s allows this scheme and port alone", async (allowed, urls) => {
    const rules = { allowed: parseAllowedEndpoints([allowed]) };
    for (const scheme of ["http", "https"]) {
      for (const port of ["", ":80", ":443", ":8081", ":8443"]) {
        const url = `${scheme}://pdns.example${port}/`;
        const isAllowed = urls.some((one) => new URL(one).origin === new URL(url).origin);
        const [fault] = await faults("hetzner", with_(url), rules);
        if (isAllowed) expect(fault, url).toBeUndefined();
        else expect(fault, url).toMatch(refused);
      }
    }
    for (const url of urls) expect(await faults("hetzner", with_(url), rules), url).toEqual([]);
  });
});

test("what only a Secret's content shows is told at its reference, without the content", async () => {
  const provider = await loadProvider("dnspod");
  const issuer = readIssuerConfig(provider, { loginTokenRef: ref("token") }, none);
  expect(() => completeConfig(provider, issuer, { loginToken: "AKIDnotatoken" })).toThrow(
    "config.loginTokenRef (key token of Secret credentials): is a SecretId of Tencent Cloud: give secretId and secretKey instead",
  );
  const acmeDns = await loadProvider("acme-dns");
  const rules = { allowed: parseAllowedEndpoints(["a.example"]) };
  const account = readIssuerConfig(acmeDns, { host: "https://a.example", accountSecretRef: ref("account") }, rules);
  const content = 'sesame {"password": "sesame"';
  expect(() => completeConfig(acmeDns, account, { accounts: content })).toThrow(/no JSON/);
  expect(() => completeConfig(acmeDns, account, { accounts: content })).not.toThrow(/sesame/);
});

test("the order of keys changes nothing, and nothing that is JSON escapes as another error", async () => {
  const provider = await loadProvider("dnspod");
  const keys = fc.constantFrom(
    "secretId",
    "secretIdRef",
    "secretKeySecretRef",
    "ttl",
    "endpoint",
    "propagation",
    "recordLine",
  );
  const config = fc.dictionary(fc.oneof(keys, fc.string({ maxLength: 8 })), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 8,
  });
  const text = (given: unknown) => {
    try {
      return JSON.stringify(readIssuerConfig(provider, given, none).values);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.message;
    }
  };
  for (const seed of [1, Date.now()]) {
    fc.assert(
      fc.property(config, (given) => {
        const reversed = Object.fromEntries(Object.entries(given).toReversed());
        expect(text(reversed)).toBe(text(given));
      }),
      { seed, numRuns: 200 },
    );
  }
});

describe("a configuration that is far too large", () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 1]));
  const shapes: readonly (readonly [string, object, string])[] = [
    ["keys", many, "config has 100000 keys; no provider has that many fields"],
    ["a long value", { nameserver: "a.".repeat(100_000) }, "config is longer than 65536 characters"],
    ["a long key", { ["n".repeat(100_000)]: 1 }, "config is longer than 65536 characters"],
    ["a reference with many keys", { tsigSecretSecretRef: many }, "config is longer than 65536 characters"],
    [
      "a long list",
      { nameserver: Array.from({ length: 100_000 }, () => []) },
      "config is longer than 65536 characters",
    ],
    [
      "lists in lists",
      { nameserver: JSON.parse(`${"[".repeat(2_000)}${"]".repeat(2_000)}`) as unknown },
      "config is longer than 65536 characters",
    ],
  ];
  test.each(shapes)("%s: one fault, by the webhook and by validate", async (_, config, fault) => {
    expect(await faults("rfc2136", config)).toEqual([fault]);
    const request: ChallengeRequest = {
      ...{
        action: "Present",
        type: "dns-01",
        dnsName: "example.com",
        key: "value",
        uid: "",
        resourceNamespace: "shop",
      },
      ...{ resolvedFQDN: "_acme-challenge.example.com.", resolvedZone: "example.com.", allowAmbientCredentials: false },
      config: {},
    };
    const ask = (more: object) => () => readQuestion("rfc2136", { ...request, ...more }, () => false);
    expect(ask({ config })).toThrow(fault.replace(/^config /, "config: "));
    expect(ask({ resolvedFQDN: "a.".repeat(1_000_000) })).toThrow("resolvedFQDN: is longer than 253 octets");
    expect(ask({ dnsName: "a.".repeat(1_000_000), resolvedZone: "b.".repeat(1_000_000) })()).toMatchObject({
      owner: "_acme-challenge.example.com",
      zoneCut: undefined,
    });
  });
});
