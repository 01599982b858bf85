"""An open cluster: its client, its size, its end."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar

from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker, NoValidWorkerError
from distributed.utils import silence_logging_cmgr

from helio_burst.cluster import cost, ending, view
from helio_burst.cluster.deadline import within
from helio_burst.cluster.logs import save_logs
from helio_burst.cluster.request import check_workers
from helio_burst.cluster.targets import Target
from helio_burst.errors import BurstError, ClusterError, InputError

logger = logging.getLogger("helio_burst.cluster")

T = TypeVar("T")

ANSWER_SECONDS = 10.0
CLOSE_CLIENT_SECONDS = 5.0
CLOSE_CLUSTER_SECONDS = 20.0
CLOSE_SERVERS_SECONDS = 60.0
# Errors that a scheduler's or a worker's log explains; a mistake in a notebook is not among them.
WORTH_THE_LOGS = (BurstError, ClusterError, KilledWorker, NoValidWorkerError, CommClosedError, TimeoutError)


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
    detached : bool
        Whether the cluster goes on when it is closed here.
    opened : datetime
        Since when it is open here, UTC.
    counts_use : bool
        Whether the scheduler counts what the workers have used.
    """

    def __init__(
        self,
        *,
        client: Client,
        target: Target,
        dask_cluster: Any = None,
        close: Callable[[], object] | None = None,
        bounds: tuple[int, int] | None = None,
        dashboard: str | None = None,
        notes: Sequence[str] = (),
        detached: bool = False,
    ) -> None:
        self.client = client
        self.target = target
        self.bounds = bounds
        self.dashboard = dashboard
        self.notes = list(notes)
        self.detached = detached
        self.opened = datetime.now(UTC)
        self.counts_use = False
        self.name = str(getattr(dask_cluster, "name", None) or target.address or target.kind)
        self._dask_cluster = dask_cluster
        self._close_cluster = close or getattr(dask_cluster, "close", None)
        self._after: list[Callable[[], object]] = []
        self._closed = False
        self._closing = threading.Lock()
        ending.add(self)

    @property
    def closed(self) -> bool:
        """Whether `close` has run."""
        return self._closed

    def size(self) -> Size:
        """Ask the scheduler what the cluster has now; raise ClusterError if it does not answer."""
        info = self._ask(lambda: self.client.scheduler_info(n_workers=0))
        return Size(info["n_workers"], info["total_threads"], info["total_memory"])

    def age(self) -> float:
        """Return how long the cluster has been open here, in seconds."""
        return (datetime.now(UTC) - self.opened).total_seconds()

    def count_use(self) -> None:
        """Have the scheduler count what the workers use, for `use`."""
        cost.begin_to_count(self.client)
        self.counts_use = True

    def use(self) -> cost.Use:
        """Return the core hours so far, which know what they cost."""
        return self._ask(lambda: cost.use(self.client))

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask the scheduler; by itself Dask would wait for half a minute for one that has gone."""
        try:
            if self.client.status != "running":
                raise OSError(f"its client is {self.client.status}")
            return within(ANSWER_SECONDS, question)
        except OSError as error:
            raise ClusterError(
                f"The scheduler of cluster {self.name} does not answer: {error}. list_clusters() shows what "
                "still runs; if this one has ended, open a new one."
            ) from error

    @property
    def scalable(self) -> bool:
        """Whether `scale` works: not for a scheduler that somebody else runs."""
        return self._dask_cluster is not None

    def scale(self, workers: int | tuple[int, int]) -> None:
        """Set a fixed number of workers, or the bounds between which it follows the work."""
        if self._dask_cluster is None:
            raise InputError(f"The workers at {self.name} are not this session's to scale.")
        self._refuse_if_closed()
        low, high = check_workers(workers)
        follows_work = self.bounds is not None and self.bounds[0] != self.bounds[1]
        # Dask's scale() leaves adaptive scaling on, which would undo it; equal bounds do not.
        if low == high and not follows_work:
            what = functools.partial(self._dask_cluster.scale, low)
        else:
            what = functools.partial(self._dask_cluster.adapt, minimum=low, maximum=high)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                what()
            except Exception as error:  # each kind of cluster has errors of its own
                raise ClusterError(
                    f"Cluster {self.name} did not scale to workers={workers!r}: {error}."
                ) from error
        self.notes += [str(warning.message) for warning in caught]  # a gateway warns of its limits
        self.bounds = (low, high)

    def close(self) -> None:
        """Close the client, then the cluster; each has a deadline, and what is closed stays so."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        # Client first: with the cluster gone, it would try to connect again for ever. A second Ctrl-C
        # interrupts one step, and the next ones are done all the same.
        with contextlib.ExitStack() as stack:
            stack.callback(ending.remove, self)
            for action in self._after:
                stack.callback(_close_within, CLOSE_SERVERS_SECONDS, action, f"the servers of {self.name}")
            if self._close_cluster is not None:
                stack.callback(
                    _close_within, CLOSE_CLUSTER_SECONDS, self._close_cluster, f"cluster {self.name}"
                )
            # A client that could not be closed would be so once more, for a minute, when Python drops it.
            stack.callback(setattr, self.client, "status", "closed")
            stack.callback(
                _close_within, CLOSE_CLIENT_SECONDS, self._close_client, f"the client of {self.name}"
            )

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ClusterError(f"Cluster {self.name} is closed; open a new one.")

    def finally_(self, action: Callable[[], object]) -> None:
        """Have something done after the cluster has been closed, as to stop its gateway."""
        self._after.append(action)

    def _close_client(self) -> None:
        # Where the cluster has gone before, Dask would print how it tries to connect again.
        with silence_logging_cmgr(logging.CRITICAL):
            self.client.close(timeout=CLOSE_CLIENT_SECONDS)

    def __enter__(self) -> Client:
        self._refuse_if_closed()
        return self.client

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, WORTH_THE_LOGS):
            self._save_logs(error)
        self.close()

    def _save_logs(self, error: BaseException) -> None:
        """Save what the cluster can tell of an error, and say where."""
        try:
            error.add_note(f"The logs of cluster {self.name} are in {save_logs(self.client, self.name)}")
        except Exception as reason:  # the error itself matters more than its logs
            logger.warning("The logs of %s could not be saved: %s", self.name, reason)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return view.mimebundle(self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Cluster {self.name!r} ({self.target.kind}), {state}>"


def _close_within(seconds: float, action: Callable[[], object], what: str) -> None:
    """Close something; a failure is logged and must not keep the rest from being closed."""
    try:
        within(seconds, action)
    except Exception as error:
        logger.warning("Closing %s failed: %s: %s", what, type(error).__name__, error)
