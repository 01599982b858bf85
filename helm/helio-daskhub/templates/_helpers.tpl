{{- /* Labels of the objects that this chart adds to those of its dependencies. */}}
{{- define "helio.labels" -}}
app.kubernetes.io/name: helio-daskhub
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The dask-gateway chart's rule for the names of its objects. */}}
{{- define "helio.gateway" -}}
{{- if contains "dask-gateway" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-dask-gateway{{ end }}
{{- end }}

{{- /* How a container of ours runs: as nobody in particular, with nothing it does not need. */}}
{{- define "helio.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* The image of users' servers, schedulers and workers. */}}
{{- define "helio.image" -}}
{{ .Values.jupyterhub.singleuser.image.name }}:{{ .Values.jupyterhub.singleuser.image.tag }}
{{- end }}

{{- /* Peers of a network policy: pods of the jupyterhub chart (users' servers too), and of the dask-gateway chart. */}}
{{- define "helio.hubPod" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: jupyterhub
      app.kubernetes.io/component: {{ . }}
{{- end }}
{{- define "helio.daskPod" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: dask-gateway
      app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "helio.dns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{- /* The Kubernetes API has no label to select it by; its address differs from cluster to cluster. */}}
{{- define "helio.kubernetesApi" -}}
- ports:
    - {port: 443, protocol: TCP}
    - {port: 6443, protocol: TCP}
{{- end }}

{{- /* The world outside, for data: no private addresses, no metadata service of the cloud. */}}
{{- define "helio.outside" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 169.254.0.0/16]
{{- with .Values.helio.networkPolicy.dataEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
