import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import {
  type ClientCertificate,
  certificateFault,
  clientCertificate,
  nameFault,
  validity,
} from "./client-certificate.ts";
import type { FrontProxyConfig, FrontProxyState } from "./front-proxy-config.ts";
import { type Identity, readIdentity } from "./identity.ts";

export interface FrontProxy {
  /** The present state; each request is judged by it, on connections from before as well. */
  state(): FrontProxyState;
  update(state: FrontProxyState): void;
  /** Says if the connection's certificate is the front proxy's. */
  isVouched(socket: TLSSocket): boolean;
  /** Who is calling, or why the headers that say so count for nothing. */
  identify(req: IncomingMessage): { readonly identity: Identity } | { readonly fault: string };
}

/** What has been found out about a connection, for as long as the configuration stays. */
interface Verdict {
  readonly config: FrontProxyConfig;
  readonly fault: string | undefined;
  readonly from: number;
  readonly to: number;
}

export function createFrontProxy(initial: FrontProxyState, now: () => number): FrontProxy {
  let state = initial;
  const shown = new WeakMap<TLSSocket, ClientCertificate>();
  const verdicts = new WeakMap<TLSSocket, Verdict>();

  const verdictOn = (socket: TLSSocket, config: FrontProxyConfig): Verdict | undefined => {
    const known = verdicts.get(socket);
    const time = now();
    if (known?.config === config && known.from <= time && time <= known.to) return known;
    const certificate = shown.get(socket) ?? clientCertificate(socket);
    if (certificate === undefined) return undefined;
    shown.set(socket, certificate);
    const fault =
      certificateFault(certificate, config.authorities, time) ?? nameFault(certificate, config.allowedNames);
    const { from, to } = validity(certificate.leaf);
    const verdict = {
      config,
      fault,
      from,
      to: Math.min(to, nextChange([...config.authorities, ...certificate.intermediates], time)),
    };
    verdicts.set(socket, verdict);
    return verdict;
  };

  return {
    state: () => state,
    update(next) {
      state = next;
    },
    isVouched(socket) {
      if ("fault" in state) return false;
      const verdict = verdictOn(socket, state.config);
      return verdict !== undefined && verdict.fault === undefined;
    },
    identify(req) {
      if ("fault" in state) return { fault: "the CA of the front proxy is not known" };
      if (!(req.socket instanceof TLSSocket)) return { fault: "the connection is not encrypted" };
      const verdict = verdictOn(req.socket, state.config);
      if (verdict === undefined) return { fault: "it has shown no client certificate" };
      if (verdict.fault !== undefined) return { fault: verdict.fault };
      const identity = readIdentity(req.rawHeaders, state.config.headers);
      return identity === undefined ? { fault: "the front proxy names no user" } : { identity };
    },
  };
}

/** Until when as many of these CAs are valid as now: what was good by one may end with it, what was not may be good by the next. */
function nextChange(authorities: readonly X509Certificate[], now: number): number {
  const changes = authorities.map(validity).flatMap(({ from, to }) => [from - 1, to]);
  return Math.min(...changes.filter((time) => time >= now), Number.POSITIVE_INFINITY);
}
