import {
  byHttpStatus,
  defineProvider,
  type HttpApi,
  type Owner,
  type Provider,
  type RecordApi,
  type RRsetApi,
  recordBackend,
  rrsetBackend,
  secret,
  type TxtBackend,
  z,
} from "../../src/index.ts";

const fields = {
  token: secret("API token").optional(),
  password: secret("password of the old API").optional(),
  endpoint: z.url().default("https://toy.invalid").describe("address of the API"),
};

/** The right fields with some of them replaced; `rule` false leaves out that the two ways to sign in exclude each other. */
export function toyConfig(replaced: z.core.$ZodShape = {}, rule = true): Provider["config"] {
  const object = z.strictObject({ ...fields, ...(replaced as typeof fields) });
  const ruled = object.superRefine(({ token, password }, context) => {
    const fault = (message: string) => context.addIssue({ code: "custom", path: ["password"], message });
    if (token !== undefined && password !== undefined) fault("is given together with token: give one of them");
  });
  return (rule ? ruled : object) as unknown as Provider["config"];
}

const traits = { ttlSeconds: { min: 60, default: 120 } };

interface Config {
  readonly token: string;
  readonly endpoint: string;
}

/** The right adapters with a part of them replaced. */
export interface Bend<Api> {
  readonly api?: (right: Api, http: HttpApi) => Api;
  readonly classify?: Provider["classify"];
  readonly headers?: (config: Config) => Readonly<Record<string, string>>;
  readonly config?: Provider["config"];
  readonly backend?: (right: TxtBackend) => TxtBackend;
}

export function toyRecordProvider(bend: Bend<RecordApi> = {}): Provider {
  return toyProvider("toy-record", bend, (http) => {
    const right: RecordApi = {
      findZone: zoneByName(http),
      list: async ({ zone, fqdn }, { signal }) => {
        const records: { id: string; value: string }[] = [];
        let from: number | undefined = 0;
        while (from !== undefined) {
          const answer = (await http(`zones/${zone.id}/records`, { query: { name: fqdn, from }, signal })) as Page;
          records.push(...(answer.entries as typeof records));
          from = answer.next;
        }
        return records;
      },
      create: async ({ zone, fqdn }, value, { signal, ttlSeconds }) => {
        await http(`zones/${zone.id}/records`, {
          method: "POST",
          body: { name: fqdn, value, ttl: ttlSeconds },
          signal,
        });
      },
      delete: async ({ zone }, { id }, { signal }) => {
        await gone(http(`zones/${zone.id}/records/${id}`, { method: "DELETE", signal }));
      },
    };
    return recordBackend(bend.api?.(right, http) ?? right, { listLagMs: 0 });
  });
}

export function toyRRsetProvider(bend: Bend<RRsetApi> = {}, conditional = true): Provider {
  return toyProvider(conditional ? "toy-rrset" : "toy-rrset-plain", bend, (http) => {
    const right: RRsetApi = {
      conditional,
      findZone: zoneByName(http),
      read: async (owner, { signal }) => {
        const { values, ttl, etag } = (await http(setPath(owner), { signal })) as ToySet;
        return values.length === 0 ? undefined : { values, ttlSeconds: ttl, version: etag };
      },
      replace: async (_zone, changes, { signal }) => {
        for (const { owner, previous, next } of changes) {
          await http(setPath(owner), {
            method: "PUT",
            body: { values: next?.values ?? [], ttl: next?.ttlSeconds ?? 0 },
            headers: conditional ? { "if-match": previous?.version ?? emptyEtag } : {},
            signal,
          });
        }
      },
    };
    return rrsetBackend(bend.api?.(right, http) ?? right);
  });
}

/** The service's ETag of a name without values. */
const emptyEtag = "4f53cda18c2baa0c";

interface Page {
  readonly entries: readonly unknown[];
  readonly next?: number;
}

interface ToySet {
  readonly values: readonly string[];
  readonly ttl: number;
  readonly etag: string;
}

function toyProvider(id: string, bend: Omit<Bend<unknown>, "api">, backendOf: (http: HttpApi) => TxtBackend): Provider {
  const { backend = (right) => right, headers = ({ token }) => ({ authorization: `Bearer ${token}` }) } = bend;
  return defineProvider({
    id,
    title: "Toy",
    config: bend.config ?? toyConfig(),
    traits,
    classify: bend.classify ?? byHttpStatus({}),
    connect: (given, deps) => {
      const config = given as unknown as Config;
      return backend(backendOf(deps.http(config.endpoint, headers(config))));
    },
  });
}

function zoneByName(http: HttpApi): RecordApi["findZone"] {
  return async (apex, { signal }) => {
    const answer = await gone(http(`zones/${apex}`, { signal }));
    return answer === undefined ? undefined : { apex, id: (answer as { id: string }).id };
  };
}

function setPath({ zone, fqdn }: Owner): string {
  return `zones/${zone.id}/sets/${fqdn}`;
}

/** `undefined` for 404. */
async function gone(request: Promise<unknown>): Promise<unknown> {
  try {
    return await request;
  } catch (error) {
    if ((error as { status?: unknown }).status === 404) return undefined;
    throw error;
  }
}
