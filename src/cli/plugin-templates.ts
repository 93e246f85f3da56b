export type Shape = "record" | "rrset" | "direct";

export interface Template {
  readonly id: string;
  readonly shape: Shape;
  /** For a checkout of dns01: TypeScript, and relative imports. */
  readonly inTree: boolean;
}

/** The adapter, every function of which says what it still lacks. */
export function adapterTemplate({ id, shape, inTree }: Template): string {
  const lift = { record: "recordBackend, ", rrset: "rrsetBackend, ", direct: "" }[shape];
  const file = inTree ? `providers/${id}.ts` : `${id}.mjs`;
  const types = inTree
    ? { what: ": string", given: ": object", result: ": never" }
    : { what: "", given: "", result: "" };
  return `import { byHttpStatus, defineProvider, httpUrl, RejectedError, ${lift}secret, z } from "${inTree ? "../src/index.ts" : "dns01"}";

/** Fails until the function that calls it is written; \`given\` is what that function has to work with. */
const todo = (what${types.what}, given${types.given})${types.result} => {
  throw new Error(\`write \${what} in ${file}, with \${Object.keys(given).join(", ")}\`);
};

export default defineProvider({
  id: "${id}",
  title: "${titleOf(id)}", // the service's own name
  docs: "https://api.${id}.example/docs", // where its API is described
  // One flat object; every field becomes a flag, an environment variable and a key of dns01.yaml.
  config: z.strictObject({
    token: secret("API token that may edit TXT records", { header: true }),
    endpoint: httpUrl().default("https://api.${id}.example").describe("address of the API"),
  }),
  // Add \`rate: { requests: 4, perMs: 1000 }\` if the service has a limit.
  traits: { ttlSeconds: { min: 60, default: 120 } },
  // Which error of the service is which of ours; the rest is told by its status.
  classify: byHttpStatus({ 422: RejectedError }),
  connect: ({ token, endpoint }, { http }) => {
    const api = http(endpoint, { authorization: \`Bearer \${token}\` });
${bodies[shape]}  },
});
`;
}

const bodies: Readonly<Record<Shape, string>> = {
  record: `    return recordBackend({
      // { apex, id } if this account holds exactly the zone \`apex\`, undefined if not. No search.
      findZone: async (apex, { signal }) => todo("findZone", { api, apex, signal }),
      // [{ id, value }] of all TXT records at exactly this owner, over all pages; values without quotes.
      list: async ({ zone, relative }, { signal }) => todo("list", { api, zone, relative, signal }),
      // One more TXT record. ConflictError if the service says that it exists.
      create: async ({ zone, relative }, value, { signal, ttlSeconds }) =>
        todo("create", { api, zone, relative, value, ttlSeconds, signal }),
      // Exactly this record. What is gone already is success.
      delete: async ({ zone }, record, { signal }) => todo("delete", { api, zone, record, signal }),
    });
`,
  rrset: `    return rrsetBackend({
      // true only if the service refuses a write (ConflictError) whose \`previous\` no longer holds.
      conditional: false,
      // { apex, id } if this account holds exactly the zone \`apex\`, undefined if not. No search.
      findZone: async (apex, { signal }) => todo("findZone", { api, apex, signal }),
      // { values, ttlSeconds } of the TXT set at exactly this owner, undefined if there is none; values without quotes.
      // What the write needs of it (an ETag, the texts as they stand there) goes into \`version\`, a string.
      read: async ({ zone, relative }, { signal }) => todo("read", { api, zone, relative, signal }),
      // Writes each change: \`next\` instead of \`previous\`; without \`next\` the set is deleted. If the service wants quotes,
      // rewriteTxt(texts, next.values) leaves what others wrote as they wrote it.
      replace: async (zone, changes, { signal }) => todo("replace", { api, zone, changes, signal }),
    });
`,
  direct: `    return {
      // { apex, id } if this account holds exactly the zone \`apex\`, undefined if not. No search.
      findZone: async (apex, { signal }) => todo("findZone", { api, apex, signal }),
      // For each edit: adds the values of \`add\`, removes those of \`remove\`, leaves all else; says "changed" or "unchanged".
      apply: async (zone, edits, { signal, ttlSeconds }) => todo("apply", { api, zone, edits, ttlSeconds, signal }),
    };
`,
};

/** The fake of the service: everything but how its API speaks. */
export function fakeTemplate({ id, shape, inTree }: Template): string {
  const testing = inTree ? "../../src/testing/index.ts" : "dns01/testing";
  const adapter = inTree ? `../../providers/${id}.ts` : `./${id}.mjs`;
  const file = inTree ? `test/fakes/${id}.ts` : `${id}.fake.mjs`;
  const names = inTree ? "connectBackend, type Fake, startFake" : "connectBackend, startFake";
  const writers =
    shape === "rrset"
      ? `
/** Without compare-and-swap only one writer at a time loses nothing. Remove this line for \`conditional: true\`. */
export const writers = 1;
`
      : "";
  const imports = [`import { ${names} } from "${testing}";`, `import provider from "${adapter}";`];
  return `${(inTree ? imports.reverse() : imports).join("\n")}

const token = "fake-t0ken";

/** A fresh service that holds exactly these zones, all empty. Called once for each rule. */
export const start${inTree ? `: Fake["start"]` : ""} = (zones) =>
  startFake({
    zones,
    secrets: [token],
    connect: (url, signal) => connectBackend(provider, { token, endpoint: url }, signal),
    // What the service answers to wrong credentials, to credentials for another zone, and to one request too many.
    refuse: () => ({ status: 401, body: { message: "wrong token" } }),
    forbid: () => ({ status: 403, body: { message: "this token may not touch this zone" } }),
    throttle: (seconds) => ({ status: 429, headers: { "retry-after": String(seconds ?? 1) }, body: { message: "slow down" } }),
    // If it shows values in quotes: encodeTxt and decodeTxt of dns01/testing.
    // One request, answered as the service does, no laxer: { status, body }. A zone is { id, apex, records }, a record
    // { id, name, type, value, ttlSeconds } with its name inside the zone ("@" at the apex); zone.add(…) makes one.
    answer: ({ method, path, query, headers, body }, zones) => {
      const given = Object.keys({ method, path, query, headers, body, zones }).join(", ");
      throw new Error(\`write answer in ${file}, with \${given}\`);
    },
  });

/** Rules that cannot hold for this service, each with its reason: { "adding.again": "…" }. */
export const skip${inTree ? ": Readonly<Record<string, string>>" : ""} = {};
${writers}`;
}

export function testTemplate({ id, shape, inTree }: Template): string {
  const exported = shape === "rrset" ? "skip, start, writers" : "skip, start";
  const head = inTree
    ? `import { test } from "vitest";
import provider from "../../providers/${id}.ts";
import { testProvider, withFake } from "../../src/testing/index.ts";
import { ${exported} } from "../fakes/${id}.ts";
`
    : `// The same as \`dns01 plugin test ./${id}.mjs\`, for your own test run: needs dns01 in node_modules, then \`node --test\`.
import { test } from "node:test";
import { testProvider, withFake } from "dns01/testing";
import { ${exported} } from "./${id}.fake.mjs";
import provider from "./${id}.mjs";
`;
  const options = inTree ? ", { operations: 100 }" : "";
  return `${head}
testProvider(test, withFake(provider, { ${exported} })${options});
`;
}

/** "acme-host" → "Acme Host" */
function titleOf(id: string): string {
  return id
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ");
}
