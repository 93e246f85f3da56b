import { payloadKind } from "./discovery.ts";

export interface SchemaRefs {
  /** Where schemas are kept: "#/definitions/" or "#/components/schemas/". */
  readonly prefix: string;
}

const text = (description: string) => ({ type: "string", description });
const flag = (description: string) => ({ type: "boolean", description });

/** cert-manager's ChallengePayload as OpenAPI describes types; what `kubectl explain` shows. */
export function payloadSchemas({ prefix }: SchemaRefs) {
  const base = "io.cert-manager.webhook.acme.v1alpha1";
  const name = `${base}.ChallengePayload`;
  const schemas = {
    [name]: {
      type: "object",
      description: "ChallengePayload describes a request or response for presenting or cleaning up an ACME challenge.",
      properties: {
        kind: text("ChallengePayload, or nothing."),
        apiVersion: text("webhook.acme.cert-manager.io/v1alpha1, or nothing."),
        request: {
          description: "What cert-manager asks for.",
          ...reference(prefix, `${base}.ChallengeRequest`),
        },
        response: {
          description: "The answer; never part of a request.",
          ...reference(prefix, `${base}.ChallengeResponse`),
        },
      },
      "x-kubernetes-group-version-kind": [payloadKind],
    },
    [`${base}.ChallengeRequest`]: {
      type: "object",
      description: "One challenge.",
      required: ["action", "key", "resolvedFQDN"],
      properties: {
        uid: text("Copied into the response."),
        action: { ...text("What is to be done."), enum: ["Present", "CleanUp"] },
        type: text("dns-01."),
        dnsName: text("Name that is validated, without the *. of a wildcard."),
        key: text("Value of the TXT record, as it is."),
        resourceNamespace: text("Namespace that references to Secrets in config are looked up in."),
        resolvedFQDN: text("Name of the TXT record, with a trailing dot."),
        resolvedZone: text("Zone of that name by DNS, with a trailing dot."),
        allowAmbientCredentials: flag("Whether credentials of the webhook's own machine may be used."),
        config: {
          type: "object",
          description: "Settings of the solver: config of the Issuer's dns01.webhook.",
          "x-kubernetes-preserve-unknown-fields": true,
        },
      },
    },
    [`${base}.ChallengeResponse`]: {
      type: "object",
      description: "What came of it.",
      required: ["uid", "success"],
      properties: {
        uid: text("That of the request."),
        success: flag("Whether it was done."),
        status: {
          type: "object",
          description: "A Status object: why it was not done.",
          "x-kubernetes-preserve-unknown-fields": true,
        },
      },
    },
  };
  return { name, schemas };
}

/** In OpenAPI 3.0 and Swagger 2.0 a bare $ref loses its neighbours. */
function reference(prefix: string, name: string) {
  return { allOf: [{ $ref: `${prefix}${name}` }] };
}
