{{- define "sereno.labels" -}}
app.kubernetes.io/name: sereno
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
{{- end }}

{{- define "sereno.selector" -}}
app.kubernetes.io/name: sereno
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "sereno.pod" -}}
metadata:
  labels:
    {{- include "sereno.selector" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 90
  {{- if eq .role "upgrade" }}
  restartPolicy: Never
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: sereno
      image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- if eq .role "upgrade" }}
      args: [upgrade]
      {{- else }}
      args: [serve, --host, 0.0.0.0, --port, "{{ .root.Values.port }}", --role, {{ .role }}]
      ports:
        - {name: http, containerPort: {{ .root.Values.port }}}
      {{- end }}
      env:
        {{- range $name, $value := .root.Values.settings }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- if .root.Values.ingress.host }}
        - {name: SERENO__SERVICE__ALLOWED_HOSTS, value: '["{{ .root.Values.ingress.host }}"]'}
        - {name: SERENO__SERVICE__TRUSTED_PROXIES, value: '{{ toJson .root.Values.ingress.proxies }}'}
        {{- end }}
        - {name: MODEL_VERSION, value: {{ .root.Values.modelVersion | quote }}}
        {{- if eq .root.Values.mode "apart" }}
        - name: DATABASE_URL
          valueFrom:
            secretKeyRef: {name: {{ .root.Values.databaseSecret }}, key: DATABASE_URL}
        {{- end }}
      {{- with .root.Values.secrets }}
      envFrom:
        {{- range . }}
        - secretRef: {name: {{ . }}}
        {{- end }}
      {{- end }}
      {{- if ne .role "upgrade" }}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      resources:
        {{- toYaml .root.Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: workspace, mountPath: /workspace}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: workspace
      persistentVolumeClaim: {claimName: {{ .root.Values.workspace.existingClaim | default (printf "%s-workspace" .root.Release.Name) }}}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
{{- end }}
