{{/*
The release's name, with the chart's where it does not say so, as the name of a Service has to be: a letter first, then
letters, digits and "-". Names of releases may have dots and begin with a digit.
*/}}
{{- define "dns01.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = default $full .Values.fullnameOverride | lower | replace "." "-" | replace "_" "-" -}}
{{- if regexMatch "^[^a-z]" $full -}}
{{- $full = printf "%s-%s" .Chart.Name $full -}}
{{- end -}}
{{- regexReplaceAll "-+$" (trunc 52 $full) "" -}}
{{- end }}

{{- define "dns01.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: webhook
{{- end }}

{{/* `commonLabels` may say the usual ones otherwise, but for those that select: a key that comes twice is refused by many. */}}
{{- define "dns01.labels" -}}
{{- $own := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "dns01" -}}
{{- mergeOverwrite $own .Values.commonLabels (include "dns01.selectorLabels" . | fromYaml) | toYaml -}}
{{- end }}

{{- define "dns01.podLabels" -}}
{{- $own := include "dns01.labels" . | fromYaml -}}
{{- mergeOverwrite $own .Values.podLabels (include "dns01.selectorLabels" . | fromYaml) | toYaml -}}
{{- end }}

{{- define "dns01.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "dns01.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "dns01.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* Every API group served, as a JSON array. */}}
{{- define "dns01.groups" -}}
{{- prepend .Values.extraGroups .Values.groupName | uniq | toJson -}}
{{- end }}

{{/* ServiceAccounts that may publish records, as a JSON array of {namespace, name}. */}}
{{- define "dns01.callers" -}}
{{- $own := dict "namespace" .Values.certManager.namespace "name" .Values.certManager.serviceAccountName -}}
{{- prepend .Values.certManager.extraServiceAccounts $own | uniq | toJson -}}
{{- end }}

{{- define "dns01.clusterResourceNamespace" -}}
{{ default .Values.certManager.namespace .Values.certManager.clusterResourceNamespace }}
{{- end }}

{{/* Secret with the serving certificate. */}}
{{- define "dns01.tlsSecret" -}}
{{ default (printf "%s-tls" (include "dns01.fullname" .)) .Values.tls.existingSecret }}
{{- end }}

{{/* Whether more than one pod runs at least: "true" or "". */}}
{{- define "dns01.several" -}}
{{- $least := ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- if gt (int $least) 1 }}true{{ end -}}
{{- end }}

{{- define "dns01.secretsRole" -}}
{{ .Release.Namespace }}-{{ include "dns01.fullname" . }}-secrets
{{- end }}

{{/* Namespaces whose Secrets may be read, and their names there (none: all), as a JSON object; who is named twice has both. */}}
{{- define "dns01.secretPlaces" -}}
{{- $places := dict -}}
{{- $wanted := .Values.secretAccess.namespaces -}}
{{- if .Values.secretAccess.clusterResource -}}
{{- $names := .Values.secretAccess.clusterResourceSecretNames -}}
{{- $wanted = prepend $wanted (dict "name" (include "dns01.clusterResourceNamespace" .) "secretNames" $names) -}}
{{- end -}}
{{- range $wanted -}}
{{- $names := default list .secretNames -}}
{{- if hasKey $places .name -}}
{{- $before := get $places .name -}}
{{- $names = ternary (concat $before $names | uniq) list (and (gt (len $before) 0) (gt (len $names) 0)) -}}
{{- end -}}
{{- $_ := set $places .name $names -}}
{{- end -}}
{{- toJson $places -}}
{{- end }}

{{/* Of what exists for `helm test` only: no selector of the webhook's takes it for a pod of its own. */}}
{{- define "dns01.checkLabels" -}}
{{- include "dns01.labels" . | replace "component: webhook" "component: check" -}}
{{- end }}
