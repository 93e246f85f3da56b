{{/* Arguments of the container: one line each, in an order of their own so that two renderings are the same. */}}
{{- define "dns01.args" -}}
- webhook
{{- range include "dns01.groups" . | fromJsonArray }}
- "--group-name={{ . }}"
{{- end }}
- "--secure-port={{ .Values.securePort }}"
- --tls-cert-file=/run/dns01/tls/tls.crt
- --tls-private-key-file=/run/dns01/tls/tls.key
- "--metrics-bind-address=:{{ .Values.metrics.port }}"
{{- with .Values.providers }}
- "--providers={{ concat . (keys $.Values.plugins) | uniq | sortAlpha | join "," }}"
{{- end }}
{{- range include "dns01.callers" . | fromJsonArray }}
- "--allowed-caller=system:serviceaccount:{{ .namespace }}:{{ .name }}"
{{- end }}
{{- range .Values.allowedEndpoints }}
- {{ printf "--allowed-endpoint=%s" . | quote }}
{{- end }}
{{- if .Values.restrictNameservers }}
- --restrict-nameservers
{{- end }}
{{- if or .Values.policy .Values.existingPolicyConfigMap }}
- --policy=/run/dns01/policy/policy.yaml
{{- end }}
{{- if .Values.propagationGate }}
- --propagation-gate
{{- end }}
{{- range .Values.resolvers }}
- {{ printf "--resolver=%s" . | quote }}
{{- end }}
{{- if .Values.subjectAccessReview }}
- --subject-access-review
{{- end }}
{{- range $id := keys .Values.plugins | sortAlpha }}
- "--plugin={{ include "dns01.pluginPath" (dict "id" $id "plugin" (get $.Values.plugins $id)) }}"
{{- end }}
- "--call-timeout={{ .Values.callTimeout }}"
- "--shutdown-delay={{ .Values.shutdownDelay }}"
- "--log-format={{ .Values.logFormat }}"
- "--log-level={{ .Values.logLevel }}"
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Whom a pod reaches, and by which names. */}}
{{- define "dns01.podNetwork" -}}
dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" .Values.hostNetwork) .Values.dnsPolicy | quote }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "dns01.env" -}}
{{- with .Values.proxy }}
{{- if .http }}
- name: HTTP_PROXY
  value: {{ .http | quote }}
{{- end }}
{{- if .https }}
- name: HTTPS_PROXY
  value: {{ .https | quote }}
{{- end }}
{{- if or .http .https }}
- name: NO_PROXY
  {{- $own := list "$(KUBERNETES_SERVICE_HOST)" "localhost" "127.0.0.1" "::1" ".svc" ".cluster.local" }}
  {{- $metadata := list "169.254.169.254" "169.254.170.2" "169.254.170.23" "100.100.100.200" "metadata.google.internal" "metadata.tencentyun.com" }}
  value: {{ concat $own $metadata .noProxy | join "," | quote }}
# For plugins that call fetch themselves, and SDKs that ask a metadata address.
- name: NODE_USE_ENV_PROXY
  value: "1"
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Those of the values. A changed plugin or policy makes new pods: what cannot be read fails there, beside the old ones. */}}
{{- define "dns01.podAnnotations" -}}
{{- with .Values.policy }}
checksum/policy: {{ toJson . | sha256sum | quote }}
{{- end }}
{{- with .Values.plugins }}
checksum/plugins: {{ toJson . | sha256sum | quote }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dns01.volumeMounts" -}}
- name: tls
  mountPath: /run/dns01/tls
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if or .Values.policy .Values.existingPolicyConfigMap }}
- name: policy
  mountPath: /run/dns01/policy
  readOnly: true
{{- end }}
{{ include "dns01.pluginMounts" . }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dns01.volumes" -}}
- name: tls
  secret:
    secretName: {{ include "dns01.tlsSecret" . | quote }}
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if or .Values.policy .Values.existingPolicyConfigMap }}
- name: policy
  configMap:
    name: {{ default (printf "%s-policy" (include "dns01.fullname" .)) .Values.existingPolicyConfigMap | quote }}
{{- end }}
{{ include "dns01.pluginVolumes" . }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
