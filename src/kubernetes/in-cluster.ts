import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Access } from "./access.ts";
import { connectionOptions } from "./connection.ts";

/** Where the kubelet mounts what a pod needs to talk to the API server. */
const mountPoint = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface InClusterOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder with `token`, `ca.crt` and `namespace`. */
  readonly serviceAccountDir?: string | undefined;
}

/** Whether this process runs in a pod with a service account; undefined if not, else the address of the API server. */
export function inClusterServer(env: InClusterOptions["env"]): string | undefined {
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"] ?? "", env["KUBERNETES_SERVICE_PORT"] ?? ""];
  if (host === "" || port === "") return undefined;
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * The pod's own service account. Token and CA are read for every request: the kubelet replaces a token long before it
 * expires, and a file of a few kilobytes costs nothing next to a request.
 */
export async function inClusterAccess(server: string, options: InClusterOptions): Promise<Access> {
  const dir = options.serviceAccountDir ?? mountPoint;
  const read = async (name: string) => (await readFile(join(dir, name), "utf8")).trim();
  const namespace = await read("namespace").catch(() => undefined);
  await read("token");
  let trusted: { readonly ca: string; readonly agent: Agent } | undefined;
  return {
    server,
    namespace,
    async credentials() {
      const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
      if (trusted?.ca !== ca) {
        // Connections made under the CA before end when nothing uses them any more.
        trusted = { ca, agent: new Agent({ ...connectionOptions, ca }) };
      }
      return { agent: trusted.agent, headers: { authorization: `Bearer ${token}` } };
    },
    forget: () => false,
    close: () => trusted?.agent.destroy(),
  };
}
