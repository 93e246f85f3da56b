import type { IncomingHttpHeaders } from "node:http";
import type { FakeReply } from "./http-service.ts";

/** Cloudflare's answer to everything that fails. */
export interface ApiError {
  readonly code: number;
  readonly message: string;
  readonly error_chain?: readonly ApiError[];
}

export function failure(status: number, ...errors: readonly ApiError[]): FakeReply {
  return { status, body: { result: null, success: false, errors, messages: [] } };
}

export type Permission = "zone:read" | "dns:read" | "dns:edit";

/** What a credential may do, on which zones. */
export interface Grant {
  readonly permissions: ReadonlySet<Permission>;
  /** Names; `undefined` for all zones of the account. */
  readonly zones?: ReadonlySet<string>;
}

export interface Credentials {
  /** By API token. */
  readonly tokens: Map<string, Grant>;
  /** Global API Key by the account's e-mail address. */
  readonly keys: Map<string, string>;
}

const everything: Grant = { permissions: new Set(["zone:read", "dns:read", "dns:edit"]) };

/** Who is asking, or the refusal. */
export function authenticate(headers: IncomingHttpHeaders, { tokens, keys }: Credentials): Grant | FakeReply {
  const { authorization, "x-auth-email": email, "x-auth-key": key } = headers;
  const malformed = (code: number, name: string) =>
    failure(400, {
      code: 6003,
      message: "Invalid request headers",
      error_chain: [{ code, message: `Invalid format for ${name} header` }],
    });
  if (authorization !== undefined) {
    const [, token] = /^Bearer ([\w-]{40,})$/.exec(authorization) ?? [];
    if (token === undefined) return malformed(6111, "Authorization");
    return tokens.get(token) ?? failure(403, { code: 9109, message: "Invalid access token" });
  }
  if (typeof email !== "string" || typeof key !== "string") {
    return failure(400, { code: 9106, message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers" });
  }
  if (!/^[^@\s]+@[^@\s]+$/.test(email)) return malformed(6102, "X-Auth-Email");
  if (!/^[0-9a-f]{37}$/.test(key)) return malformed(6103, "X-Auth-Key");
  return keys.get(email) === key
    ? everything
    : failure(403, { code: 9103, message: "Unknown X-Auth-Key or X-Auth-Email" });
}

export function may(grant: Grant, zone: string, ...anyOf: readonly Permission[]): boolean {
  return (grant.zones?.has(zone) ?? true) && anyOf.some((permission) => grant.permissions.has(permission));
}
