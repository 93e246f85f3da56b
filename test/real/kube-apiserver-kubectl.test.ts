import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { KubeApiServer } from "../fakes/kube-apiserver.ts";
import { configMap, folder, grant, secret, startApi, until } from "../kubernetes/support.ts";
import { serviceFile, whyNot } from "./lab/services.ts";

const reason = whyNot(["kubectl"]);
const user = "system:serviceaccount:shop:reader";

/** kubectl is a strict reader: what it takes for an API server, our client does. */
describe.skipIf(reason !== undefined)(
  `the fake API server by kubectl${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    async function start(token?: (api: KubeApiServer) => string) {
      const api = await startApi();
      const dir = await folder();
      const file = join(dir, "kubeconfig");
      await writeFile(file, api.kubeconfig({ token: token?.(api) ?? api.token("admin", ["system:masters"]) }));
      const env = { PATH: process.env["PATH"], HOME: dir, KUBECONFIG: file, KUBECACHEDIR: dir };
      const kubectl = (...args: readonly string[]) =>
        new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
          execFile(serviceFile("kubectl"), [...args], { env }, (error, out, err) => {
            resolve({ code: error === null ? 0 : 1, out, err });
          });
        });
      return { api, kubectl, env };
    }

    test("lists, gets and describes what is there", async () => {
      const { api, kubectl } = await start();
      api.store.put(configMap("settings", "shop", { a: "1" }));
      api.store.put(secret("dnspod", "shop", { key: "v" }));
      expect((await kubectl("version", "-o", "json")).out).toContain('"gitVersion": "v1.33.1"');
      expect((await kubectl("api-resources", "-o", "name")).out.split("\n")).toEqual(
        expect.arrayContaining(["configmaps", "issuers.cert-manager.io", "endpointslices.discovery.k8s.io"]),
      );
      const { out } = await kubectl("get", "configmap", "settings", "-n", "shop", "-o", "json");
      expect(JSON.parse(out)).toMatchObject({ kind: "ConfigMap", data: { a: "1" } });
      expect((await kubectl("get", "secrets", "-A", "-o", "name")).out).toBe("secret/dnspod\n");
      // It asks for the namespace before it says what is missing.
      api.store.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
      const missing = await kubectl("get", "secret", "other", "-n", "shop");
      expect(missing.err).toBe('Error from server (NotFound): secrets "other" not found\n');
    });

    test("who may not hears it in the real one's words, and a review agrees with the roles", async () => {
      const { api, kubectl } = await start((one) => one.token(user));
      grant(api, user, { verbs: ["get"], apiGroups: [""], resources: ["secrets"], resourceNames: ["dnspod"] }, "shop");
      const { err } = await kubectl("get", "secret", "dnspod", "-n", "other");
      expect(err).toBe(
        `Error from server (Forbidden): secrets "dnspod" is forbidden: User "${user}" cannot get resource "secrets" in API group "" in the namespace "other"\n`,
      );
      const review = async (name: string) => {
        const file = join(await folder(), "review.json");
        const resourceAttributes = { verb: "get", resource: "secrets", namespace: "shop", name };
        const kind = "SelfSubjectAccessReview";
        await writeFile(
          file,
          JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind, spec: { resourceAttributes } }),
        );
        const { out } = await kubectl("create", "-f", file, "-o", "json", "--validate=false");
        return JSON.parse(out) as { readonly status: { readonly allowed: boolean } };
      };
      expect((await review("dnspod")).status.allowed).toBe(true);
      expect((await review("other")).status.allowed).toBe(false);
    });

    test("follows a watch", async () => {
      const { api, env } = await start();
      api.store.put(configMap("settings", "shop", { a: "1" }));
      const args = ["get", "configmap", "settings", "-n", "shop", "-w", "-o", 'jsonpath={.data.a}{"\\n"}'];
      const child = spawn(serviceFile("kubectl"), args, { env });
      let seen = "";
      child.stdout.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
      });
      try {
        await until(() => seen === "1\n" && api.watches() === 1);
        api.bookmark();
        api.store.put(configMap("settings", "shop", { a: "2" }));
        await until(() => seen === "1\n2\n");
      } finally {
        child.kill("SIGKILL");
      }
    });
  },
);
