import { z } from "zod";

/** A rendered object, as far as all have something in common. */
const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
export type KubernetesObject = z.infer<typeof objectSchema>;

export function parseObject(value: unknown): KubernetesObject {
  return objectSchema.parse(value);
}

const metadata = z.strictObject({
  name: z.string(),
  namespace: z.string(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()).optional(),
});
const duration = z.string().regex(/^\d+h$/);
const promDuration = z.string().regex(/^\d+(ms|s|m|h)$/);
const issuerRef = z.strictObject({ name: z.string(), kind: z.string().optional(), group: z.string().optional() });

/** The shapes that no package of types has, as far as the chart renders them. */
export const customShapes: Readonly<Record<string, z.ZodType>> = {
  "apiregistration.k8s.io/v1 APIService": z.strictObject({
    apiVersion: z.literal("apiregistration.k8s.io/v1"),
    kind: z.literal("APIService"),
    metadata: metadata.omit({ namespace: true }),
    spec: z.strictObject({
      group: z.string(),
      version: z.literal("v1alpha1"),
      groupPriorityMinimum: z.int().min(1).max(20_000),
      versionPriority: z.int().min(1).max(1000),
      service: z.strictObject({ name: z.string(), namespace: z.string(), port: z.int() }),
      caBundle: z.base64().optional(),
    }),
  }),
  "cert-manager.io/v1 Issuer": z.strictObject({
    apiVersion: z.literal("cert-manager.io/v1"),
    kind: z.literal("Issuer"),
    metadata,
    spec: z.union([
      z.strictObject({ selfSigned: z.strictObject({}) }),
      z.strictObject({ ca: z.strictObject({ secretName: z.string() }) }),
    ]),
  }),
  "cert-manager.io/v1 Certificate": z.strictObject({
    apiVersion: z.literal("cert-manager.io/v1"),
    kind: z.literal("Certificate"),
    metadata,
    spec: z.strictObject({
      secretName: z.string(),
      isCA: z.boolean().optional(),
      commonName: z.string().max(64).optional(),
      dnsNames: z.array(z.string()).optional(),
      duration,
      renewBefore: duration,
      revisionHistoryLimit: z.int().min(1),
      privateKey: z.strictObject({
        algorithm: z.literal("ECDSA"),
        size: z.literal(256),
        rotationPolicy: z.enum(["Always", "Never"]),
      }),
      usages: z.array(z.enum(["cert sign", "crl sign", "digital signature", "server auth"])),
      issuerRef,
    }),
  }),
  "monitoring.coreos.com/v1 ServiceMonitor": z.strictObject({
    apiVersion: z.literal("monitoring.coreos.com/v1"),
    kind: z.literal("ServiceMonitor"),
    metadata,
    spec: z.strictObject({
      selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
      endpoints: z.array(
        z.strictObject({ port: z.string(), path: z.string(), interval: promDuration, scrapeTimeout: promDuration }),
      ),
    }),
  }),
  "monitoring.coreos.com/v1 PrometheusRule": z.strictObject({
    apiVersion: z.literal("monitoring.coreos.com/v1"),
    kind: z.literal("PrometheusRule"),
    metadata,
    spec: z.strictObject({
      groups: z.array(
        z.strictObject({
          name: z.string(),
          rules: z.array(
            z.strictObject({
              alert: z.string().regex(/^Dns01[A-Za-z]+$/),
              expr: z.string(),
              for: promDuration,
              labels: z.looseObject({ severity: z.enum(["warning", "critical"]) }),
              annotations: z.strictObject({ summary: z.string(), description: z.string() }),
            }),
          ),
        }),
      ),
    }),
  }),
};
