import { z } from "zod";
import type { KubernetesObject } from "./objects.ts";

const volume = z.looseObject({
  name: z.string(),
  secret: z.looseObject({ secretName: z.string() }).optional(),
  configMap: z.looseObject({ name: z.string() }).optional(),
});
const container = z.looseObject({
  name: z.string(),
  args: z.array(z.string()),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.int() })).optional(),
  securityContext: z.looseObject({}).optional(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).optional(),
});
const podSchema = z.looseObject({
  serviceAccountName: z.string(),
  containers: z.array(container),
  volumes: z.array(volume).optional(),
  securityContext: z.looseObject({}).optional(),
});
export type PodSpec = z.infer<typeof podSchema>;

/** Every pod of a rendering: that of the Deployment, and that of `helm test`. */
export function podsOf(objects: readonly KubernetesObject[]): readonly PodSpec[] {
  return objects.flatMap(({ kind, ["spec"]: spec }) => {
    if (kind === "Pod") return [podSchema.parse(spec)];
    if (kind !== "Deployment") return [];
    return [z.looseObject({ template: z.looseObject({ spec: podSchema }) }).parse(spec).template.spec];
  });
}

const restrictedPod = z.looseObject({
  hostNetwork: z.literal(false).optional(),
  hostPID: z.literal(false).optional(),
  hostIPC: z.literal(false).optional(),
  securityContext: z.looseObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.int().min(1).optional(),
    seccompProfile: z.strictObject({ type: z.enum(["RuntimeDefault", "Localhost"]) }),
  }),
  volumes: z
    .array(
      z.union([
        z.strictObject({ name: z.string(), configMap: z.unknown() }),
        z.strictObject({ name: z.string(), secret: z.unknown() }),
        z.strictObject({ name: z.string(), emptyDir: z.unknown() }),
      ]),
    )
    .optional(),
  containers: z.array(
    z.looseObject({
      securityContext: z.looseObject({
        allowPrivilegeEscalation: z.literal(false),
        privileged: z.literal(false).optional(),
        readOnlyRootFilesystem: z.literal(true),
        capabilities: z.strictObject({ drop: z.tuple([z.literal("ALL")]) }),
      }),
      ports: z
        .array(z.looseObject({ hostPort: z.undefined().optional(), containerPort: z.int().min(1024) }))
        .optional(),
    }),
  ),
});

/** Against Pod Security's level "restricted", and a read-only root file system besides. */
export function restrictionFaults(pod: PodSpec): readonly string[] {
  const { error } = restrictedPod.safeParse(pod);
  return error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? [];
}
