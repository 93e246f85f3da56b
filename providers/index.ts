import type { Provider } from "../src/index.ts";

/** A provider as it stands in its file: the default export. */
export type Load = () => Promise<{ readonly default: Provider }>;

export const providers = {
  cloudflare: () => import("./cloudflare.ts"),
  dnspod: () => import("./dnspod.ts"),
  memory: () => import("./memory.ts"),
  powerdns: () => import("./powerdns.ts"),
  rfc2136: () => import("./rfc2136.ts"),
  route53: () => import("./route53.ts"),
} satisfies Record<string, Load>;
