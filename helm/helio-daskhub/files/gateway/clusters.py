"""Configuration of the Dask gateway: what a user may ask for, and how schedulers and workers start.

Runs after the configuration that chooses the backend: the chart's own, or that of the gateway on one machine;
`c` is the configuration so far. The environment may set the limits: HELIO_BURST_MAX_CORES,
HELIO_BURST_MAX_MEMORY (GiB), HELIO_BURST_MAX_WORKERS, HELIO_BURST_MAX_CLUSTERS, and HELIO_BURST_IDLE_MINUTES,
HELIO_BURST_NO_CLIENT_MINUTES, which helio_burst/cluster/preload.py explains.
"""
# ruff: noqa: F821

import os

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.options import Bool, Float, Integer, Mapping, Options, String

ON_KUBERNETES = "kubernetes" in str(c.DaskGateway.backend_class).lower()


def limit(name, default):
    """Return a limit from the environment of the gateway."""
    return float(os.environ.get(f"HELIO_BURST_{name}", default))


# dask-gateway starts "dask-scheduler" and "dask-worker", which distributed no longer has.
# The preload stops a cluster that is idle or that nobody uses; the gateway's own idle time-out
# overlooks queued tasks, so it is off.
c.ClusterConfig.scheduler_cmd = ["dask", "scheduler", "--preload", "helio_burst.cluster.preload"]
c.ClusterConfig.worker_cmd = ["dask", "worker"]
c.ClusterConfig.idle_timeout = 0
c.ClusterConfig.adaptive_period = 2
c.ClusterConfig.cluster_max_workers = int(limit("MAX_WORKERS", 200))

ENVIRONMENT = {
    # The package finds out by itself which file kills a worker; one death is proof enough.
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "HELIO_BURST_NO_CLIENT_MINUTES": str(limit("NO_CLIENT_MINUTES", 10)),
}


class LimitedClusters:
    """Mixed into a backend: limits how many clusters one user has at a time, which no backend does."""

    max_clusters = int(limit("MAX_CLUSTERS", 10))

    async def start_cluster(self, user, cluster_options):
        """Refuse a cluster too many, and say which ones the user has."""
        names = sorted(cluster.name for cluster in await self.list_clusters(username=user.name))
        if len(names) >= self.max_clusters:
            raise PublicException(
                f"You have {len(names)} clusters, and the limit is {self.max_clusters}: {', '.join(names)}. "
                "Stop one first."
            )
        return await super().start_cluster(user, cluster_options)


def cluster_configuration(options, user):
    """Turn what a user asked for into the gateway's settings."""
    memory = int(options.worker_memory * 2**30)
    environment = {
        **ENVIRONMENT,
        **{str(name): str(value) for name, value in options.environment.items()},
        "HELIO_BURST_IDLE_MINUTES": str(options.idle_minutes),
        "HELIO_BURST_DETACHED": str(int(options.detached)),
    }
    settings = {
        "worker_cores": options.worker_cores,
        "worker_threads": options.worker_cores,
        "worker_memory": memory,
        "environment": environment,
    }
    if ON_KUBERNETES:
        # A node offers a little less than its cores; the request leaves room for what runs beside the worker.
        settings |= {
            "worker_cores": 0.9 * options.worker_cores,
            "worker_cores_limit": options.worker_cores,
            "worker_memory_limit": memory,
        }
        if options.image:
            settings["image"] = options.image
    return settings


fields = [
    Integer("worker_cores", 1, min=1, max=int(limit("MAX_CORES", 16)), label="Cores of a worker"),
    Float("worker_memory", 2, min=0.25, max=limit("MAX_MEMORY", 64), label="Memory of a worker (GiB)"),
    Mapping("environment", {}, label="Environment variables"),
    Float(
        "idle_minutes", limit("IDLE_MINUTES", 30), min=0.05, max=1440, label="Stop when idle for (minutes)"
    ),
    Bool("detached", False, label="Keep when my notebook server stops"),
]
if ON_KUBERNETES:
    fields.append(String("image", "", label="Image"))

c.Backend.cluster_options = Options(*fields, handler=cluster_configuration)
