import { z } from "zod";
import { schemasOf } from "../core/json-schema.ts";
import type { Provider } from "../core/provider.ts";
import { configSchema } from "./schema.ts";

/** As much of JSON Schema as is touched here. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly [keyword: string]: unknown;
}

/**
 * JSON Schema 2020-12 of dns01.yaml for editors and validators. The fields under `config` are those of the provider that
 * stands beside it; none is required, since the environment may have it.
 */
export function configJsonSchema(providers: readonly Provider[]): unknown {
  const root = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Node;
  const { solvers = {}, credentials = {} } = root.properties ?? {};
  return {
    ...root,
    title: "dns01.yaml",
    description: "Configuration of dns01: CAs, DNS services, certificates",
    properties: {
      ...root.properties,
      credentials: { ...credentials, additionalProperties: withFields(credentials.additionalProperties, providers) },
      solvers: { ...solvers, items: withFields(solvers.items, providers) },
    },
    $defs: Object.fromEntries(providers.map((provider) => [provider.id, fieldsSchema(provider)])),
  };
}

function fieldsSchema(provider: Provider): unknown {
  const { required: _, ...config } = schemasOf(provider).config;
  return { title: provider.title, ...config };
}

function withFields(node: Node | boolean | undefined, providers: readonly Provider[]): Node {
  const own = typeof node === "object" ? node : {};
  const provider = { description: "provider id", enum: providers.flatMap(({ id, aliases = [] }) => [id, ...aliases]) };
  return {
    ...own,
    properties: { ...own.properties, provider },
    allOf: providers.map(({ id, aliases = [] }) => ({
      if: { properties: { provider: { enum: [id, ...aliases] } }, required: ["provider"] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { config: { $ref: `#/$defs/${id}` } } },
    })),
  };
}
