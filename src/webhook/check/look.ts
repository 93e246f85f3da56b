import { KubernetesError } from "../../kubernetes/error.ts";
import { asObject, type Json } from "../validate/fault.ts";
import type { Account, CheckDeps } from "./context.ts";

/** What is there, that nothing is there, or why it could not be seen. */
export type Look = { readonly state: "found"; readonly object: Json } | Unseen;

/** `hidden`: this user may not look; `unreachable`: nobody could say. */
export interface Unseen {
  readonly state: "absent" | "hidden" | "unreachable";
  readonly error: KubernetesError;
}

/** Gets an object or a list for a check; only the end of the whole run is thrown. */
export async function look({ kube, signal }: CheckDeps, path: string): Promise<Look> {
  try {
    return { state: "found", object: asObject(await kube.get(path, signal)) };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const { status } = error;
    const state = status === 404 ? "absent" : status === 403 || status === 401 ? "hidden" : "unreachable";
    return { state, error };
  }
}

/** The objects of a list; none where it could not be seen. */
export function itemsOf(found: Look): readonly Json[] {
  if (found.state !== "found") return [];
  const { items } = found.object;
  return Array.isArray(items) ? items.map(asObject) : [];
}

export function nameOf(object: Json): string {
  return textOf(asObject(object["metadata"])["name"]) ?? "";
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Whether every label of the selector is there. */
export function matches(selector: Json, labels: Json): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** The values of flags in a container's command line: `--x=y`, `--x y`, `--x`. */
export function flagsOf(args: readonly unknown[]): ReadonlyMap<string, readonly string[]> {
  const flags = new Map<string, readonly string[]>();
  for (const [at, arg] of args.entries()) {
    const [, name, value] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(String(arg)) ?? [];
    if (name === undefined) continue;
    const next = args[at + 1];
    const given = value ?? (typeof next === "string" && !next.startsWith("-") ? next : "true");
    flags.set(name, [...(flags.get(name) ?? []), ...given.split(",")]);
  }
  return flags;
}

/** The arguments of all containers of a Deployment. */
export function argumentsOf(deployment: Json): readonly unknown[] {
  const containers = podSpecOf(deployment)["containers"];
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  return list(containers).flatMap((one) => [...list(asObject(one)["command"]), ...list(asObject(one)["args"])]);
}

function podSpecOf(deployment: Json): Json {
  return asObject(asObject(asObject(deployment["spec"])["template"])["spec"]);
}

export function accountOf(deployment: Json): Account | undefined {
  const namespace = textOf(asObject(deployment["metadata"])["namespace"]);
  if (namespace === undefined) return undefined;
  return { namespace, name: textOf(podSpecOf(deployment)["serviceAccountName"]) ?? "default" };
}
