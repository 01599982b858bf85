"""No cluster outlives its process: atexit and SIGTERM close what is still open."""

from __future__ import annotations

import atexit
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helio_burst.cluster.handle import Cluster

_open: list[Cluster] = []
_armed = False


def add(cluster: Cluster) -> None:
    """Have a cluster closed at the end of the process, if nobody closes it before."""
    _arm()
    _open.append(cluster)


def remove(cluster: Cluster) -> None:
    """Forget a cluster that has been closed."""
    if cluster in _open:
        _open.remove(cluster)


def open_clusters() -> list[Cluster]:
    """Return the clusters of this process that are still open, oldest first."""
    return list(_open)


def close_all() -> None:
    """Close every cluster that this process has opened, the newest first."""
    for cluster in reversed(open_clusters()):
        cluster.close()


def _arm() -> None:
    global _armed
    if _armed:
        return
    _armed = True
    # Registered after Dask's own exit functions, so it runs before them, while the event loops still live.
    atexit.register(close_all)
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """Leave as Python does on an error, so that `with` blocks and exit functions run."""
    raise SystemExit(128 + number)
