{{/* The variables of settings: text, a file of a mounted Secret, or a key of a Secret. */}}
{{- define "falco-playbooks.env" -}}
{{- $facts := .facts }}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ $value | replace "$" "$$" | toJson }}
{{- end }}
{{- range .secrets }}
{{- if has .setting $facts.secret }}
- name: {{ .setting }}{{ if not (has .setting $facts.files) }}_FILE{{ end }}
  value: {{ printf "/falco-secrets/%s/%s" .secret .key | toJson }}
{{- else }}
- name: {{ .setting }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secrets of which settings are files, each once. */}}
{{- define "falco-playbooks.mounted" -}}
{{- $facts := .facts }}
{{- $found := list }}
{{- range .secrets }}
{{- if has .setting $facts.secret }}{{ $found = append $found .secret }}{{ end }}
{{- end }}
{{- $found | uniq | toJson }}
{{- end }}

{{- define "falco-playbooks.mounts" -}}
{{- range $index, $secret := include "falco-playbooks.mounted" . | fromJsonArray }}
- name: secret-{{ $index }}
  mountPath: /falco-secrets/{{ $secret }}
{{- end }}
{{- end }}

{{- define "falco-playbooks.volumes" -}}
{{- $context := . }}
{{- range $index, $secret := include "falco-playbooks.mounted" . | fromJsonArray }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $secret }}
    items:
    {{- $keys := list }}
    {{- range $context.secrets }}
    {{- if and (eq .secret $secret) (has .setting $context.facts.secret) (not (has .key $keys)) }}
    {{- $keys = append $keys .key }}
    - { key: {{ .key | toJson }}, path: {{ .key | toJson }} }
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The bearer token and the key of hashes: those that are there, or new ones. */}}
{{- define "falco-playbooks.secret" -}}
{{- $there := dig "data" (dict) (lookup "v1" "Secret" .namespace .function | default dict) }}
{{- $keys := .facts.keys }}
{{- if not .token }}{{ $keys = without $keys "HTTP_TOKEN" }}{{ end }}
{{- range $key := $keys }}
{{ $key }}: {{ get $there $key | default (randAlphaNum 43 | b64enc) }}
{{- end }}
{{- end }}

{{/* How the generated token is handed over, where there is one. */}}
{{- define "falco-playbooks.tokenEnv" -}}
{{- if .token }}
- name: HTTP_TOKEN_FILE
  value: /{{ .function }}/HTTP_TOKEN
{{- end }}
{{- end }}

{{- define "falco-playbooks.tokenMount" -}}
{{- if .token }}
- name: {{ .function }}-vol
  mountPath: /{{ .function }}
{{- end }}
{{- end }}

{{- define "falco-playbooks.tokenVolume" -}}
{{- if .token }}
- name: {{ .function }}-vol
  secret:
    secretName: {{ .function }}
{{- end }}
{{- end }}

{{- define "falco-playbooks.egress" -}}
- ports:
  - { protocol: UDP, port: 53 }
  - { protocol: TCP, port: 53 }
  {{- range .egressPorts | uniq }}
  - { protocol: TCP, port: {{ . }} }
  {{- end }}
{{- end }}

{{/* Who may post alerts (HTTP_FROM), and who may read metrics (METRICS_FROM). */}}
{{- define "falco-playbooks.ingress" -}}
{{- $from := dig "HTTP_FROM" "falco" .env | nospace }}
{{- $namespaces := list }}
{{- if ne (dig "HTTP" "on" .env) "off" }}{{ $namespaces = splitList "," $from | compact }}{{ end }}
{{- $addresses := .apiServers | default list }}
{{- $open := has "any" $namespaces }}
{{- if or $namespaces $addresses }}
- ports:
  - { protocol: TCP, port: 8080 }
  {{- if not $open }}
  from:
  {{- range $namespaces }}
  - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . }} } }
  {{- end }}
  {{- range $addresses }}
  - ipBlock: { cidr: {{ . | toJson }} }
  {{- end }}
  {{- end }}
{{- end }}
- ports:
  - { protocol: TCP, port: 8082 }
  {{- $readers := splitList "," (dig "METRICS_FROM" "any" .env | nospace) | compact }}
  {{- if not (has "any" $readers) }}
  from:
  {{- range $readers }}
  - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . }} } }
  {{- end }}
  {{- end }}
{{- end }}

{{/* A time such as 1h, as the admission policies read it; off stays so. */}}
{{- define "falco-playbooks.seconds" -}}
{{- if eq . "off" }}off{{ else }}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) (regexFind "[smhd]$" .) }}
{{- printf "%d.0" (mul (regexFind "^[0-9]+" . | atoi) $unit) }}
{{- end }}
{{- end }}

{{/* The rules, in one namespace or, where .place is empty, in the cluster. */}}
{{- define "falco-playbooks.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .place "") }}
{{- range $made := list $kind (printf "%sBinding" $kind) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $made }}
metadata:
  name: {{ $.function }}.{{ $.namespace }}
  {{- with $.place }}
  namespace: {{ . }}
  {{- end }}
  labels:
    created-by: kubeless
    falco/function-namespace: {{ $.namespace }}
    function: {{ $.function }}
{{- if eq $made $kind }}
rules:
{{- $.rules }}
{{- else }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $.function }}.{{ $.namespace }}
subjects:
- kind: ServiceAccount
  name: {{ $.function }}
  namespace: {{ $.namespace }}
{{- end }}
{{- end }}
{{- end }}
