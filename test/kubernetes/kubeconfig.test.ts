import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { connectKubernetes } from "../../src/kubernetes/client.ts";
import type { KubeApiServer } from "../fakes/kube-apiserver.ts";
import { byKubeconfig, failureOf, folder, grant, never, secret, startApi } from "./support.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const mayRead = { verbs: ["get"], apiGroups: [""], resources: ["secrets"] };

async function cluster(): Promise<KubeApiServer> {
  const api = await startApi();
  api.store.put(secret("dnspod", "shop", { key: "v" }));
  grant(api, "jane", mayRead);
  return api;
}

const read = async (kube: { readSecret: (ns: string, name: string, signal: AbortSignal) => Promise<unknown> }) =>
  await kube.readSecret("shop", "dnspod", never);

afterEach(() => vi.unstubAllEnvs());

describe("a kubeconfig", () => {
  test("with a token; connections are kept", async () => {
    const api = await cluster();
    const kube = await byKubeconfig(api.kubeconfig({ token: api.token("jane") }));
    for (let i = 0; i < 4; i++) await read(kube);
    expect(api.connections()).toBe(1);
    expect(kube.namespace).toBe("dns01");
  });

  test("with a client certificate", async () => {
    const api = await cluster();
    const { cert, key } = await api.clientCertificate("jane", ["dev"]);
    const user = { "client-certificate-data": base64(cert), "client-key-data": base64(key) };
    await read(await byKubeconfig(api.kubeconfig(user)));
    expect(api.requests.at(-1)?.user).toBe("jane");
  });

  test("with an exec plug-in, which is asked again when the server says 401", async () => {
    const api = await cluster();
    const dir = await folder();
    const plugin = join(dir, "login");
    const answer = (token: string) =>
      `printf '%s' '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"${token}"}}'`;
    const log = `echo called >> ${join(dir, "calls")}`;
    await writeFile(plugin, `#!/bin/sh\n${log}\n${answer("expired")}\n`);
    await chmod(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
    const kube = await byKubeconfig(api.kubeconfig({ exec }));
    expect(await failureOf(read(kube))).toMatchObject({ status: 401 });
    await writeFile(plugin, `#!/bin/sh\n${log}\n${answer(api.token("jane"))}\n`);
    await read(kube);
    await read(kube);
  });

  test("an exec plug-in that fails is quoted in one line", async () => {
    const api = await cluster();
    const plugin = join(await folder(), "login");
    await writeFile(plugin, "#!/bin/sh\necho 'session expired' >&2\necho 'run: cloud login' >&2\nexit 1\n");
    await chmod(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin };
    const error = await failureOf(read(await byKubeconfig(api.kubeconfig({ exec }))));
    expect(error.message).toBe(
      `get secret shop/dnspod: cannot log in at ${api.url}: session expired; run: cloud login`,
    );
  });

  test("insecure-skip-tls-verify, tls-server-name, and neither of them", async () => {
    const api = await cluster();
    const user = { token: api.token("jane") };
    const blind = { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true };
    await read(await byKubeconfig(api.kubeconfig(user, blind)));
    await read(await byKubeconfig(api.kubeconfig(user, { "tls-server-name": "kubernetes.default.svc" })));
    const wrong = await failureOf(read(await byKubeconfig(api.kubeconfig(user, { "tls-server-name": "elsewhere" }))));
    expect(wrong.message).toContain("cannot reach the API server");
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const noCa = { "certificate-authority-data": undefined };
    expect((await failureOf(read(await byKubeconfig(api.kubeconfig(user, noCa))))).status).toBeUndefined();
  });

  test("through a proxy", async () => {
    const api = await cluster();
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on("connect", (request, socket, head) => {
      asked.push(request.url ?? "");
      const { port } = new URL(api.url);
      const onward = connect(Number(port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [socket, onward]) end.on("error", () => {});
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      await read(await byKubeconfig(api.kubeconfig({ token: api.token("jane") }, { "proxy-url": address })));
      expect(asked).toEqual([new URL(api.url).host]);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  test("paths in it are relative to its folder; KUBECONFIG may name several", async () => {
    const api = await cluster();
    const dir = await folder();
    await writeFile(join(dir, "ca.crt"), api.ca.pem);
    const whole = api.kubeconfig(
      { token: api.token("jane") },
      { "certificate-authority-data": undefined, "certificate-authority": "ca.crt" },
    );
    const { users, clusters, contexts, ...rest } = JSON.parse(whole) as Record<string, unknown>;
    await writeFile(join(dir, "one"), JSON.stringify({ ...rest, clusters, contexts }));
    await writeFile(join(dir, "two"), JSON.stringify({ kind: "Config", apiVersion: "v1", users }));
    const kube = await connectKubernetes({ env: { KUBECONFIG: `${join(dir, "one")}:${join(dir, "two")}` } });
    await read(kube);
    kube.close();
  });

  test.each([
    ["a context that is not there", { context: "fkae" }, /--context: there is no context "fkae" .*did you mean fake\?/],
    [
      "a file that is not there",
      { kubeconfig: "/nowhere/kubeconfig" },
      /--kubeconfig: cannot use \/nowhere\/kubeconfig: there is no such file/,
    ],
  ])("%s is a fault of configuration", async (_, options, words) => {
    const api = await startApi();
    const error = await byKubeconfig(api.kubeconfig({ token: "t" }), options).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(String(error)).toMatch(words);
  });

  test("a file that is no YAML is not quoted: it may hold a token", async () => {
    const error = await byKubeconfig("users:\n- name: me\n  user: {token: s3cr3t-token\n\tx").catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(String(error)).not.toContain("s3cr3t");
  });
});
