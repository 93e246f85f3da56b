import type { ServerResponse } from "node:http";
import { type Change, type KubeStore, type Resource, versionOf } from "./kube-apiserver-store.ts";

interface WatchTarget {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
}

/** One watch: a JSON object a line, from the version asked for on. */
export function serveWatch(
  response: ServerResponse,
  query: URLSearchParams,
  { resource, namespace, selector }: WatchTarget,
  store: KubeStore,
): { bookmark(): void; end(): void } {
  const write = (type: string, object: unknown) => response.write(`${JSON.stringify({ type, object })}\n`);
  response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
  response.flushHeaders();
  const asked = query.get("resourceVersion") ?? "";
  // None or "0": the present state first, as if it were made now.
  const anywhere = asked === "" || asked === "0";
  const from = anywhere ? store.version() : Number(asked);
  if (from < store.oldest()) {
    const message = `too old resource version: ${from} (${store.oldest()})`;
    write("ERROR", {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason: "Expired",
      code: 410,
    });
    response.end();
    return { bookmark: () => {}, end: () => {} };
  }
  const tell = ({ type, object, resource: changed }: Change) => {
    const { metadata } = object;
    if (changed !== resource || (namespace !== undefined && metadata.namespace !== namespace)) return;
    if (selector === undefined || metadata.name === selector) write(type, object);
  };
  if (anywhere) {
    for (const object of store.list(resource, namespace)) tell({ type: "ADDED", version: 0, resource, object });
  }
  for (const change of store.since(from)) tell(change);
  const stop = store.onChange(tell);
  response.on("close", stop);
  return {
    bookmark() {
      if (query.get("allowWatchBookmarks") !== "true") return;
      const metadata = { resourceVersion: String(store.version()), creationTimestamp: null };
      write("BOOKMARK", { kind: resource.kind, apiVersion: versionOf(resource), metadata });
    },
    end: () => void response.end(),
  };
}
