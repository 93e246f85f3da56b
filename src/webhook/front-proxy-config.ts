import { X509Certificate } from "node:crypto";
import { validity } from "./client-certificate.ts";
import { defaultIdentityHeaders, type IdentityHeaders } from "./identity.ts";

/** Whose word counts for who is calling. */
export interface FrontProxyConfig {
  readonly authorities: readonly X509Certificate[];
  /** Common names; none means any. */
  readonly allowedNames: readonly string[];
  readonly headers: IdentityHeaders;
}

export type FrontProxyState =
  | { readonly config: FrontProxyConfig }
  /** Why nobody is believed. */
  | { readonly fault: string };

/** Where every cluster says it. */
export const frontProxyConfigMap = { namespace: "kube-system", name: "extension-apiserver-authentication" } as const;

/** Reads the data of ConfigMap kube-system/extension-apiserver-authentication. What cannot be read counts for nothing. */
export function parseFrontProxyConfigMap(data: Readonly<Record<string, string>>): FrontProxyState {
  const faults: string[] = [];
  const list = (key: string, fallback: readonly string[]): readonly string[] => {
    const text = data[`requestheader-${key}`];
    if (text === undefined || text.trim() === "") return fallback;
    const found = parseList(text);
    if (found === undefined) faults.push(`requestheader-${key} is no list of strings in JSON`);
    return found ?? [];
  };
  const allowedNames = list("allowed-names", []);
  const headers: IdentityHeaders = {
    user: list("username-headers", defaultIdentityHeaders.user),
    uid: list("uid-headers", defaultIdentityHeaders.uid),
    group: list("group-headers", defaultIdentityHeaders.group),
    extraPrefix: list("extra-headers-prefix", defaultIdentityHeaders.extraPrefix),
  };
  const key = "requestheader-client-ca-file";
  const bundle = data[key];
  const found = bundle === undefined || bundle.trim() === "" ? undefined : parseAuthorities(bundle);
  if (found === undefined) faults.push(`${key} is missing: is the aggregation layer of the cluster on?`);
  else if (found.length === 0) faults.push(`${key} holds no certificate of a CA`);
  if (found === undefined || faults.length > 0) {
    return { fault: `ConfigMap ${frontProxyConfigMap.namespace}/${frontProxyConfigMap.name}: ${faults.join("; ")}` };
  }
  return { config: { authorities: found, allowedNames, headers } };
}

/** The certificates of CAs in a PEM bundle; anything else in it is nobody's authority. */
export function parseAuthorities(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      const certificate = new X509Certificate(block);
      return certificate.ca ? [certificate] : [];
    } catch {
      return [];
    }
  });
}

/** When the last of the authorities ends, in milliseconds since 1970. */
export function authoritiesEnd({ authorities }: FrontProxyConfig): number {
  return Math.max(...authorities.map((authority) => validity(authority).to));
}

function parseList(text: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.every((entry) => typeof entry === "string") ? parsed : undefined;
  } catch {
    return undefined;
  }
}
