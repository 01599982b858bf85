"""Workers as jobs of a batch queue: Slurm, Grid Engine, PBS. The scheduler runs in this process."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from typing import Any

from dask.utils import format_bytes
from distributed import Client

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError, InputError

CLASSES = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}


def start_batch(request: Request, target: Target) -> Cluster:
    """Submit worker jobs; `Request.options` go to dask-jobqueue (queue, account, walltime, interface ...)."""
    settings = batch_settings(request, target.kind)
    try:
        dask_cluster = _cluster_class(target.kind)(**settings)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"dask-jobqueue refuses the options for {target.kind}: {error}. "
            f"Given were {', '.join(settings)}; its documentation lists all of them."
        ) from error
    low, high = request.workers or (1, 50)
    try:
        if low == high:
            dask_cluster.scale(low)
        else:
            dask_cluster.adapt(minimum=low, maximum=high)
        client = Client(dask_cluster)
    except BaseException:
        dask_cluster.close()
        raise
    return Cluster(
        client=client,
        dask_cluster=dask_cluster,
        target=target,
        bounds=(low, high),
        dashboard=dask_cluster.dashboard_link,
    )


def batch_settings(request: Request, kind: str) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue for a request: one worker process a job.

    What dask-jobqueue leaves out is added: Grid Engine gives a job one core unless it asks for a parallel
    environment (named ``smp`` at most sites).
    """
    if request.image is not None:
        raise InputError(f"image={request.image!r}: a batch queue runs no images; workers use this Python.")
    settings: dict[str, Any] = dict(request.options)
    cores = request.cores or 1
    settings.setdefault("cores", cores)
    settings.setdefault("memory", format_bytes(request.memory or cores * 4 * 2**30))
    settings.setdefault("processes", 1)
    if request.environment:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in request.environment.items()]
        settings["job_script_prologue"] = [*settings.get("job_script_prologue", ()), *lines]
    extra = list(settings.get("job_extra_directives", ()))
    if kind == "sge" and cores > 1 and not any("-pe" in directive.split() for directive in extra):
        settings["job_extra_directives"] = [f"-pe smp {cores}", *extra]
    scheduler: Mapping[str, Any] = settings.get("scheduler_options", {})
    settings["scheduler_options"] = {
        "allowed_failures": 1,
        "dashboard_address": ":0",
        **({"idle_timeout": request.idle} if request.idle else {}),
        **scheduler,
    }
    return settings


def job_script(request: Request, kind: str) -> str:
    """Return the script of one worker job, without submitting anything."""
    cluster_class = _cluster_class(kind)
    settings = batch_settings(request, kind)
    settings.pop("scheduler_options")
    job = cluster_class.job_cls(scheduler="tcp://scheduler:8786", name="worker", **settings)
    return str(job.job_script())


def _cluster_class(kind: str) -> Any:
    try:
        return getattr(importlib.import_module("dask_jobqueue"), CLASSES[kind])
    except ImportError as error:
        raise ClusterError("dask-jobqueue is not installed: pip install 'helio-burst[jobqueue]'") from error
