import { createSocket } from "node:dgram";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silent } from "../../../src/core/events.ts";
import { createRedactor } from "../../../src/core/redact.ts";
import { connectKubernetes } from "../../../src/kubernetes/client.ts";
import { builtInProviders } from "../../../src/providers.ts";
import { type Sandbox, startSandbox } from "../../../src/sandbox/index.ts";
import { runChecks } from "../../../src/webhook/check/checks.ts";
import { folder, secret } from "../../kubernetes/support.ts";
import { group, issuer, solver, startCluster } from "./cluster.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
});
afterAll(() => sandbox?.close());

/** `webhook check --domain` in a pod that reaches the resolver, but no nameserver. */
async function checkBlind(resolver: string) {
  const api = await startCluster();
  const [nameserver] = sandbox.nameservers;
  const tsig = { tsigKeyName: sandbox.tsig.keyName, tsigAlgorithm: sandbox.tsig.algorithm };
  const config = {
    ...{ nameserver: `${nameserver?.address}:${nameserver?.port}`, propagation: "gate" },
    ...{ ...tsig, tsigSecretSecretRef: { name: "tsig", key: "secret" } },
  };
  api.store.put(secret("tsig", "cert-manager", { secret: sandbox.tsig.secret }));
  api.store.put(issuer("letsencrypt", undefined, solver("rfc2136", config)));
  const file = join(await folder(), "kubeconfig");
  await writeFile(file, api.kubeconfig({ token: api.token("admin", ["system:masters"]) }));
  const kube = await connectKubernetes({ kubeconfig: file, env: {}, observer: silent, userAgent: "test" });
  const closed = createSocket("udp4");
  await new Promise<void>((resolve) => closed.bind(0, "127.0.0.1", resolve));
  // No server listens there: over UDP and TCP the answer is a refusal, which is heard of sooner than silence.
  const closedPort = closed.address().port;
  closed.close();
  const [address = "", port = ""] = resolver.split(":");
  try {
    return await runChecks(
      {
        kube,
        registry: builtInProviders(),
        settings: {
          ...{ groups: [group], issuer: "letsencrypt", domain: "example.test", write: false },
          ...{ allowedEndpoints: [], anyNameserver: true, gate: true, inCluster: true },
          dns: {
            resolvers: [{ address, port: Number(port) }],
            ...{ servers: [], mode: "resolver", port: closedPort },
            propagation: { mode: "authoritative", timeoutMs: 60_000 },
          },
        },
        ...{ clock: systemClock, observer: silent, redactor: createRedactor() },
        ...{ signal: new AbortController().signal, randomValue: () => "a-random-value" },
      },
      () => {},
    );
  } finally {
    kube.close();
  }
}

test("with nameservers that cannot be reached and a resolver given, the resolver is asked, as the gate does", async () => {
  const findings = await checkBlind(sandbox.resolver);
  const told = findings.filter(({ check }) => check === "write" || check === "egress");
  expect(told.filter(({ state }) => state === "failed")).toEqual([]);
  expect(told.map(({ cause }) => cause)).toContainEqual(
    expect.stringMatching(
      /^a random value was written, and 127\.0\.0\.1 can see the value at _acme-challenge\.example\.test/,
    ),
  );
  expect(told.find(({ check }) => check === "egress")).toMatchObject({
    state: "warning",
    cause: expect.stringMatching(/^no nameserver of example\.test answers from here/),
  });
  expect(JSON.stringify(told)).not.toMatch(/Give a resolver|give it --resolver/);
  expect(sandbox.zone.txt("_acme-challenge.example.test")).toEqual([]);
}, 120_000);
