"""No cluster outlives its process: atexit and signals close what is still open."""

from __future__ import annotations

import atexit
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helio_burst.cluster.handle import Cluster

_open: list[Cluster] = []
_registered = False
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def add(cluster: Cluster) -> None:
    """Have a cluster closed at the end of the process, if nobody closes it before."""
    global _registered
    if not _registered:
        # After Dask's own exit functions, so that it runs before them, while the event loops still live.
        atexit.register(close_all)
        _registered = True
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


def heed_signals() -> None:
    """Have a process that is told to end, or whose terminal is gone, leave its clusters in good order.

    Whoever has chosen something else for these signals, as ``nohup`` does, keeps it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """Leave as Python does on an error, so that `with` blocks and exit functions run."""
    raise SystemExit(128 + number)
