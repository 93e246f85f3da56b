import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readPlan, requestOf } from "../../src/config/plan.ts";
import { routeOf } from "../../src/config/solvers.ts";
import { parseName } from "../../src/core/name.ts";
import { createRouter } from "../../src/issuer/router.ts";
import { openWorld, told, type World } from "./world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const { dir } of opened.splice(0)) await rm(dir, { recursive: true, force: true });
});
async function read(...given: Parameters<typeof openWorld>) {
  const world = await openWorld(...given);
  opened.push(world);
  const plan = await readPlan(world);
  return { world, plan, faults: told(world, plan.issues) };
}
const anyName = "solvers: [{ provider: memory }]\n";

describe("a sound file", () => {
  const text = `acme:
  ca: letsencrypt
  email: ops@example.com
  profile: tlsserver
  profileRequired: true
  preferredChain: Some Root
  keyType: ec384
  fallback:
    - { ca: zerossl, eab: { kid: k, hmacKey: { file: hmac } }, profile: other }
    - { ca: "https://ca.example/dir", email: other@example.com, keyType: rsa2048 }
credentials:
  shared: { provider: rfc2136, config: { nameserver: 192.0.2.1, tsigKeyName: k, tsigSecret: { env: SHARED } } }
solvers:
  - { zones: [example.com], credentials: shared, ttl: 90 }
  - { zones: [sub.example.com], credentials: shared, config: { nameserver: 192.0.2.2 } }
  - provider: memory
dns: { resolvers: [192.0.2.53], propagationTimeout: 90s }
certificates:
  - domains: [example.com, "*.example.com"]
    deploy: { command: reload }
  - name: rsa
    domains: [EXAMPLE.com, "*.example.com"]
    keyType: rsa2048
    profile: mine
    out: { dir: tls, owner: root, mode: "0640" }
    pfx: { password: { file: hmac }, legacy: true }
    deploy: { command: reload, timeout: 90s }
  - { domains: [b\u00fccher.example], ca: zerossl, out: /srv/tls }
run: { listen: ":9402", parallel: 7 }
`;
  const files = { hmac: { text: "c2VjcmV0LXNlY3JldA\n" } };

  test("becomes certificates with their CAs, key types and deployment", async () => {
    const { world, plan, faults } = await read(text, { env: { SHARED: "c2VjcmV0" }, files });
    expect(faults).toEqual([]);
    const { certificates, dns, run, cas } = plan.complete();
    expect(certificates.map((c) => [c.name, c.keyType, c.cas.map(({ ca }) => ca.id ?? ca.directoryUrl)])).toEqual([
      ["example.com", "ec384", ["letsencrypt", "zerossl", "https://ca.example/dir"]],
      ["rsa", "rsa2048", ["letsencrypt", "zerossl", "https://ca.example/dir"]],
      ["xn--bcher-kva.example", "ec384", ["zerossl"]],
    ]);
    const [plain, rsa, named] = certificates;
    expect(plain?.cas[0]).toMatchObject({
      profile: "tlsserver",
      profileRequired: true,
      preferredChain: "Some Root",
      contact: ["mailto:ops@example.com"],
      eab: undefined,
    });
    expect(plain?.cas[1]).toMatchObject({
      profile: "other",
      profileRequired: false,
      preferredChain: undefined,
      contact: ["mailto:ops@example.com"],
      eab: { kid: "k", hmacKey: "c2VjcmV0LXNlY3JldA" },
    });
    expect(cas[2]).toMatchObject({ contact: ["mailto:other@example.com"], keyType: "rsa2048" });
    expect(plain?.deployment).toEqual({
      out: undefined,
      pfx: undefined,
      hook: { command: "reload", timeoutMs: 300_000 },
    });
    expect(rsa?.cas.map((c) => c.profile)).toEqual(["mine", "other", undefined]);
    expect(rsa?.deployment).toEqual({
      out: { dir: join(world.dir, "tls"), owner: "root", group: undefined, mode: 0o640 },
      pfx: { password: "c2VjcmV0LXNlY3JldA", legacy: true },
      hook: { command: "reload", timeoutMs: 90_000 },
    });
    expect(named?.cas[0]?.eab?.kid).toBe("k");
    expect(named?.deployment.out).toMatchObject({ dir: "/srv/tls", mode: 0o600 });
    expect(dns).toMatchObject({ mode: "resolver", propagation: { mode: "authoritative", timeoutMs: 90_000 } });
    expect(run).toEqual({ listen: { address: undefined, port: 9402 }, parallel: 7 });
  });

  test("becomes orders: directory by key type, staging for a trial, the CA that was chosen", async () => {
    const { plan } = await read(text.replace("ca: letsencrypt", "ca: sslcom"), { env: { SHARED: "c2VjcmV0" }, files });
    const complete = plan.complete();
    const [plain, rsa] = complete.certificates;
    if (plain === undefined || rsa === undefined) throw new Error("certificates are missing");
    expect(requestOf(complete, plain).ca.directoryUrl).toBe("https://acme.ssl.com/sslcom-dv-ecc");
    expect(requestOf(complete, rsa).ca.directoryUrl).toBe("https://acme.ssl.com/sslcom-dv-rsa");
    const [, zerossl] = rsa.cas;
    if (zerossl === undefined) throw new Error("the fallback is missing");
    expect(requestOf(complete, rsa, { ca: zerossl, force: true })).toMatchObject({
      name: "rsa",
      force: true,
      dryRun: false,
      profile: "other",
      provider: "rfc2136,memory",
      ca: { directoryUrl: "https://acme.zerossl.com/v2/DV90", eab: { kid: "k" } },
    });
    const [, , rsaOnly] = plain.cas;
    if (rsaOnly === undefined) throw new Error("the last fallback is missing");
    expect([requestOf(complete, plain).keyType, requestOf(complete, plain, { ca: rsaOnly }).keyType]).toEqual([
      "ec384",
      "rsa2048",
    ]);
    const { plan: other } = await read(text, { env: { SHARED: "c2VjcmV0" }, files });
    const le = other.complete();
    expect(
      requestOf(le, plain, { dryRun: true, ca: le.caOf("https://acme-v02.api.letsencrypt.org/directory") }),
    ).toMatchObject({ dryRun: true, ca: { directoryUrl: "https://acme-staging-v02.api.letsencrypt.org/directory" } });
    expect(complete.caOf("https://acme.ssl.com/sslcom-dv-rsa").ca.id).toBe("sslcom");
    expect(complete.caOf("https://elsewhere.example/dir").contact).toEqual(["mailto:ops@example.com"]);
  });

  test("credentials are shared, a solver's own words win, and the longest zone is taken", async () => {
    const { world, plan } = await read(text, { env: { SHARED: "c2VjcmV0" }, files });
    const { routes } = plan.complete();
    expect(routes.map((r) => [r.zones, r.config.config["nameserver"], r.config.ttlSeconds])).toEqual([
      [["example.com"], "192.0.2.1", 90],
      [["sub.example.com"], "192.0.2.2", undefined],
      [[], undefined, undefined],
    ]);
    const { signal } = new AbortController();
    const router = createRouter(routes.map((r) => routeOf(r, world.observer, world.redactor, signal)));
    expect((await router.solverFor(parseName("_acme-challenge.a.sub.example.com"))).provider).toBe("rfc2136");
    expect((await router.solverFor(parseName("_acme-challenge.other.example"))).provider).toBe("memory");
  });

  test("a flag that names a CA takes that CA's own words, and leads to no other", async () => {
    const env = { SHARED: "c2VjcmV0" };
    const { plan } = await read(text, { env, files, args: ["--ca", "zerossl", "--email", "flag@example.com"] });
    const { cas } = plan.complete();
    expect(cas).toHaveLength(1);
    expect(cas[0]).toMatchObject({
      ca: { id: "zerossl" },
      eab: { kid: "k" },
      profile: "other",
      contact: ["mailto:flag@example.com"],
    });
    const { plan: foreign } = await read(text, { env: { ...env, DNS01_CA: "google" }, files });
    expect(foreign.complete().cas).toMatchObject([
      { ca: { id: "google" }, eab: undefined, profile: undefined, contact: ["mailto:ops@example.com"] },
    ]);
  });
});

describe("faults", () => {
  test("of schema, providers, names, CAs and secrets are told together, in order of their lines", async () => {
    const { world, faults } = await read(
      `acme: { ca: letsencrpt, email: nobody, eab: { kid: a, hmacKey: literal-literal } }
credentials:
  spare: { provider: rfc2136, config: { nameservr: x } }
solvers:
  - zones: [example.com, "*.example.org", "exa mple"]
    provider: rfc2136
    config:
      nameserver: 192.0.2.1
      tsigKeyName: k
      tsigSecret: { fil: x }
  - { zones: [EXAMPLE.com.], credentials: spar }
  - { zones: [example.net], provider: rfc2136x }
  - { zones: [example.de], provider: rfc2136, config: { nameserver: { env: UNSET } } }
  - { zones: [example.fr] }
  - { zones: [example.nl], provider: rfc2136, ttl: 60, config: { nameserver: x.example, ttl: 60 } }
certificates:
  - domains: example.com
  - domains: [www.example.com, "*.example.com", "not a name"]
  - { name: " x ", domains: [b.example.com], csr: nofile, ca: zerosl, reuseKey: true }
run: { listen: localhost }
dns: { resolvers: [nonsense] }
`,
    );
    expect(faults.map((f) => f.replace(/ \(known are .*/, ""))).toEqual([
      '1 acme.ca: "letsencrpt" is no CA; did you mean "letsencrypt"?',
      '1 acme.email: "nobody" is no mail address',
      "1 acme.eab.hmacKey: is a secret and has to be { env: NAME } or { file: PATH }",
      "3 credentials.spare.config.nameservr: is not a field of this provider; did you mean nameserver?",
      expect.stringMatching(/^3 credentials\.spare\.config\.nameserver: is missing/),
      '5 solvers[0].zones[1]: "*.example.org" has a wildcard; a zone is named without it',
      '5 solvers[0].zones[2]: "exa mple" is not a domain name: it has white space inside or around it',
      "10 solvers[0].config.tsigSecret.fil: unknown key fil; did you mean file?",
      '11 solvers[1].credentials: there are no credentials "spar"; did you mean "spare"?',
      '11 solvers[1].zones[0]: the zone "EXAMPLE.com." has a solver already, at 5 solvers[0].zones[0]',
      '12 solvers[2].provider: there is no provider "rfc2136x"; did you mean rfc2136?',
      "13 solvers[3].config.nameserver: the environment variable UNSET is not set",
      "14 solvers[4].provider: is missing: name a provider, or credentials",
      "15 solvers[5].ttl: means the same as config.ttl: give one of them",
      '17 certificates[0].domains: has to be a list, and is text: write ["example.com"]',
      '18 certificates[1].domains[2]: "not a name" is not a domain name: it has white space inside or around it',
      expect.stringMatching(/^18 certificates\[1\]\.domains: "www\.example\.com" is redundant/),
      `19 certificates[2].csr: cannot read ${join(world.dir, "nofile")}: no such file or folder`,
      "19 certificates[2].name: has control characters, or white space around it",
      expect.stringMatching(/^19 certificates\[2\]\.reuseKey: is the request's/),
      '19 certificates[2].ca: "zerosl" is no CA; did you mean "zerossl"?',
      expect.stringMatching(/^20 run\.listen: "localhost" is no address to listen on/),
      expect.stringMatching(/^21 dns\.resolvers: "nonsense" is no address/),
    ]);
  });

  test("certificates of one name, of the same names, and without a solver", async () => {
    const { faults } = await read(`solvers: [{ zones: [example.com], provider: memory }]
certificates:
  - domains: [example.com, a.example.com]
  - domains: [a.example.com, example.com]
  - { name: example.com, domains: [b.example.com] }
  - { name: rsa, domains: [example.com, a.example.com], keyType: rsa2048 }
  - { name: elsewhere, domains: [example.com, a.example.com], ca: zerossl }
  - domains: [notexample.com]
`);
    expect(faults).toEqual([
      "4 certificates[1]: is for the same names as 3 certificates[0], with the same key type from the same CA; keep one",
      '5 certificates[2]: the name "example.com" is taken by 3 certificates[0]; give one of them another name',
      expect.stringMatching(/^8 certificates\[5\]: no solver is for notexample\.com/),
    ]);
  });

  test("of one kind do not hide those of another: beside a broken solver, and in a broken entry", async () => {
    const { faults } = await read(`acme: { ca: letsencrypt }
solvers:
  - { zones: [example.com], provider: rfc2136, config: { nameserver: "192.0.2.1:99999", tsigKeyName: k, tsigSecret: { file: none } } }
certificates:
  - { domains: [a.example.com, example.org], pfx: { password: { file: none } } }
  - { domains: [example.org, a.example.com], out: { dir: tls, owner: nobody-of-this-name } }
  - { name: a.example.com, domains: [b.example.com], deploy: { timeout: x } }
  - { name: hurried, domains: [c.example.com], deploy: { command: reload, timeout: 0s } }
  - { domains: [example.org, a.example.com], keyType: dsa, name: dsa }
  - { domains: [example.org, a.example.com], ca: buypass, name: other }
  - { domains: ["no name", a.example.com] }
  - { name: 7, domains: [a.example.com] }
`);
    expect(faults).toEqual([
      expect.stringMatching(/^3 solvers\[0\]\.config\.tsigSecret: cannot read /),
      '3 solvers[0].config.nameserver: "192.0.2.1:99999" is no host name or address with an optional port',
      expect.stringMatching(/^5 certificates\[0\]\.pfx\.password: cannot read /),
      expect.stringMatching(/^5 certificates\[0\]: no solver is for example\.org/),
      expect.stringMatching(/^6 certificates\[1\]\.out\.owner: /),
      expect.stringMatching(/^6 certificates\[1\]: is for the same names as 5 certificates\[0\], /),
      expect.stringMatching(/^6 certificates\[1\]: no solver is for example\.org/),
      expect.stringMatching(/^7 certificates\[2\]\.deploy\.command: is missing/),
      expect.stringMatching(/^7 certificates\[2\]\.deploy\.timeout: /),
      '7 certificates[2]: the name "a.example.com" is taken by 5 certificates[0]; give one of them another name',
      "8 certificates[3].deploy.timeout: leaves the hook no time",
      expect.stringMatching(/^9 certificates\[4\]\.keyType: /),
      expect.stringMatching(/^9 certificates\[4\]: no solver is for example\.org/),
      expect.stringMatching(/^10 certificates\[5\]\.ca: /),
      expect.stringMatching(/^10 certificates\[5\]: no solver is for example\.org/),
      expect.stringMatching(/^11 certificates\[6\]\.domains\[0\]: /),
      expect.stringMatching(/^12 certificates\[7\]\.name: /),
    ]);
  });

  test("a contact is an address, and no URL of one", async () => {
    const { faults } = await read("acme: { email: 'mailto:ops@example.com' }\n");
    expect(faults).toEqual(['1 acme.email: "mailto:ops@example.com" is no mail address: write it without mailto:']);
  });

  test("users and groups that this machine does not know; numbers need no name", async () => {
    const { faults } = await read(`solvers: [{ provider: memory }]
certificates:
  - { domains: [a.example], out: { dir: tls, owner: root, group: "12345" } }
  - { domains: [b.example], out: { dir: tls, owner: nobody-of-this-name, group: no-group-of-this-name } }
  - { domains: [c.example], out: { dir: tls, owner: "root:root" } }
  - { domains: [d.example], out: { dir: tls, owner: "-u" } }
`);
    expect(faults).toEqual([
      '4 certificates[1].out.owner: there is no user "nobody-of-this-name" on this machine',
      '4 certificates[1].out.group: there is no group "no-group-of-this-name" on this machine',
      '5 certificates[2].out.owner: there is no user "root:root" on this machine; a group is given by itself',
      '6 certificates[3].out.owner: there is no user "-u" on this machine',
    ]);
  });

  test("certificates that share names are sound, and each is told once, with the lines of both", async () => {
    const { plan, faults } = await read(`solvers: [{ provider: memory }]
certificates:
  - { name: a, domains: [a.example, b.example, c.example, d.example, f.example] }
  - { name: part, domains: [d.example, b.example] }
  - { name: whole, domains: [a.example, b.example, c.example, d.example, f.example, e.example] }
  - { name: some, domains: [b.example, x.example] }
  - { name: many, domains: [a.example, b.example, c.example, d.example, y.example] }
  - { name: rsa, domains: [y.example], keyType: rsa2048 }
  - { name: both, domains: [z.example] }
  - { name: twin, domains: [z.example], keyType: rsa2048 }
  - { name: apart, domains: [www.z.example] }
`);
    expect(faults).toEqual([]);
    const prefix = new RegExp(`${plan.complete().file}:`, "g");
    expect(plan.complete().overlaps.map((line) => line.replaceAll(prefix, ""))).toEqual([
      "4 certificates[1]: all of its names are in 3 certificates[0], too; is it needed?",
      "5 certificates[2]: has all the names of 3 certificates[0], and more; is that one still needed?",
      "6 certificates[3]: b.example is in 3 certificates[0], too",
      "7 certificates[4]: a.example, b.example, c.example and 1 more are in 3 certificates[0], too",
      "8 certificates[5]: all of its names are in 7 certificates[4], too; is it needed?",
    ]);
  });

  test("two solvers for every name, and the same CA twice", async () => {
    const { faults } = await read(
      "acme: { fallback: [{ ca: zerossl }, { ca: ZeroSSL }] }\nsolvers:\n  - provider: memory\n  - provider: memory\n",
    );
    expect(faults).toEqual([
      "1 acme.fallback[1].ca: zerossl is named already; name each CA once",
      "4 solvers[1]: has no zones and so is for every name, as 3 solvers[0] is: give one of them zones",
    ]);
  });

  test("a file that is no YAML says only that", async () => {
    const { faults } = await read("solvers: [\n");
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault).toMatch(/is no YAML/);
  });

  test("secrets do not get into messages", async () => {
    const { faults } = await read(
      `solvers: [{ provider: rfc2136, config: { nameserver: x.example, tsigKeyName: k, tsigSecret: "cGxhbnRlZC1zZWNyZXQ=" } }]
certificates: [{ domains: [example.com], pfx: { password: planted-password } }]
`,
    );
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toMatch(/planted|cGxhbnRlZ/);
  });
});

describe("a provider's environment", () => {
  const two = `solvers:
  - { zones: [a.example], provider: rfc2136, config: { nameserver: 192.0.2.1 } }
  - { zones: [b.example], provider: rfc2136, config: { nameserver: 192.0.2.2, tsigAlgorithm: hmac-sha1 } }
`;

  test("fills what a solver leaves out, and does not put all of them on one server", async () => {
    const env = {
      RFC2136_NAMESERVER: "192.0.2.99",
      RFC2136_TSIG_KEY: "k",
      RFC2136_TSIG_SECRET: "c2VjcmV0LXNlY3JldA==",
      RFC2136_TSIG_ALGORITHM: "hmac-sha512",
    };
    const { world, plan, faults } = await read(two, { env });
    expect(faults).toEqual([]);
    const configs = plan.complete().routes.map((r) => r.config.config);
    expect(configs.map((c) => [c["nameserver"], c["tsigKeyName"], c["tsigAlgorithm"]])).toEqual([
      ["192.0.2.1", "k", "hmac-sha512"],
      ["192.0.2.2", "k", "hmac-sha1"],
    ]);
    const logs = world.events.flatMap((e) => (e.type === "log" ? [`${e.level}: ${e.text}`] : []));
    expect(logs).toContainEqual(
      expect.stringMatching(/^debug: RFC2136_NAMESERVER is set, but .*:2 solvers\[0\]\.config\.nameserver counts$/),
    );
    expect(logs).toHaveLength(3);
  });

  test("is left out where it contradicts a solver that is whole by itself", async () => {
    const text = "solvers: [{ provider: dnspod, config: { secretId: { env: ID }, secretKey: { env: KEY } } }]\n";
    const env = { ID: "AKIDxxxxxxxxxxxxxxxxxxxxxxxx", KEY: "a-key-of-32-characters-012345678", DNSPOD_API_KEY: "1,a" };
    const { plan, faults } = await read(text, { env });
    expect(faults).toEqual([]);
    expect(plan.complete().routes[0]?.config.config).not.toHaveProperty("loginToken");
  });
});

test("files of secrets: from the file's own folder, missing ones are faults, open ones warnings", async () => {
  const { world, plan, faults } = await read(
    `acme: { ca: zerossl, eab: { kid: k, hmacKey: { file: open } } }\n${anyName}certificates: [{ domains: [example.com], pfx: { password: { file: none } } }]\n`,
    { files: { open: { text: "c2VjcmV0LXNlY3JldA", mode: 0o644 } } },
  );
  expect(faults).toEqual([
    expect.stringMatching(/^3 certificates\[0\]\.pfx\.password: cannot read .*none: no such file or folder$/),
  ]);
  expect(plan.issues).toHaveLength(1);
  expect(world.events.map((e) => (e.type === "warning" ? e.code : e.type))).toEqual(["W_FILE_MODE"]);
  expect(world.redactor.redact("c2VjcmV0LXNlY3JldA")).toBe("***");
});

test("an external account binding of no use is told at the places that it came from", async () => {
  const env = { DNS01_EAB_KID: " ", DNS01_EAB_HMAC_KEY: "no base64!" };
  const { faults } = await read(anyName, { env });
  expect(faults).toEqual([
    "DNS01_EAB_KID: is empty",
    "DNS01_EAB_HMAC_KEY: is neither base64url nor base64: copy it whole from the CA's page",
  ]);
});

test("the file of an external account binding is warned of, too, whether a flag or a variable names it", async () => {
  for (const way of ["flag", "variable"] as const) {
    const dir = await mkdtemp(join(tmpdir(), "dns01-eab-"));
    const file = join(dir, "hmac");
    await writeFile(file, "c2VjcmV0LXNlY3JldA\n");
    await chmod(file, 0o644);
    const args = ["--eab-kid", "k", ...(way === "flag" ? ["--eab-hmac-key", file] : [])];
    const env = way === "flag" ? {} : { DNS01_EAB_HMAC_KEY_FILE: file };
    const { world, plan, faults } = await read(anyName, { args, env });
    expect(faults).toEqual([]);
    expect(plan.complete().cas[0]?.eab).toEqual({ kid: "k", hmacKey: "c2VjcmV0LXNlY3JldA" });
    expect(world.events).toEqual([{ type: "warning", code: "W_FILE_MODE", text: expect.stringContaining(file) }]);
    await rm(dir, { recursive: true, force: true });
  }
});

describe("an external account binding whose source is gone", () => {
  const text = `acme:
  ca: letsencrypt
  fallback:
    - { ca: zerossl, eab: { kid: k, hmacKey: { env: GONE } } }
    - { ca: sslcom, email: ops@example.com, eab: { kid: k, hmacKey: { file: gone } } }
${anyName}`;
  const readAs = async (registered: readonly string[]) => {
    const world = await openWorld(text);
    const plan = await readPlan({ ...world, isRegistered: async (url) => registered.includes(url) });
    return { plan, faults: told(world, plan.issues) };
  };

  test("is a fault as long as no account is registered, with its line", async () => {
    const { faults } = await readAs(["https://acme-v02.api.letsencrypt.org/directory"]);
    expect(faults).toEqual([
      "4 acme.fallback[0].eab.hmacKey: the environment variable GONE is not set, and no account is registered at zerossl yet",
      expect.stringMatching(
        /^5 acme\.fallback\[1\]\.eab\.hmacKey: cannot read .*gone: no such file or folder, and no account/,
      ),
    ]);
  });

  test("is none afterwards, also at the CA's other directory", async () => {
    const { plan, faults } = await readAs(["https://acme.zerossl.com/v2/DV90", "https://acme.ssl.com/sslcom-dv-rsa"]);
    expect(faults).toEqual([]);
    expect(plan.complete().cas.map((ca) => ca.eab)).toEqual([undefined, undefined, undefined]);
  });
});

test("inline secrets are taken when that is allowed, and are masked all the same", async () => {
  const text = `acme: { ca: zerossl, eab: { kid: k, hmacKey: c2VjcmV0LXNlY3JldA } }\n${anyName}`;
  expect((await read(text)).faults).toHaveLength(1);
  const { world, plan, faults } = await read(text, { args: ["--allow-inline-secrets"] });
  expect(faults).toEqual([]);
  expect(plan.complete().cas[0]?.eab?.hmacKey).toBe("c2VjcmV0LXNlY3JldA");
  expect(world.redactor.redact("c2VjcmV0LXNlY3JldA")).toBe("***");
});

test("without a file the plan is what the flags say", async () => {
  const { plan } = await read(anyName, { args: ["--provider", "memory", "--resolver", "192.0.2.1"] });
  const { certificates, routes, dns, run } = plan.complete();
  expect([certificates.length, routes.length, dns.mode, run.parallel]).toEqual([0, 1, "resolver", 4]);
});

test("a file of defaults only, for a provider that is named elsewhere, is sound; certificates need a solver", async () => {
  expect((await read("acme: { ca: zerossl, email: ops@example.com }\n")).faults).toEqual([]);
  const { faults } = await read("certificates: [{ domains: [example.com] }]\n");
  expect(faults).toEqual([expect.stringMatching(/^--provider: is missing/)]);
});

test("what does not look like the name of a variable is not repeated: it may be the secret itself", async () => {
  const { faults } = await read(
    `acme: { eab: { kid: k, hmacKey: { env: cGxhbnRlZC1zZWNyZXQ } } }
solvers: [{ provider: rfc2136, config: { nameserver: x.example, tsigKeyName: k, tsigSecret: { env: cGxhbnRlZC1zZWNyZXQ= } } }]
`,
  );
  expect(faults).toHaveLength(2);
  expect(faults.join()).not.toContain("cGxhbnRlZ");
});
