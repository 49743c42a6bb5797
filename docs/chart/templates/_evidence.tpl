{{/* Made by: python -m playbooks.deployment.generate */}}
{{- define "falco-playbooks.evidence.facts" -}}
{"acts": true, "keys": ["FALCO_HASH_KEY", "HTTP_TOKEN", "RELEASE_KEY"], "required": ["EVIDENCE_URL"], "secret": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_CREDENTIALS", "SLACK_WEBHOOK_URL", "WEBHOOK_URL", "WEBHOOK_SECRET", "NOTIFY_URLS", "NATS_URL", "NATS_PASSWORD", "NATS_TOKEN", "NATS_CREDS", "NATS_CA", "NATS_CERT", "NATS_KEY", "HTTP_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"], "files": ["NATS_CREDS", "NATS_CA", "NATS_CERT", "NATS_KEY"], "own": true, "places": []}
{{- end }}
{{- define "falco-playbooks.evidence.rules" -}}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) (not (has (get .env "EVIDENCE_FILES") (list "" "off"))) }}
- {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) (has "true" (splitList "," (lower (nospace (get .env "EVIDENCE_PROCESSES" | default "false"))))) }}
- {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) (has "true" (splitList "," (lower (nospace (get .env "EVIDENCE_SNAPSHOTS" | default "false"))))) }}
- {"apiGroups": ["snapshot.storage.k8s.io"], "resources": ["volumesnapshots"], "verbs": ["create"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": [""], "resources": ["replicationcontrollers"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}
{{- end }}
{{- if and (eq .place .namespace) }}
- {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get"]}
{{- end }}
{{- if and (eq .place .namespace) }}
- {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}
{{- end }}
{{- if and (eq .place .namespace) }}
- {"apiGroups": ["kubeless.io"], "resources": ["functions"], "verbs": ["get"]}
{{- end }}
{{- if and (not .place) (not .limited) }}
- {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingwebhookconfigurations"], "verbs": ["list"]}
{{- end }}
{{- if and (not .place) (not .limited) }}
- {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"], "verbs": ["list"]}
{{- end }}
{{- if and (not .place) (not .limited) }}
- {"apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"], "verbs": ["list"]}
{{- end }}
{{- if and (ternary (has .place .namespaces) (not .place) .limited) }}
- {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}
{{- end }}
{{- end }}
{{- define "falco-playbooks.evidence.objects" -}}
---
apiVersion: v1
automountServiceAccountToken: false
kind: ServiceAccount
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
---
apiVersion: v1
data:
{{- with include "falco-playbooks.secret" . }}{{ . | nindent 2 }}
{{- end }}
kind: Secret
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
type: Opaque
---
apiVersion: v1
kind: ConfigMap
metadata:
  labels:
    created-by: kubeless
    falco/ledger: 'true'
    function: {{ .function }}
  name: {{ .function }}-ledger
  namespace: {{ .namespace }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  labels:
    created-by: kubeless
    falco/function-namespace: {{ .namespace }}
    falco/ledger: 'true'
    function: {{ .function }}
  name: {{ .function }}-ledger
  namespace: {{ .namespace }}
rules:
- apiGroups:
  - ""
  resourceNames:
  - {{ .function }}-ledger
  resources:
  - configmaps
  verbs:
  - get
  - patch
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  labels:
    created-by: kubeless
    falco/function-namespace: {{ .namespace }}
    falco/ledger: 'true'
    function: {{ .function }}
  name: {{ .function }}-ledger
  namespace: {{ .namespace }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .function }}-ledger
subjects:
- kind: ServiceAccount
  name: {{ .function }}
  namespace: {{ .namespace }}
---
apiVersion: v1
data:
  EVIDENCE_FILES: {{ dig "EVIDENCE_FILES" "" .env | toString | nospace | toJson }}
  NAMESPACES: {{ dig "NAMESPACES" "" .env | toString | nospace | toJson }}
  PROTECTED_NAMESPACES: {{ dig "PROTECTED_NAMESPACES" "kube-system,kube-public,kube-node-lease,falco,kubeless,nats,nats-io,calico-system,calico-apiserver,tigera-operator,kube-flannel,cilium,metallb-system,cert-manager,ingress-nginx,istio-system,linkerd,kyverno,gatekeeper-system,longhorn-system,rook-ceph,local-path-storage,gke:gke-*,gke:gmp-system,openshift:openshift-*,rancher:cattle-*" .env | toString | nospace | toJson }}
kind: ConfigMap
metadata:
  labels:
    created-by: kubeless
    falco/admission: evidence
    function: {{ .function }}
  name: {{ .function }}-admission
  namespace: {{ .namespace }}
---
{{- if .held }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  labels:
    created-by: kubeless
    falco/function-namespace: {{ .namespace }}
    function: {{ .function }}
  name: falco-playbook-evidence-pods-exec.{{ .function }}.{{ .namespace }}
spec:
  paramRef:
    name: {{ .function }}-admission
    namespace: {{ .namespace }}
    parameterNotFoundAction: Allow
  policyName: falco-playbook-evidence-pods-exec
  validationActions:
  - Deny
{{- end }}
---
{{- if .held }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  labels:
    created-by: kubeless
    falco/function-namespace: {{ .namespace }}
    function: {{ .function }}
  name: falco-playbook-evidence-volumesnapshots.{{ .function }}.{{ .namespace }}
spec:
  paramRef:
    name: {{ .function }}-admission
    namespace: {{ .namespace }}
    parameterNotFoundAction: Allow
  policyName: falco-playbook-evidence-volumesnapshots
  validationActions:
  - Deny
{{- end }}
---
{{- if .held }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  labels:
    created-by: kubeless
    falco/function-namespace: {{ .namespace }}
    function: {{ .function }}
  name: falco-playbook-evidence-events.{{ .function }}.{{ .namespace }}
spec:
  paramRef:
    name: {{ .function }}-admission
    namespace: {{ .namespace }}
    parameterNotFoundAction: Allow
  policyName: falco-playbook-evidence-events
  validationActions:
  - Deny
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}-worker
  namespace: {{ .namespace }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: falco-playbook-worker
subjects:
- kind: ServiceAccount
  name: {{ .function }}
  namespace: {{ .namespace }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
spec:
  egress:
{{- with include "falco-playbooks.egress" . }}{{ . | nindent 4 }}
{{- end }}
  ingress:
{{- with include "falco-playbooks.ingress" . }}{{ . | nindent 4 }}
{{- end }}
  podSelector:
    matchLabels:
      created-by: kubeless
      function: {{ .function }}
  policyTypes:
  - Ingress
  - Egress
---
apiVersion: v1
kind: Service
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
spec:
  ports:
  - name: http-function-port
    port: 8080
    protocol: TCP
    targetPort: 8080
  selector:
    created-by: kubeless
    function: {{ .function }}
  type: ClusterIP
---
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
spec:
  replicas: {{ .replicas | toJson }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      created-by: kubeless
      function: {{ .function }}
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    type: RollingUpdate
  template:
    metadata:
      annotations:
        falco/revision: {{ .revision | toJson }}
        prometheus.io/path: /metrics
        prometheus.io/port: "8082"
        prometheus.io/scrape: 'true'
      labels:
        created-by: kubeless
        function: {{ .function }}
    spec:
      automountServiceAccountToken: true
      containers:
      - command:
        - python3
        - "-m"
        - playbooks.engines.worker
        env:
        - name: FUNCTION_NAME
          value: {{ .function }}
        - name: FUNCTION_NAMESPACE
          value: {{ .namespace }}
        - name: HOME
          value: /tmp
{{- with include "falco-playbooks.tokenEnv" . }}{{ . | nindent 8 }}
{{- end }}
        - name: LEDGER
          value: {{ .function }}-ledger
        - name: NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        - name: PLAYBOOK
          value: evidence
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        - name: PYTHONDONTWRITEBYTECODE
          value: "1"
        - name: PYTHONUNBUFFERED
          value: "1"
        - name: RELEASE_KEY
          valueFrom:
            secretKeyRef:
              key: RELEASE_KEY
              name: {{ .function }}
              optional: true
{{- with include "falco-playbooks.env" . }}{{ . | nindent 8 }}
{{- end }}
        image: {{ .image }}
        imagePullPolicy: IfNotPresent
        livenessProbe:
          failureThreshold: 3
          httpGet:
            path: /healthz
            port: 8081
          initialDelaySeconds: 5
          periodSeconds: 10
          timeoutSeconds: 5
        name: {{ .function }}
        ports:
        - containerPort: 8080
          name: http
          protocol: TCP
        - containerPort: 8082
          name: metrics
          protocol: TCP
        readinessProbe:
          failureThreshold: 2
          httpGet:
            path: /readyz
            port: 8081
          periodSeconds: 3
          timeoutSeconds: 3
        resources:
          limits:
            cpu: "1"
            memory: "512Mi"
          requests:
            cpu: "100m"
            memory: "128Mi"
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop:
            - ALL
          readOnlyRootFilesystem: true
        volumeMounts:
        - mountPath: /tmp
          name: tmp
{{- with include "falco-playbooks.tokenMount" . }}{{ . | nindent 8 }}
{{- end }}
{{- with include "falco-playbooks.mounts" . }}{{ . | nindent 8 }}
{{- end }}
      enableServiceLinks: false
      securityContext:
        fsGroup: 1000
        runAsGroup: 1000
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile:
          type: RuntimeDefault
      serviceAccountName: {{ .function }}
      terminationGracePeriodSeconds: {{ .grace | toJson }}
      topologySpreadConstraints:
      - labelSelector:
          matchLabels:
            created-by: kubeless
            function: {{ .function }}
        maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
      volumes:
      - emptyDir: {}
        name: tmp
{{- with include "falco-playbooks.tokenVolume" . }}{{ . | nindent 6 }}
{{- end }}
{{- with include "falco-playbooks.volumes" . }}{{ . | nindent 6 }}
{{- end }}
---
apiVersion: kubeless.io/v1beta1
kind: Function
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
spec:
  deployment:
    spec:
      template:
        spec:
          containers:
          - env:
            - name: LEDGER
              value: {{ .function }}-ledger
            - name: NODE_NAME
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
            - name: POD_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
{{- with include "falco-playbooks.env" . }}{{ . | nindent 12 }}
{{- end }}
            imagePullPolicy: IfNotPresent
            name: ""
            resources: {}
            volumeMounts:
{{- with include "falco-playbooks.mounts" . }}{{ . | nindent 12 }}
{{- end }}
          serviceAccountName: {{ .function }}
          volumes:
{{- with include "falco-playbooks.volumes" . }}{{ . | nindent 10 }}
{{- end }}
  handler: evidence.handler
  runtime: python3.8
  service:
    ports:
    - name: http-function-port
      port: 8080
      protocol: TCP
      targetPort: 8080
    selector:
      created-by: kubeless
      function: {{ .function }}
    type: ClusterIP
  timeout: "180"
---
{{- range $index, $topic := .topics }}
---
apiVersion: kubeless.io/v1beta1
kind: NATSTrigger
metadata:
  labels:
    created-by: kubeless
    function: {{ $.function }}
  name: {{ $.function }}-trigger-{{ $index }}
  namespace: {{ $.namespace }}
spec:
  functionSelector:
    matchLabels:
      created-by: kubeless
      function: {{ $.function }}
  topic: {{ $topic | toJson }}
{{- end }}
---
{{- if gt (int .replicas) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  labels:
    created-by: kubeless
    function: {{ .function }}
  name: {{ .function }}
  namespace: {{ .namespace }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      created-by: kubeless
      function: {{ .function }}
{{- end }}
{{- end }}
