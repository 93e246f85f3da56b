import {
  AuthError,
  ConflictError,
  type Dns01Error,
  defineProvider,
  HttpError,
  quoteTxt,
  RateLimitedError,
  RejectedError,
  rrsetBackend,
  secret,
  TransientError,
  unquoteTxt,
  z,
} from "../src/index.ts";

const config = z.strictObject({
  token: secret("API token of the account").meta({ env: ["DESEC_TOKEN", "DEDYN_TOKEN"] }),
  endpoint: z
    .url({ protocol: /^https?$/, error: "has to be an http or https URL" })
    .default("https://desec.io/api/v1")
    .meta({
      description: "address of the API; without a path, /api/v1 is added",
      env: ["DESEC_ENDPOINT"],
      endpoint: true,
    }),
});

const rrsetAnswer = z.object({ ttl: z.number(), records: z.array(z.string()) });

export default defineProvider({
  id: "desec",
  title: "deSEC",
  docs: "https://desec.readthedocs.io/en/latest/dns/rrsets.html",
  config,
  // 60 s are for names under dedyn.io; other domains usually have 3600, and say so when asked for less.
  traits: { ttlSeconds: { min: 60, default: 3600 }, rate: { requests: 2, perMs: 1000 } },
  classify,
  connect: ({ token, endpoint }, { http }) => {
    const base = new URL(endpoint).pathname === "/" ? new URL("api/v1", endpoint).href : endpoint;
    const api = http(base, { authorization: `Token ${token}` });

    return rrsetBackend({
      conditional: false,
      async findZone(apex, { signal }) {
        const answer = await api(`domains/${encodeURIComponent(apex)}/`, { signal }).catch(absent);
        return answer === undefined ? undefined : { apex, id: apex };
      },
      async read({ zone, relative }, { signal }) {
        const path = `domains/${encodeURIComponent(zone.id)}/rrsets/${relative === "@" ? relative : encodeURIComponent(relative)}/TXT/`;
        const answer = await api(path, { signal }).catch(absent);
        if (answer === undefined) return undefined;
        const { ttl, records } = rrsetAnswer.parse(answer);
        return { values: records.map(unquoteTxt), ttlSeconds: ttl };
      },
      async replace(zone, changes, { signal }) {
        const body = changes.map(({ owner: { relative }, next }) => ({
          // In a bulk request the apex is written as nothing, not as "@".
          subname: relative === "@" ? "" : relative,
          type: "TXT",
          ...(next && { ttl: next.ttlSeconds }),
          records: (next?.values ?? []).map(quoteTxt),
        }));
        await api(`domains/${encodeURIComponent(zone.id)}/rrsets/`, { method: "PATCH", body, signal });
      },
    });
  },
});

function absent(cause: unknown): undefined {
  if (!(cause instanceof HttpError && cause.status === 404 && typeof cause.body === "object")) throw cause;
}

function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof HttpError) || (cause.status >= 300 && cause.status < 400)) return undefined;
  const { status, retryAfterMs } = cause;
  const message = `HTTP status ${status}${[...wordsIn(cause.body)].map((words) => `: ${words}`).join("")}`;
  // The service's own words name the seconds that are left.
  if (status === 429) return new RateLimitedError("the account has used up its requests", { cause, retryAfterMs });
  if (status === 409) return new ConflictError("the domain was changed by somebody else at the same time", { cause });
  if (status >= 500 || status === 408) return new TransientError(`HTTP status ${status}`, { cause, retryAfterMs });
  if (status === 401) return new AuthError(message, { cause, hint: "Check DESEC_TOKEN: the token, not its id." });
  if (status === 403) {
    const hint =
      "Give the token a policy that lets it write TXT records of this name, and look at its allowed_subnets.";
    return new AuthError(message, { cause, hint });
  }
  const [, least] = /ttl: .*greater than or equal to (\d+)/.exec(message) ?? [];
  const hint = message.includes("CNAME") ? "Remove the CNAME at this name, or let its target be written." : undefined;
  const minTtlSeconds = least === undefined ? undefined : Number(least);
  return new RejectedError(message, { cause, hint, serviceCode: String(status), minTtlSeconds });
}

/** "ttl: Ensure this value is …" for each fault; a bulk request is answered with a list, `{}` for what is right. */
function* wordsIn(body: unknown, name = ""): Generator<string> {
  if (typeof body === "string" && name !== "")
    yield name === "detail" || name === "non_field_errors" ? body : `${name}: ${body}`;
  else if (Array.isArray(body)) for (const entry of body) yield* wordsIn(entry, name);
  else if (typeof body === "object" && body !== null) {
    for (const [key, entry] of Object.entries(body)) yield* wordsIn(entry, key);
  }
}
