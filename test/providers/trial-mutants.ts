import {
  AuthError,
  byHttpStatus,
  HttpError,
  type RecordApi,
  RejectedError,
  TransientError,
  z,
} from "../../src/index.ts";
import { toyConfig, toyRecordProvider, toyRRsetProvider } from "./toy-adapters.ts";
import { startToyService } from "./toy-service.ts";
import { perRecord, perSet } from "./trial/economy.ts";
import type { AdapterTrial } from "./trial.ts";

/** An adapter that gets one thing wrong, in a way somebody's adapter has. */
export interface TrialMutant {
  readonly check: string;
  readonly fault: string;
  /** Checks that the same fault breaks besides. */
  readonly also?: readonly string[];
  readonly trial: () => AdapterTrial;
}

export const toyTrial = {
  shape: "record",
  start: startToyService,
  economy: perRecord,
  exclusive: [{ config: { password: "passw0rd-of-old" }, names: ["password", "token"] }],
} satisfies Partial<AdapterTrial>;

type Zones = { readonly entries: readonly string[] };

function record(bend: Parameters<typeof toyRecordProvider>[0], more: Partial<AdapterTrial> = {}): () => AdapterTrial {
  return () => ({ ...toyTrial, provider: toyRecordProvider(bend), ...more });
}

/** A findZone that lists zones and takes the first that fits. */
function listed(
  fits: (zone: string, apex: string) => boolean,
  size = 10_000,
): NonNullable<Parameters<typeof toyRecordProvider>[0]> {
  return {
    api: (right, http) => ({
      ...right,
      findZone: async (apex, { signal }) => {
        const { entries } = (await http("zones", { query: { size }, signal })) as Zones;
        const id = entries.find((zone) => fits(zone, apex));
        return id === undefined ? undefined : { apex, id };
      },
    }),
  };
}

function findZone(change: (usual: RecordApi["findZone"]) => RecordApi["findZone"]): () => AdapterTrial {
  return record({ api: (right) => ({ ...right, findZone: change(right.findZone) }) });
}

let failures = 0;

export const trialMutants: readonly TrialMutant[] = [
  {
    check: "config.fields",
    fault: "does not describe a field",
    trial: record({ config: toyConfig({ password: z.string().optional() }) }),
  },
  {
    check: "config.environment",
    fault: "makes something else of a number that is text",
    trial: record(
      { config: toyConfig({ size: z.any().describe("size of a page") }) },
      {
        start: async (zones) => {
          const fake = await startToyService(zones);
          return { ...fake, config: { ...fake.config, size: 20 } };
        },
      },
    ),
    also: ["config.faults"],
  },
  {
    check: "config.trimmed",
    fault: "takes secrets with their line ends",
    trial: record({
      config: toyConfig({ token: z.string().min(1, "is empty").meta({ description: "API token", secret: true }) }),
    }),
  },
  {
    check: "config.faults",
    fault: "takes an empty secret",
    trial: record({
      config: toyConfig({
        token: z
          .string()
          .overwrite((text) => text.trim())
          .meta({ description: "API token", secret: true }),
      }),
    }),
  },
  { check: "config.exclusive", fault: "takes both ways to sign in", trial: record({ config: toyConfig({}, false) }) },
  {
    check: "zones.choice-nested",
    fault: "knows no zones below registered domains",
    trial: findZone((usual) => async (apex, call) => (apex.split(".").length === 3 ? undefined : usual(apex, call))),
    // It never asks for one of the parents.
    also: ["zones.choice-decoy", "economy.one"],
  },
  {
    check: "zones.choice-decoy",
    fault: "takes a zone whose name ends with what it looks for",
    trial: record(listed((zone, apex) => zone.endsWith(apex))),
  },
  {
    check: "zones.choice-apex",
    fault: "writes @ in front of the apex",
    trial: record({
      api: (right) => ({
        ...right,
        create: (owner, ...rest) =>
          right.create(
            owner.relative === "@" ? { ...owner, fqdn: `@.${owner.fqdn}` as typeof owner.fqdn } : owner,
            ...rest,
          ),
      }),
    }),
  },
  {
    check: "zones.choice-idn",
    fault: "does not know that the service spells names otherwise",
    trial: findZone((usual) => async (apex, call) => (apex.includes("xn--") ? undefined : usual(apex, call))),
  },
  {
    check: "zones.choice-many",
    fault: "looks at the first page of the zones",
    trial: record(listed((zone, apex) => zone === apex, 100)),
  },
  {
    check: "zones.choice-none",
    fault: "takes a zone that what it looks for ends with, letter by letter",
    also: ["zones.choice-decoy", "zones.choice-nested"],
    trial: record(listed((zone, apex) => apex === zone || (apex.endsWith(zone) && !apex.endsWith(`.${zone}`)))),
  },
  {
    check: "zones.choice-limited",
    fault: "gives up at the first zone it may not see",
    trial: record({ classify: byHttpStatus({ 403: RejectedError }) }),
  },
  {
    check: "economy.one",
    fault: "asks for every zone twice",
    trial: findZone((usual) => async (apex, call) => (await usual(apex, call)) && usual(apex, call)),
  },
  {
    check: "economy.pair",
    fault: "lists again before each further value of a name",
    also: ["economy.batch"],
    trial: record({
      api: (right) => {
        let isFresh = false;
        return {
          ...right,
          list: (...given) => {
            isFresh = true;
            return right.list(...given);
          },
          create: async (owner, ...rest) => {
            if (!isFresh) await right.list(owner, rest[1]);
            isFresh = false;
            await right.create(owner, ...rest);
          },
        };
      },
    }),
  },
  {
    check: "economy.batch",
    fault: "lists again for every name of a batch",
    trial: record({
      api: (right) => ({
        ...right,
        create: async (owner, ...rest) => {
          if (owner.relative.includes("host-")) await right.list(owner, rest[1]);
          await right.create(owner, ...rest);
        },
      }),
    }),
  },
  {
    check: "interleavings",
    fault: "claims compare-and-swap, and compares nothing",
    trial: () => {
      const plain = toyRRsetProvider({}, false);
      const provider = toyRRsetProvider({
        api: (right, http) => ({
          ...right,
          replace: async (zone, changes, { signal }) => {
            for (const { owner, next } of changes) {
              const body = { values: next?.values ?? [], ttl: next?.ttlSeconds ?? 0 };
              await http(`zones/${zone.id}/sets/${owner.fqdn}`, { method: "PUT", body, signal });
            }
          },
        }),
      });
      return { ...toyTrial, shape: "rrset", economy: perSet, provider: { ...plain, connect: provider.connect } };
    },
  },
  {
    check: "faults.present",
    fault: "takes a failed create for done",
    also: ["faults.lasting"],
    trial: record({ api: (right) => ({ ...right, create: (...given) => right.create(...given).catch(() => {}) }) }),
  },
  {
    check: "faults.clean-up",
    fault: "takes a failed delete for done",
    trial: record({ api: (right) => ({ ...right, delete: (...given) => right.delete(...given).catch(() => {}) }) }),
  },
  {
    check: "faults.lasting",
    fault: "does not tell a request to slow down from a failure",
    trial: record({ classify: byHttpStatus({ 429: TransientError }) }),
  },
  {
    check: "messages.equal",
    fault: "counts its failures in the message",
    trial: record({
      classify: (cause) =>
        cause instanceof HttpError && cause.status === 500
          ? new TransientError(`failure ${++failures}`, { cause })
          : undefined,
    }),
  },
  {
    check: "messages.credentials",
    fault: "does not say that the credentials are refused",
    trial: record({ classify: byHttpStatus({ 401: RejectedError }) }),
  },
  {
    check: "messages.request-id",
    fault: "translates errors itself and loses the request id",
    trial: findZone((usual) => async (apex, call) => {
      try {
        return await usual(apex, call);
      } catch (error) {
        throw error instanceof HttpError && error.status === 401 ? new AuthError(error.message) : error;
      }
    }),
  },
  {
    check: "secrecy",
    fault: "hangs the request with its headers onto the error",
    trial: record({
      backend: (right) => ({
        ...right,
        apply: async (...given) => {
          try {
            return await right.apply(...given);
          } catch (error) {
            throw Object.assign(error as Error, { request: { authorization: "Bearer tok-5ecret/+value" } });
          }
        },
      }),
    }),
  },
];
