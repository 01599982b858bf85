"""A cluster of processes on this machine."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from dataclasses import dataclass, field
from typing import Any

import dask
from dask.system import CPU_COUNT
from dask.utils import format_bytes
from distributed import Client, LocalCluster
from distributed.system import MEMORY_LIMIT

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target

DASHBOARD_PORT = 8787


def start_local(request: Request, target: Target) -> Cluster:
    """Start worker processes here, as many as the machine can hold."""
    fitted = fit_to_machine(request, CPU_COUNT, MEMORY_LIMIT)
    with dask.config.set({"distributed.dashboard.link": _dashboard_template()}):
        dask_cluster = LocalCluster(
            n_workers=fitted.low,
            threads_per_worker=fitted.cores,
            memory_limit=fitted.memory or "auto",
            dashboard_address=_dashboard_address(),
            # Failed tasks come back as exceptions; printed as well, they would bury what a notebook shows.
            silence_logs=logging.CRITICAL,
            # The burst engine finds the file that kills a worker by itself; more deaths prove nothing.
            scheduler_kwargs={"allowed_failures": 1, "idle_timeout": request.idle},
            env=dict(request.environment),
            **request.options,
        )
        dashboard = dask_cluster.dashboard_link
    # Also with equal bounds: a worker that died while its nanny was still starting is not restarted by it.
    dask_cluster.adapt(minimum=fitted.low, maximum=fitted.high)
    return Cluster(
        client=Client(dask_cluster),
        dask_cluster=dask_cluster,
        target=target,
        bounds=(fitted.low, fitted.high),
        dashboard=dashboard,
        notes=fitted.notes,
    )


@dataclass(frozen=True)
class Fitted:
    """What of a request this machine can give, and what was cut."""

    low: int
    high: int
    cores: int
    memory: int | None
    notes: list[str] = field(default_factory=list)

    @property
    def adaptive(self) -> bool:
        """Whether the number of workers is to follow the work."""
        return self.low != self.high


def fit_to_machine(request: Request, processors: int, memory: int) -> Fitted:
    """Cut a request that was written for a bigger machine down to this one.

    A fixed number of workers is kept as it is; the upper bound of an adaptive cluster and the size of a
    worker are not more than the machine has.

    Examples
    --------
    >>> fit_to_machine(Request(workers=(1, 50), cores=4), processors=8, memory=2**34)
    Fitted(low=1, high=2, cores=4, memory=None, notes=['at most 2 workers instead of 50'])
    """
    notes = []
    cores = min(request.cores or 1, processors)
    if request.cores and cores < request.cores:
        notes.append(f"{cores} cores a worker instead of {request.cores}")
    limit = request.memory
    if limit is not None and limit > memory:
        notes.append(f"{format_bytes(memory)} a worker instead of {format_bytes(limit)}")
        limit = memory
    room = max(1, processors // cores)
    if limit is not None:
        room = max(1, min(room, memory // limit))
    low, high = request.workers or (room, room)
    if request.adaptive and high > room:
        high = max(low, room)
        notes.append(f"at most {high} workers instead of {request.workers[1] if request.workers else high}")
    return Fitted(low, high, cores, limit, notes)


def _dashboard_address() -> str:
    """Return the usual port of the dashboard if it is free, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DASHBOARD_PORT))
        except OSError:
            return "127.0.0.1:0"
    return f"127.0.0.1:{DASHBOARD_PORT}"


def _dashboard_template() -> Any:
    """Return the form of the link; on a hub a browser reaches this machine through the user's server only."""
    if "JUPYTERHUB_SERVICE_PREFIX" in os.environ and importlib.util.find_spec("jupyter_server_proxy"):
        return "{JUPYTERHUB_SERVICE_PREFIX}proxy/{port}/status"
    return dask.config.get("distributed.dashboard.link")
