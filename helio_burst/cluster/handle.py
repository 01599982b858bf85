"""An open cluster: its client, its size, its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from distributed import Client

from helio_burst.cluster import ending
from helio_burst.cluster.request import check_workers
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError, InputError

logger = logging.getLogger("helio_burst.cluster")

CLOSE_CLIENT_SECONDS = 5.0
CLOSE_CLUSTER_SECONDS = 20.0


@dataclass(frozen=True)
class Size:
    """What a cluster has at a moment."""

    workers: int
    cores: int
    memory: int


class Cluster:
    """An open cluster, as `open_cluster` returns it; as a context manager it yields the client.

    Attributes
    ----------
    client : distributed.Client
        The client, which is also Dask's default one.
    target : Target
        The kind of cluster, its address, and why it was chosen.
    name : str
        The cluster's name.
    bounds : tuple of int, optional
        The least and the most workers that were asked for.
    dashboard : str, optional
        The link to Dask's dashboard.
    notes : list of str
        What differs from what was asked for, in words.
    """

    def __init__(
        self,
        *,
        client: Client,
        target: Target,
        dask_cluster: Any = None,
        bounds: tuple[int, int] | None = None,
        dashboard: str | None = None,
        notes: Sequence[str] = (),
        leave: bool = False,
    ) -> None:
        self.client = client
        self.target = target
        self.bounds = bounds
        self.dashboard = dashboard
        self.notes = list(notes)
        self.name = str(getattr(dask_cluster, "name", None) or target.address or target.kind)
        self._dask_cluster = dask_cluster
        self._leave = leave
        self._closed = False
        self._closing = threading.Lock()
        ending.add(self)

    @property
    def closed(self) -> bool:
        """Whether `close` has run."""
        return self._closed

    def size(self) -> Size:
        """Ask the scheduler what the cluster has now."""
        info = self.client.scheduler_info(n_workers=0)
        return Size(info["n_workers"], info["total_threads"], info["total_memory"])

    def scale(self, workers: int | tuple[int, int]) -> None:
        """Set a fixed number of workers, or the bounds between which it follows the work."""
        if self._dask_cluster is None:
            raise InputError(f"The workers at {self.name} are not this session's to scale.")
        low, high = check_workers(workers)
        if low == high:
            self._dask_cluster.scale(low)
        else:
            self._dask_cluster.adapt(minimum=low, maximum=high)
        self.bounds = (low, high)

    def close(self) -> None:
        """Close the client, then the cluster; each has a deadline, and what is closed stays so."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            within(CLOSE_CLIENT_SECONDS, self._close_client, f"the client of {self.name}")
        finally:
            try:
                if self._dask_cluster is not None:
                    within(CLOSE_CLUSTER_SECONDS, self._close_cluster, f"cluster {self.name}")
            finally:
                ending.remove(self)

    def _close_client(self) -> None:
        self.client.close(timeout=CLOSE_CLIENT_SECONDS)  # type: ignore[no-untyped-call]

    def _close_cluster(self) -> None:
        if self._leave:
            self._dask_cluster.close(shutdown=False)
        else:
            self._dask_cluster.close()

    def __enter__(self) -> Client:
        if self._closed:
            raise ClusterError(f"Cluster {self.name} is closed; open a new one.")
        return self.client

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Cluster {self.name!r} ({self.target.kind}), {state}>"


def within(seconds: float, action: Callable[[], object], what: str) -> None:
    """Run an action for so long at most; one that is late or fails is logged, and the caller goes on.

    It runs in a thread of its own, since neither a broken network nor a dead event loop may keep an
    interpreter from ending.
    """
    failure: list[Exception] = []

    def run() -> None:
        try:
            action()
        except Exception as error:  # any failure to close is told below and must not stop the rest
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True, name=f"close {what}")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        logger.warning("Closing %s took more than %g s; going on without.", what, seconds)
    elif failure:
        logger.warning("Closing %s failed: %s: %s", what, type(failure[0]).__name__, failure[0])
