import { describe, expect, test } from "vitest";
import { type MemoryStore, memoryProvider } from "../../../providers/memory.ts";
import { defineProvider, type Provider, RejectedError, secret, z } from "../../../src/index.ts";
import { createCluster, messageOf, name, namespace, ok, startReplica } from "./world.ts";

/** The memory provider behind a login; says which one it was connected with. */
function lockedProvider(logins: string[] = []): Provider {
  const memory = memoryProvider(store);
  return defineProvider({
    ...memory,
    id: "locked",
    config: z.strictObject({ user: secret("name").meta({ env: ["LOCKED_USER"] }), password: secret("password") }),
    connect: ({ user, password }, deps) => {
      logins.push(`${user}:${password}`);
      return memory.connect({ zones: "" }, deps);
    },
  }) as Provider;
}
const store: MemoryStore = new Map();

const config = {
  userSecretRef: { name: "login", key: "user" },
  passwordSecretRef: { name: "login", key: "password" },
};

async function start(given: unknown = config, provider = lockedProvider(), env = {}) {
  const cluster = createCluster();
  const replica = await startReplica([provider], { solver: "locked", cluster, config: given, env });
  return { cluster, replica };
}

describe("scenario 13: a Secret that is not where it is read", () => {
  test("is only in cert-manager's namespace: the message tells the rule, and cert-manager's is never asked", async () => {
    const { cluster, replica } = await start();
    cluster.put("cert-manager", "login", { user: "u", password: "p" });
    const answer = await replica.present({ resourceNamespace: "shop" });
    expect(answer).toMatchObject({ code: "CONFIG", reason: "Invalid" });
    expect(messageOf(answer)).toBe(
      'locked: config.passwordSecretRef names Secret "login" (key "password", "user") in namespace "shop", and there is none: create it there (read where the Issuer is; for a ClusterIssuer, where cert-manager is)',
    );
    expect(cluster.asked).toEqual(["shop/login"]);
    // For a ClusterIssuer it is the right one.
    expect(await replica.present({ resourceNamespace: "cert-manager" })).toEqual(ok);
    await replica.solving.close();
  });

  test("is forbidden: the message has the Role and the RoleBinding to add, and for whom", async () => {
    const { cluster, replica } = await start();
    cluster.forbid("team-a");
    expect(messageOf(await replica.present({}))).toBe(
      'locked: config.passwordSecretRef names Secret "login" (key "password", "user") in namespace "team-a", which dns01 may not read: add there a Role (get secrets) and a RoleBinding to dns01/dns01-webhook (read where the Issuer is; for a ClusterIssuer, where cert-manager is)',
    );
    await replica.solving.close();
  });

  test("lacks the key: the keys that exist by name, never their content", async () => {
    const { cluster, replica } = await start();
    cluster.put("team-a", "login", { username: "hunter2hunter2", passwort: "sesame-sesame" });
    expect(messageOf(await replica.present({}))).toBe(
      'locked: 2 faults: config.passwordSecretRef names the key "password", which Secret "login" in namespace "team-a" does not have: it has passwort, username; did you mean passwort?; config.userSecretRef names the key "user", which Secret "login" in namespace "team-a" does not have: it has passwort, use…',
    );
    expect(JSON.stringify(replica.events)).not.toMatch(/hunter2|sesame/);
    await replica.solving.close();
  });

  test("cannot be asked for: that is no fault of the user and is retried, in a clean-up too", async () => {
    const { cluster, replica } = await start();
    for (const status of [undefined, 401, 500, 503] as const) {
      cluster.fail(status);
      const answer = await replica.present({});
      expect(answer).toMatchObject({ code: "TRANSIENT", reason: "ServiceUnavailable" });
      expect(messageOf(answer)).toMatch(
        /^locked: cannot ask the API server for Secret "login" \(key "password", "user"\)/,
      );
      expect(await replica.cleanUp({})).toMatchObject({ code: "TRANSIENT" });
    }
    expect(replica.eventsOf("leftover")).toEqual([]);
    await replica.solving.close();
  });
});

test("without a cluster Secrets are refused, and what needs none works", async () => {
  const replica = await startReplica([lockedProvider()], { solver: "locked", config });
  expect(messageOf(await replica.present({}))).toMatch(/dns01 was started without a cluster \(--kubeconfig none\)/);
  await replica.solving.close();
});

test("line ends behind a value are dropped, a changed Secret works on the next call, each login has its own connection", async () => {
  const logins: string[] = [];
  const { cluster, replica } = await start(config, lockedProvider(logins));
  cluster.put("team-a", "login", { user: "one\n", password: "first \r\n" });
  cluster.put("team-b", "login", { user: "two", password: "other" });
  expect(await replica.present({ key: "a" })).toEqual(ok);
  expect(await replica.present({ key: "b", resourceNamespace: "team-b" })).toEqual(ok);
  cluster.put("team-a", "login", { user: "one", password: "second" });
  expect(await replica.present({ key: "c" })).toEqual(ok);
  expect(await replica.present({ key: "d", resourceNamespace: "team-b" })).toEqual(ok);
  expect(logins).toEqual(["one:first ", "two:other", "one:second"]);
  await replica.solving.close();
});

test("a Secret without text, and an empty value", async () => {
  const { cluster, replica } = await start();
  cluster.put("team-a", "login", { user: "", password: "x" });
  expect(messageOf(await replica.present({}))).toBe("locked: config.userSecretRef (key user of Secret login) is empty");
  await replica.solving.close();
});

describe("ambient credentials", () => {
  const env = { LOCKED_USER: "machine", LOCKED_PASSWORD: "of-the-pod" };

  test("scenario 14: are not looked at where the challenge does not allow them", async () => {
    const logins: string[] = [];
    const { cluster, replica } = await start({}, lockedProvider(logins), env);
    expect(messageOf(await replica.present({}))).toMatch(/config\.passwordSecretRef is missing/);
    expect(logins).toEqual([]);
    expect(cluster.asked).toEqual([]);
    await replica.solving.close();
  });

  test("are used where it does, and never mixed with the Issuer's own", async () => {
    const logins: string[] = [];
    const { cluster, replica } = await start(null, lockedProvider(logins), env);
    expect(await replica.present({ allowAmbientCredentials: true })).toEqual(ok);
    expect(logins).toEqual(["machine:of-the-pod"]);
    cluster.put("team-a", "login", { user: "theirs" });
    const half = { userSecretRef: { name: "login", key: "user" } };
    const answer = await replica.present({ allowAmbientCredentials: true, config: half });
    expect(messageOf(answer)).toMatch(/^locked: config\.passwordSecretRef is missing/);
    expect(logins).toHaveLength(1);
    expect(JSON.stringify(replica.events)).not.toContain("of-the-pod");
    await replica.solving.close();
  });
});

test("what a clean-up leaves is told with the command that takes it out", async () => {
  const { replica } = await start();
  expect(await replica.cleanUp({ key: "abc" })).toEqual(ok);
  expect(replica.eventsOf("leftover")).toMatchObject([
    {
      value: "abc",
      cure: "dns01 cleanup _acme-challenge.example.com abc --provider locked",
      owner: name("_acme-challenge.example.com"),
    },
  ]);
  await replica.solving.close();
});

test("what Present can only have refused is no leftover, and its clean-up ends as well", async () => {
  const { cluster, replica } = await start();
  for (const odd of [{ nonsense: 1 }, {}, [], { ...config, endpoint: "https://elsewhere.example" }]) {
    expect(await replica.present({ key: "abc", config: odd })).toMatchObject({ code: "CONFIG" });
    expect(await replica.cleanUp({ key: "abc", config: odd })).toEqual(ok);
  }
  expect(cluster.asked).toEqual([]);
  expect(replica.eventsOf("leftover")).toEqual([]);
  await replica.solving.close();
  const alone = await startReplica([lockedProvider()], { solver: "locked", config });
  expect(await alone.cleanUp({})).toEqual(ok);
  expect(alone.eventsOf("leftover")).toEqual([]);
  await alone.solving.close();
});

test("what a service repeats of a Secret is in no answer, no event and no line of the log", async () => {
  const memory = memoryProvider();
  const leaky = defineProvider({
    ...memory,
    id: "leaky",
    config: z.strictObject({ password: secret("password") }),
    connect: async ({ password }, deps) => {
      deps.warn(`the password ${password} is old`);
      const backend = await memory.connect({ zones: "" }, deps);
      return {
        findZone: (apex, call) => backend.findZone(apex, call),
        apply: () => Promise.reject(new RejectedError(`no quota left for password ${password}`)),
      };
    },
  }) as Provider;
  const cluster = createCluster();
  cluster.put(namespace, "login", { password: "correct-horse-battery" });
  const config = { passwordSecretRef: { name: "login", key: "password" } };
  const replica = await startReplica([leaky], { solver: "leaky", cluster, config });
  expect(messageOf(await replica.present({}))).toMatch(/no quota left for password (?!correct)/);
  const events = JSON.stringify(replica.events);
  expect(events).toContain("is old");
  expect(events).not.toContain("correct-horse-battery");
  await replica.solving.close();
});

test("a clean-up without its Secret does not use the credentials of another namespace for the same value", async () => {
  const logins: string[] = [];
  const { cluster, replica } = await start(config, lockedProvider(logins));
  cluster.put("team-a", "login", { user: "a", password: "pa" });
  cluster.put("team-b", "login", { user: "b", password: "pb" });
  const [ofA, ofB] = [{ resourceNamespace: "team-a" }, { resourceNamespace: "team-b" }];
  expect(await replica.present(ofA)).toEqual(ok);
  cluster.remove("team-b", "login");
  expect(await replica.cleanUp(ofB)).toEqual(ok);
  expect(logins).toEqual(["a:pa"]);
  expect(replica.eventsOf("leftover")).toMatchObject([{ namespace: "team-b" }]);
  // What team-a presented is still there.
  const events = replica.eventsOf("engine").map(({ event }) => event.type);
  expect(events).not.toContain("txt.removed");
  await replica.solving.close();
});
