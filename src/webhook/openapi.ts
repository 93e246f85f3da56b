import { apiVersion, payloadKind, type Served } from "./discovery.ts";
import { type Document, documentOf } from "./document.ts";
import { payloadSchemas, type SchemaRefs } from "./payload-schema.ts";

export interface OpenApi {
  /** `GET /openapi/v2` */
  readonly v2: Document;
  /** `GET /openapi/v3` */
  readonly v3: Document;
  /** `GET /openapi/v3/apis/GROUP/v1alpha1`, by group. */
  readonly groups: ReadonlyMap<string, Document>;
}

/** What kubectl and the aggregator read to know the type. */
export function createOpenApi({ groups, solvers }: Served, version: string): OpenApi {
  const names = operationNames({ groups, solvers });
  const info = { title: "dns01", version };
  const documents = new Map(
    groups.map((group) => [group, documentOf(groupDocument(group, solvers, names, info))] as const),
  );
  const paths = Object.fromEntries(
    [...documents].map(([group, { hash }]) => {
      const path = `apis/${group}/${apiVersion}`;
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    }),
  );
  return { v2: documentOf(swagger({ groups, solvers }, names, info)), v3: documentOf({ paths }), groups: documents };
}

interface Info {
  readonly title: string;
  readonly version: string;
}

type OperationNames = (group: string, solver: string) => string;

/** Like Kubernetes' own ("createAcmeExampleOrgV1alpha1Dnspod"), each once in the cluster and so in each document. */
function operationNames({ groups, solvers }: Served): OperationNames {
  const given = new Map<string, string>();
  const taken = new Set<string>();
  for (const group of groups) {
    for (const solver of solvers) {
      const base = `create${camel(group)}${camel(apiVersion)}${camel(solver)}`;
      let name = base;
      for (let n = 2; taken.has(name); n++) name = `${base}${n}`;
      taken.add(name);
      given.set(`${group}/${solver}`, name);
    }
  }
  return (group, solver) => given.get(`${group}/${solver}`) ?? "";
}

function camel(text: string): string {
  return text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function operation(group: string, solver: string, names: OperationNames) {
  return {
    description: `present or clean up a challenge value with ${solver}`,
    tags: [`${camel(group).charAt(0).toLowerCase()}${camel(group).slice(1)}_${apiVersion}`],
    operationId: names(group, solver),
    "x-kubernetes-action": "post",
    "x-kubernetes-group-version-kind": payloadKind,
  };
}

const answers = { 200: "OK", 201: "Created", 401: "Unauthorized", 403: "Forbidden" };

function groupDocument(group: string, solvers: readonly string[], names: OperationNames, info: Info) {
  const refs: SchemaRefs = { prefix: "#/components/schemas/" };
  const { name, schemas } = payloadSchemas(refs);
  const content = { "application/json": { schema: { $ref: `${refs.prefix}${name}` } } };
  const responses = Object.fromEntries(
    Object.entries(answers).map(([code, description]) => [
      code,
      code.startsWith("2") ? { description, content } : { description },
    ]),
  );
  const paths = solvers.map((solver) => [
    `/apis/${group}/${apiVersion}/${solver}`,
    { post: { ...operation(group, solver, names), requestBody: { content, required: true }, responses } },
  ]);
  return { openapi: "3.0.0", info, paths: Object.fromEntries(paths), components: { schemas } };
}

function swagger({ groups, solvers }: Served, names: OperationNames, info: Info) {
  const refs: SchemaRefs = { prefix: "#/definitions/" };
  const { name, schemas } = payloadSchemas(refs);
  const schema = { $ref: `${refs.prefix}${name}` };
  const responses = Object.fromEntries(
    Object.entries(answers).map(([code, description]) => [
      code,
      code.startsWith("2") ? { description, schema } : { description },
    ]),
  );
  const json = ["application/json"];
  const paths = groups.flatMap((group) =>
    solvers.map((solver) => [
      `/apis/${group}/${apiVersion}/${solver}`,
      {
        post: {
          ...operation(group, solver, names),
          consumes: json,
          produces: json,
          schemes: ["https"],
          parameters: [{ name: "body", in: "body", required: true, schema }],
          responses,
        },
      },
    ]),
  );
  return { swagger: "2.0", info, paths: Object.fromEntries(paths), definitions: schemas };
}
