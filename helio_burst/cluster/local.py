"""A cluster of processes on this machine."""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import socket
import warnings
from dataclasses import dataclass, field

import dask
from dask.system import CPU_COUNT
from dask.utils import format_bytes
from distributed import Client, LocalCluster
from distributed.system import MEMORY_LIMIT

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.preflight import root_cause
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError

DASHBOARD_PORT = 8787
GUARD = (
    "Each worker process reads the script that starts it: what a script does must stand below the line "
    "if __name__ == '__main__':"
)


def start_local(request: Request, target: Target) -> Cluster:
    """Start worker processes here, as many as the machine can hold."""
    _refuse_in_worker()
    fitted = fit_to_machine(request, CPU_COUNT, MEMORY_LIMIT)
    dask_cluster = _start_workers(request, fitted)
    # Also with equal bounds: a worker that died while its nanny was still starting is not restarted by it.
    dask_cluster.adapt(minimum=fitted.low, maximum=fitted.high)
    return Cluster(
        client=Client(dask_cluster),
        dask_cluster=dask_cluster,
        target=target,
        bounds=(fitted.low, fitted.high),
        dashboard=_dashboard_link(dask_cluster),
        notes=fitted.notes,
    )


def _start_workers(request: Request, fitted: Fitted) -> LocalCluster:
    try:
        with warnings.catch_warnings():
            # Another process may take the port just before us: Dask then goes to another one, as we would.
            warnings.filterwarnings("ignore", f"Port {DASHBOARD_PORT} is already in use", UserWarning)
            return LocalCluster(
                n_workers=fitted.low,
                threads_per_worker=fitted.cores,
                memory_limit=fitted.memory or "auto",
                dashboard_address=_dashboard_address(),
                # Failed tasks come back as exceptions; printed as well, they would bury a notebook's output.
                silence_logs=logging.CRITICAL,
                # The burst engine finds the file that kills a worker by itself; more deaths prove nothing.
                scheduler_kwargs={"allowed_failures": 1, "idle_timeout": request.idle},
                env=dict(request.environment),
                **request.options,
            )
    except RuntimeError as error:
        cause = root_cause(error)
        wrong_option = request.options and isinstance(cause, TypeError)
        advice = f"Correct options={request.options}." if wrong_option else GUARD
        raise ClusterError(f"No worker process starts on this machine: {cause}. {advice}") from cause


def _refuse_in_worker() -> None:
    """End a worker process that has come here because it runs the script anew which started it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"A worker process was about to open a cluster of its own. {GUARD}")


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


def _dashboard_link(dask_cluster: LocalCluster) -> str:
    """Return the link; on a hub a browser reaches this machine through the user's server only."""
    through_hub = "{JUPYTERHUB_SERVICE_PREFIX}proxy/{port}/status"
    on_hub = "JUPYTERHUB_SERVICE_PREFIX" in os.environ and importlib.util.find_spec("jupyter_server_proxy")
    with dask.config.set({"distributed.dashboard.link": through_hub} if on_hub else {}):
        return str(dask_cluster.dashboard_link)
