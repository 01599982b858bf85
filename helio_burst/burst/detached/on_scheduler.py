"""A driver beside a cluster's scheduler: a plugin starts it, and starts it again when it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.diagnostics.plugin import SchedulerPlugin

from helio_burst.burst.detached.order import DRIVER, ENDED, Order, copy_log, tls_of
from helio_burst.cluster import child, preload
from helio_burst.errors import ClusterError, HelioBurstError

# A driver that is killed this often will be killed again: there is no memory for it, say.
MOST_DEATHS = 8
_STOP_SECONDS = 10.0

logger = logging.getLogger("distributed.scheduler.helio_burst")


class DriverPlugin(SchedulerPlugin):
    """Keeps the driver of one job running on the scheduler's host.

    Parameters
    ----------
    order : str
        The order, as JSON, without what only the scheduler knows: its address, its keys, the log.
    ends_cluster : bool
        Whether the cluster was opened for this job and ends with it.
    """

    def __init__(self, order: str, ends_cluster: bool) -> None:
        self._order = order
        self.name = plugin_name(Order.model_validate_json(order))
        self._ends_cluster = ends_cluster
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.last_words = ""

    async def start(self, scheduler: Any) -> None:
        """Begin; Dask calls this on the scheduler."""
        self._task = asyncio.create_task(self._supervise(scheduler))

    async def close(self) -> None:
        """End the driver with its scheduler."""
        current = asyncio.current_task()
        if self._task is not None and self._task is not current:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _supervise(self, scheduler: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="helio-burst-driver-") as folder:
            order = Order.model_validate_json(self._order).model_copy(
                update={
                    "scheduler": scheduler.address,
                    "tls": tls_of(scheduler.security),
                    "log": str(Path(folder) / "log.txt"),
                }
            )
            for deaths in range(MOST_DEATHS):
                code = await self._drive(order)
                self.last_words = _end_of(order.log)
                if code == ENDED:
                    break
                logger.warning("The driver of job %s ended with exit code %s", order.job, code)
                await asyncio.to_thread(_save_log, order)
                await asyncio.sleep(min(2.0**deaths, 60.0))
        if self._ends_cluster:
            await preload.end(scheduler, f"job {order.job} has ended")
        else:
            scheduler.remove_plugin(name=self.name)

    async def _drive(self, order: Order) -> int:
        """Run the driver once and return its exit code."""
        with open(order.log, "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *child.command(DRIVER),  # it ends with the scheduler, even if that is killed
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        try:
            await self._process.communicate(order.model_dump_json().encode())
        except asyncio.CancelledError:
            await self._end()
            raise
        assert self._process.returncode is not None
        return self._process.returncode

    async def _end(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.kill()


def plugin_name(order: Order) -> str:
    """Name the plugin of a driver."""
    return f"helio-burst-driver-{order.name}"


def _end_of(log: str, size: int = 4000) -> str:
    return Path(log).read_text(encoding="utf-8", errors="replace")[-size:]


def _save_log(order: Order) -> None:
    """Do what a driver that was killed could not do any more."""
    try:
        copy_log(order, order.ledger())
    except HelioBurstError as error:
        logger.warning("The log of the driver could not be saved: %s", error)


def start_on_scheduler(client: Client, order: Order, *, ends_cluster: bool) -> None:
    """Have the scheduler of a client's cluster start a driver.

    Raises
    ------
    ClusterError
        The scheduler's environment has no helio_burst.
    """
    plugin = DriverPlugin(order.model_dump_json(), ends_cluster)
    try:
        client.register_plugin(plugin, name=plugin.name)
    except ImportError as error:
        raise ClusterError(
            f"The scheduler cannot start the driver of the job: {error}. Its environment needs the same "
            "helio_burst as this session."
        ) from error


def last_words(client: Client, order: Order) -> str:
    """Return the end of the log of a driver that has ended; empty while it lives."""

    def ask(dask_scheduler: Any, name: str) -> str:
        plugin = dask_scheduler.plugins.get(name)
        return plugin.last_words if plugin is not None else ""

    try:
        return str(client.run_on_scheduler(ask, name=plugin_name(order)))
    except OSError:  # the cluster has ended with its job
        return ""


def end_cluster(client: Client, reason: str) -> None:
    """End a cluster that was opened for a job which then did not begin."""

    async def end(dask_scheduler: Any) -> None:
        await preload.end(dask_scheduler, reason)

    with contextlib.suppress(OSError, TimeoutError):  # it closes the connection over which it answers
        client.run_on_scheduler(end)
