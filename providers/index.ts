import type { Provider } from "../src/index.ts";

/** A provider as it stands in its file: the default export. */
export type Load = () => Promise<{ readonly default: Provider }>;

export const providers = {
  "acme-dns": () => import("./acme-dns.ts"),
  alidns: () => import("./alidns.ts"),
  cloudflare: () => import("./cloudflare.ts"),
  desec: () => import("./desec.ts"),
  dnspod: () => import("./dnspod.ts"),
  exec: () => import("./exec.ts"),
  hetzner: () => import("./hetzner.ts"),
  httpreq: () => import("./httpreq.ts"),
  huaweicloud: () => import("./huaweicloud.ts"),
  memory: () => import("./memory.ts"),
  powerdns: () => import("./powerdns.ts"),
  rfc2136: () => import("./rfc2136.ts"),
  route53: () => import("./route53.ts"),
} satisfies Record<string, Load>;
