{{/* Faults that a schema cannot see, all of them at once. */}}
{{- define "dns01.checks" -}}
{{- $faults := list -}}
{{- if and .Values.tls.existingSecret (not .Values.tls.caBundle) -}}
{{- $faults = append $faults "tls.caBundle: is missing; with tls.existingSecret nobody else tells the API server which CA to trust" -}}
{{- end -}}
{{- if and .Values.tls.caBundle (not .Values.tls.existingSecret) -}}
{{- $faults = append $faults "tls.existingSecret: is missing; tls.caBundle is only for a certificate of your own (cert-manager injects its own CA)" -}}
{{- end -}}
{{- if and .Values.tls.caBundle (not (contains "-----BEGIN CERTIFICATE-----" .Values.tls.caBundle)) -}}
{{- $faults = append $faults "tls.caBundle: has to be PEM (-----BEGIN CERTIFICATE-----), not base64 of it" -}}
{{- end -}}
{{- if and .Values.policy .Values.existingPolicyConfigMap -}}
{{- $faults = append $faults "policy: give either policy or existingPolicyConfigMap" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $faults = append $faults "autoscaling.minReplicas: is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if eq (int .Values.securePort) (int .Values.metrics.port) -}}
{{- $faults = append $faults "metrics.port: is the same as securePort" -}}
{{- end -}}
{{- $call := trimSuffix "s" .Values.callTimeout | int -}}
{{- $delay := trimSuffix "s" .Values.shutdownDelay | int -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (add $call $delay | int) -}}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds: has to be more than callTimeout and shutdownDelay together (%d)" (add $call $delay)) -}}
{{- end -}}
{{- $known := .Files.Get "files/providers.json" | fromJson -}}
{{- range $id := keys .Values.plugins | sortAlpha -}}
{{- if has $id $known.all -}}
{{- $faults = append $faults (printf "plugins.%s: dns01 has a provider of that id; give your plugin another" $id) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.providers (has "exec" .Values.providers) -}}
{{- $faults = append $faults "providers: exec runs programs and is never served" -}}
{{- end -}}
{{- if not .Values.rbac.create -}}
{{- if .Values.secretAccess.clusterWide -}}
{{- $faults = append $faults "secretAccess.clusterWide: has no effect without rbac.create" -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\nvalues of %s:\n  %s\n" .Chart.Name (join "\n  " $faults)) -}}
{{- end -}}
{{- end }}
