"""Configuration of the Dask gateway on Kubernetes: limits per user, and workers with GPUs.

Runs after clusters.py; `c` is the configuration so far. The gateway has no limits per user on Kubernetes, so
they are here. The environment sets them: HELIO_BURST_MAX_CLUSTERS (default 10), HELIO_BURST_MAX_USER_CORES
(400) and HELIO_BURST_MAX_USER_MEMORY (1600 GiB), counted over all of a user's clusters, and
HELIO_BURST_MAX_GPUS (0) of one worker.
"""
# ruff: noqa: F821

import math

from dask_gateway_server.backends.kubernetes import KubeBackend
from dask_gateway_server.backends.kubernetes.utils import merge_json_objects

MAX_USER_CORES = limit("MAX_USER_CORES", 400)
MAX_USER_MEMORY = limit("MAX_USER_MEMORY", 1600) * 2**30
GPU = "nvidia.com/gpu"


class LimitedKubeBackend(LimitedClusters, KubeBackend):
    """The backend for Kubernetes, with limits on what one user has at a time."""

    async def on_cluster_heartbeat(self, cluster_name, msg):
        """Cut the number of workers that a scheduler asks for to what its user may still have."""
        cluster = self.clusters.get(cluster_name)
        if cluster is not None:
            asked, room = msg["count"], await self.room(cluster)
            if asked > room:
                self.log.info("Cluster %s asks for %d workers, may have %d", cluster_name, asked, room)
                msg = {**msg, "count": room}
        await super().on_cluster_heartbeat(cluster_name, msg)

    async def room(self, cluster):
        """Return how many workers this cluster may have beside the user's other clusters."""
        cores, memory = MAX_USER_CORES, MAX_USER_MEMORY
        for other in await self.list_clusters(username=cluster.username):
            cores -= other.config["scheduler_cores_limit"]
            memory -= other.config["scheduler_memory_limit"]
            if other.name != cluster.name:
                workers = ((self.informer.get(other.name) or {}).get("spec") or {}).get("replicas", 0)
                cores -= workers * other.config["worker_cores_limit"]
                memory -= workers * other.config["worker_memory_limit"]
        worker = cluster.config
        fit = min(cores / worker["worker_cores_limit"], memory / worker["worker_memory_limit"])
        return max(0, math.floor(fit))


def kubernetes_configuration(options, user):
    """Add to the settings of clusters.py the chart's environment and what a worker with GPUs needs."""
    settings = cluster_configuration(options, user)
    settings["environment"] = {**c.KubeClusterConfig.get("environment", {}), **settings["environment"]}
    if options.worker_gpus:
        pod, container = (
            c.KubeClusterConfig.get(f"worker_extra_{part}_config", {}) for part in ("pod", "container")
        )
        toleration = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
        resources = {"limits": {GPU: str(options.worker_gpus)}}
        settings["worker_extra_pod_config"] = merge_json_objects(pod, {"tolerations": [toleration]})
        settings["worker_extra_container_config"] = merge_json_objects(container, {"resources": resources})
    return settings


c.DaskGateway.backend_class = LimitedKubeBackend
max_gpus = int(limit("MAX_GPUS", 0))
c.Backend.cluster_options = Options(
    *fields,
    Integer("worker_gpus", 0, min=0, max=max_gpus, label="GPUs of a worker"),
    handler=kubernetes_configuration,
)
