{{/* Where a plugin's file is in the container. */}}
{{- define "dns01.pluginPath" -}}
{{- if .plugin.source -}}
/run/dns01/plugins/{{ .id }}.mjs
{{- else -}}
/run/dns01/plugin-{{ .id }}/{{ .id }}.mjs
{{- end -}}
{{- end }}

{{/* Files of plugins whose source is in the values, as a JSON object: name to content. */}}
{{- define "dns01.pluginSources" -}}
{{- $sources := dict -}}
{{- range $id, $plugin := .Values.plugins -}}
{{- with $plugin.source -}}
{{- $_ := set $sources (printf "%s.mjs" $id) . -}}
{{- end -}}
{{- end -}}
{{- toJson $sources -}}
{{- end }}

{{- define "dns01.pluginMounts" -}}
{{- if include "dns01.pluginSources" . | fromJson }}
- name: plugins
  mountPath: /run/dns01/plugins
  readOnly: true
{{- end }}
{{- range $id, $plugin := .Values.plugins }}
{{- if not $plugin.source }}
- name: "plugin-{{ $id }}"
  mountPath: "/run/dns01/plugin-{{ $id }}"
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "dns01.pluginVolumes" -}}
{{- if include "dns01.pluginSources" . | fromJson }}
- name: plugins
  configMap:
    name: "{{ include "dns01.fullname" . }}-plugins"
{{- end }}
{{- range $id, $plugin := .Values.plugins }}
{{- with $plugin.configMap }}
- name: "plugin-{{ $id }}"
  configMap:
    name: {{ .name | quote }}
    items:
      - key: {{ default (printf "%s.mjs" $id) .key | quote }}
        path: "{{ $id }}.mjs"
{{- end }}
{{- with $plugin.secret }}
- name: "plugin-{{ $id }}"
  secret:
    secretName: {{ .name | quote }}
    items:
      - key: {{ default (printf "%s.mjs" $id) .key | quote }}
        path: "{{ $id }}.mjs"
{{- end }}
{{- end }}
{{- end }}
