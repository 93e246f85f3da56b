import {
  type Call,
  ConflictError,
  conductOf,
  defineProvider,
  httpUrl,
  type Owner,
  quoteTxt,
  recordBackend,
  secret,
  TransientError,
  unquoteTxt,
  ZoneNotFoundError,
  z,
} from "../src/index.ts";
import { afterAccepted, classify, codeOf, isDuplicate } from "./hetzner/errors.ts";

const config = z.strictObject({
  apiToken: secret("API token (Read & Write) of the Hetzner Cloud project that holds the zones", { header: true }).meta(
    {
      env: ["HETZNER_API_TOKEN", "HCLOUD_TOKEN"],
    },
  ),
  endpoint: httpUrl()
    .default("https://api.hetzner.cloud/v1")
    .meta({
      description: "address of the API; without a path, /v1 is added",
      endpoint: true,
      env: ["HETZNER_ENDPOINT", "HCLOUD_ENDPOINT"],
    }),
});

const zoneAnswer = z.object({ zone: z.object({ mode: z.string().optional() }) });
const zoneList = z.object({ zones: z.array(z.object({ name: z.string() })) });
const rrsetAnswer = z.object({
  rrset: z.object({ ttl: z.number().nullish(), records: z.array(z.object({ value: z.string() })) }),
});
const fault = z.object({ code: z.string(), message: z.string() });
const actionAnswer = z.object({ action: z.object({ id: z.number(), status: z.string(), error: fault.nullish() }) });

export default defineProvider({
  id: "hetzner",
  title: "Hetzner (Cloud DNS)",
  docs: "https://docs.hetzner.cloud/reference/cloud#dns",
  config,
  // Changes of one zone lock each other out.
  traits: { ttlSeconds: { min: 60, default: 60 }, rate: { requests: 3600, perMs: 3_600_000 }, lock: "zone" },
  classify,
  connect: ({ apiToken, endpoint }, { http }) => {
    const base = new URL(endpoint).pathname === "/" ? new URL("v1", endpoint).href : endpoint;
    const api = http(base, { authorization: `Bearer ${apiToken}` });
    const act = async (path: string, body: object, call: Call): Promise<void> => {
      const { clock } = conductOf(call);
      let answer = await api(path, { body, signal: call.signal });
      for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 1.5, 2000)) {
        const { id, status, error } = actionAnswer.parse(answer).action;
        if (status === "success") return;
        if (status === "error") throw new TransientError(`the action failed: ${error?.message} (${error?.code})`);
        await clock.sleep(pauseMs, call.signal);
        answer = await api(`actions/${id}`, { signal: call.signal }).catch((cause: unknown) => {
          throw afterAccepted(cause);
        });
      }
    };

    return recordBackend(
      {
        async findZone(apex, { signal }) {
          const answer = await api(`zones/${encodeURIComponent(apex)}`, { signal }).catch(absent);
          if (answer === undefined) return undefined;
          if (zoneAnswer.parse(answer).zone.mode !== "secondary") return { apex, id: apex };
          throw new ZoneNotFoundError(`${apex} is a secondary zone, its records come from another nameserver`, [apex], {
            hint: "Choose the provider of the zone's primary nameserver.",
          });
        },
        async visibleZones({ signal }) {
          const query = { per_page: 50, sort: "name:asc" };
          return zoneList.parse(await api("zones", { query, signal })).zones.map(({ name }) => name);
        },
        async list(owner, { signal }) {
          const answer = await api(pathOf(owner), { signal }).catch(absent);
          if (answer === undefined) return [];
          const { ttl, records } = rrsetAnswer.parse(answer).rrset;
          // 0: none of their own, the zone's.
          return records.map(({ value }) => ({ id: value, value: unquoteTxt(value), ttlSeconds: ttl ?? 0 }));
        },
        async create(owner, value, call) {
          const path = `${pathOf(owner)}/actions/add_records`;
          const records = [{ value: quoteTxt(value) }];
          await act(path, { ttl: call.ttlSeconds || undefined, records }, call).catch((cause: unknown) => {
            // A TTL is refused if values that came there meanwhile have another; without one, theirs is kept.
            if (codeOf(cause) !== "invalid_input" || isDuplicate(cause)) throw cause;
            return act(path, { records }, call);
          });
        },
        async delete(owner, { id: value }, call) {
          const path = `${pathOf(owner)}/actions/remove_records`;
          await act(path, { records: [{ value }] }, call).catch((cause: unknown) => {
            // Whatever it has against a value that was listed a moment ago: the list has changed.
            if (codeOf(cause) === "invalid_input") throw new ConflictError("the set has changed", { cause });
            return absent(cause);
          });
        },
      },
      { listLagMs: 0 },
    );
  },
});

function pathOf({ zone, relative }: Owner): string {
  return `zones/${encodeURIComponent(zone.id)}/rrsets/${relative === "@" ? relative : encodeURIComponent(relative)}/TXT`;
}

function absent(cause: unknown): undefined {
  if (codeOf(cause) !== "not_found") throw cause;
}
