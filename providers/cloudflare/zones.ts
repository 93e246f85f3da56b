import { ZoneNotFoundError, z } from "../../src/index.ts";

export const zoneResult = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().optional(),
  type: z.string().optional(),
});

/** Zones whose records a CA does not get from Cloudflare, or that cannot be changed there: by type, why and what to do. */
export const unserved: ReadonlyMap<string, readonly [what: string, hint: string]> = new Map([
  ["partial", ["is a CNAME setup, its DNS is served elsewhere", "Choose the provider that serves the zone's DNS."]],
  [
    "secondary",
    ["is a secondary zone, its records are transferred from elsewhere", "Choose the provider of the zone's primary."],
  ],
  [
    "internal",
    [
      "is an internal zone, which only the account's own resolvers see",
      "Create the public zone, or choose the provider that serves it.",
    ],
  ],
]);

export const zoneReadHint =
  "Give the API token the permission Zone → Zone → Read on the zone, or give zoneToken or zoneID; or create the zone.";

/** `visible` are zones that the message names: the webhook keeps them out of a Challenge's status, which tenants read. */
export function pinnedElsewhere(message: string, apex: string, visible?: readonly string[]): ZoneNotFoundError {
  const hint = "Check zoneID (CLOUDFLARE_ZONE_ID): all names have to be in that zone.";
  return new ZoneNotFoundError(message, [apex], { hint, details: visible && { visible } });
}

export function notServed(apex: string, { status, type = "" }: z.output<typeof zoneResult>): ZoneNotFoundError {
  const [what, hint] = unserved.get(type) ?? [
    `has the status ${status}`,
    "Set the nameservers that Cloudflare's dashboard names at the domain's registrar.",
  ];
  return new ZoneNotFoundError(`Cloudflare does not serve the zone ${apex}: it ${what}`, [apex], { hint });
}
