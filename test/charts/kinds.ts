import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { HorizontalPodAutoscaler } from "kubernetes-types/autoscaling/v2.js";
import type { ConfigMap, Pod, Service, ServiceAccount } from "kubernetes-types/core/v1.js";
import type { NetworkPolicy } from "kubernetes-types/networking/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "kubernetes-types/rbac/v1.js";

/** Types made from Kubernetes' own OpenAPI document: the compiler finds unknown keys, missing ones and wrong types. */
export interface Kinds {
  "apps/v1 Deployment": Deployment;
  "autoscaling/v2 HorizontalPodAutoscaler": HorizontalPodAutoscaler;
  "networking.k8s.io/v1 NetworkPolicy": NetworkPolicy;
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget;
  "rbac.authorization.k8s.io/v1 ClusterRole": ClusterRole;
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": ClusterRoleBinding;
  "rbac.authorization.k8s.io/v1 Role": Role;
  "rbac.authorization.k8s.io/v1 RoleBinding": RoleBinding;
  "v1 ConfigMap": ConfigMap;
  "v1 Pod": Pod;
  "v1 Service": Service;
  "v1 ServiceAccount": ServiceAccount;
}

/** Those that the compiler checks. */
export const kinds: Readonly<Record<keyof Kinds, true>> = {
  "apps/v1 Deployment": true,
  "autoscaling/v2 HorizontalPodAutoscaler": true,
  "networking.k8s.io/v1 NetworkPolicy": true,
  "policy/v1 PodDisruptionBudget": true,
  "rbac.authorization.k8s.io/v1 ClusterRole": true,
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": true,
  "rbac.authorization.k8s.io/v1 Role": true,
  "rbac.authorization.k8s.io/v1 RoleBinding": true,
  "v1 ConfigMap": true,
  "v1 Pod": true,
  "v1 Service": true,
  "v1 ServiceAccount": true,
};
