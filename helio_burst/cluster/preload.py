"""Scheduler preload: ends a cluster that is idle, or that has had no client for a while.

Start a scheduler with ``--preload helio_burst.cluster.preload``; the gateway's configuration does. Two rules:

idle
    No task is running, queued or waiting for a worker, and none has been for HELIO_BURST_IDLE_MINUTES
    (default 30). The gateway's own rule overlooks queued tasks.
no client
    No client has been heard of for HELIO_BURST_NO_CLIENT_MINUTES (default 10; clients tell that they live
    every 5 s, so no less than a quarter of a minute), as when a laptop or a notebook died. It does not hold
    for a cluster of a detached job: HELIO_BURST_DETACHED=1, or a marker that `mark_detached` sets through a
    client. The rule "idle" ends such a cluster when its job is done.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

from tornado.ioloop import PeriodicCallback

if TYPE_CHECKING:
    from distributed import Client
    from distributed.scheduler import Scheduler

# The path of the marker among the scheduler's metadata; what it holds is for people to read.
DETACHED = ("helio-burst", "detached")
SLEPT_SECONDS = 60.0  # checks are never so far apart on a machine that is awake
FIRE_AND_FORGET = "fire-and-forget"  # Dask's stand-in for the client of tasks that nobody waits for

logger = logging.getLogger("distributed.scheduler.helio_burst")


def mark_detached(client: Client, **about: object) -> None:
    """Say that the cluster runs a job which is to go on when its client leaves.

    Parameters
    ----------
    client : distributed.Client
        A client of the cluster.
    **about
        What to note of the job, as its name and its store.
    """
    client.set_metadata(list(DETACHED), {"since": time(), **about})


def clear_detached(client: Client) -> None:
    """Take the marker of `mark_detached` away, so that the cluster ends soon after its clients."""
    client.set_metadata(list(DETACHED), None)


@dataclass
class Watch:
    """The two rules, and the scheduler that they are for.

    Attributes
    ----------
    idle, no_client : float
        Seconds.
    detached : bool
        Whether the whole cluster was opened for a detached job.
    """

    scheduler: Scheduler
    idle: float = 1800.0
    no_client: float = 600.0
    detached: bool = False
    _client_seen: float = 0.0
    _checked: float = 0.0

    def __post_init__(self) -> None:
        self._client_seen = self._checked = time()
        period = min(max(min(self.idle, self.no_client) / 8, 0.2), 15.0)
        self._callback = PeriodicCallback(self.check, 1000 * period)

    def start(self) -> None:
        """Begin to look at the scheduler every now and then."""
        self._callback.start()

    def stop(self) -> None:
        """Look no more."""
        self._callback.stop()

    async def check(self) -> None:
        """End the cluster if one of the rules says so."""
        now = time()
        if now - self._checked > SLEPT_SECONDS:
            self._client_seen = (
                now  # a laptop that wakes up: its client slept, too, and is heard of in a moment
            )
        self._checked = now
        reason = self.reason(now)
        if reason is not None:
            self.stop()
            logger.warning("helio_burst ends this cluster: %s", reason)
            await end(self.scheduler, reason)

    def reason(self, now: float) -> str | None:
        """Return why the cluster should end, or None."""
        idle_since = self.scheduler.check_idle()  # counts running, queued and unrunnable tasks as work
        if idle_since and now - idle_since > self.idle:
            return f"idle for {now - idle_since:.0f} s"
        clients = [state for key, state in self.scheduler.clients.items() if key != FIRE_AND_FORGET]
        # A client on a laptop that sleeps stays connected for long, but is not heard of.
        self._client_seen = max([self._client_seen, *(state.last_seen for state in clients)])
        if now - self._client_seen > self.no_client and not self.has_detached_job():
            return f"no client for {now - self._client_seen:.0f} s"
        return None

    def has_detached_job(self) -> bool:
        """Say whether a job runs here that goes on without a client."""
        return self.detached or bool(self.scheduler.get_metadata(list(DETACHED), default=None))


async def end(scheduler: Any, reason: str) -> None:
    """Have the gateway stop the cluster; without one, close the scheduler, and with it its workers."""
    service = scheduler.services.get("gateway")
    if service is not None:
        try:
            await service.gateway.shutdown()
        except Exception:  # the gateway may be down or restarting; the scheduler ends all the same
            logger.exception("The gateway did not take the request to stop the cluster")
        else:
            return
    await scheduler.close(reason=reason)


def dask_setup(scheduler: Scheduler) -> None:
    """Begin the watch; Dask calls this when the scheduler has started."""
    environ = os.environ
    watch = Watch(
        scheduler,
        idle=60 * float(environ.get("HELIO_BURST_IDLE_MINUTES", 30)),
        no_client=60 * float(environ.get("HELIO_BURST_NO_CLIENT_MINUTES", 10)),
        detached=environ.get("HELIO_BURST_DETACHED") == "1",
    )
    scheduler.helio_burst_watch = watch  # type: ignore[attr-defined]  # the preload has no other place
    watch.start()


def dask_teardown(scheduler: Any) -> None:
    """End the watch."""
    scheduler.helio_burst_watch.stop()
