import type { DomainName } from "../../src/core/name.ts";
import type { Provider } from "../../src/core/provider.ts";
import { loadProvider } from "../../src/providers.ts";
import { startAlidns } from "../../test/fakes/alidns.ts";
import { startCloudflareFake } from "../../test/fakes/cloudflare.ts";
import { startDesecFake } from "../../test/fakes/desec.ts";
import { startDnspod } from "../../test/fakes/dnspod.ts";
import { startHetznerFake } from "../../test/fakes/hetzner.ts";
import { startHttpreq } from "../../test/fakes/httpreq.ts";
import { startHuaweicloud } from "../../test/fakes/huaweicloud.ts";
import { startPowerdns } from "../../test/fakes/powerdns.ts";
import { startRoute53 } from "../../test/fakes/route53.ts";
import type { AdapterFake } from "../../test/providers/trial/subject.ts";

type Given = Readonly<Record<string, unknown>>;

/** How lego gets to the same fake: its provider, its environment, and the hosts to take the place of if it has no endpoint. */
export interface LegoWay {
  readonly code: string;
  readonly hosts?: readonly string[];
  readonly env: (config: Given, url: string) => Readonly<Record<string, string>>;
}

export interface Subject {
  readonly id: string;
  readonly start: (zones: readonly DomainName[]) => Promise<AdapterFake>;
  /** Or why not. */
  readonly lego: LegoWay | string;
}

const text = (config: Given, field: string): string => String(config[field] ?? "");

export const subjects: readonly Subject[] = [
  {
    id: "dnspod",
    start: (zones) => startDnspod(zones),
    lego: "Debian's lego 4.9 comes without tencentcloud, and its dnspod speaks the legacy API at one fixed address",
  },
  {
    id: "route53",
    start: (zones) => startRoute53(zones),
    lego: {
      code: "route53",
      hosts: ["route53.amazonaws.com"],
      env: (config) => ({
        AWS_ACCESS_KEY_ID: text(config, "accessKeyID"),
        AWS_SECRET_ACCESS_KEY: text(config, "secretAccessKey"),
        AWS_REGION: "us-east-1",
        // Whole seconds: it begins to ask for INSYNC after the first.
        AWS_POLLING_INTERVAL: "1",
      }),
    },
  },
  {
    id: "cloudflare",
    start: startCloudflareFake,
    lego: {
      code: "cloudflare",
      hosts: ["api.cloudflare.com"],
      env: (config) => ({ CF_DNS_API_TOKEN: text(config, "apiToken") }),
    },
  },
  {
    id: "powerdns",
    // A primary: both clients have it tell its secondaries.
    start: (zones) => startPowerdns(zones, { kind: "Master" }),
    lego: { code: "pdns", env: (config, url) => ({ PDNS_API_URL: url, PDNS_API_KEY: text(config, "apiKey") }) },
  },
  {
    id: "desec",
    start: startDesecFake,
    lego: "lego 4.9 makes single sets, and the fake takes bulk requests only",
  },
  {
    id: "httpreq",
    start: startHttpreq,
    lego: {
      code: "httpreq",
      env: (config, url) => ({
        HTTPREQ_ENDPOINT: `${url}/api`,
        HTTPREQ_USERNAME: text(config, "username"),
        HTTPREQ_PASSWORD: text(config, "password"),
      }),
    },
  },
  { id: "hetzner", start: startHetznerFake, lego: "lego 4.9 speaks the former API, dns.hetzner.com" },
  {
    id: "alidns",
    start: (zones) => startAlidns(zones),
    lego: "lego 4.9 signs in the former way, which the fake does not take",
  },
  { id: "huaweicloud", start: (zones) => startHuaweicloud(zones), lego: "lego 4.9 has no such provider" },
];

export function providerOf({ id }: Subject): Promise<Provider> {
  return loadProvider(id);
}
