"""What a cluster has used and may have cost: core hours, memory hours, and a small table of prices."""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import time
from typing import Any

from distributed import Client
from distributed.diagnostics.plugin import SchedulerPlugin

from helio_burst.errors import ClusterError, InputError, nearest

PLUGIN = "helio-burst-use"
VARIABLE = "HELIO_BURST_PRICE"


@dataclass(frozen=True)
class Price:
    """US dollars for a core and for a GiB of memory, each for one hour."""

    core_hour: float
    gib_hour: float


# Fitted to the list prices of c6i, m6i and r6i instances in AWS us-east-1, 2025; spot is about 60 % less.
PRICES = {
    "on-demand": Price(0.0357, 0.0034),
    "spot": Price(0.0143, 0.0014),
    "free": Price(0.0, 0.0),
}


@dataclass(frozen=True)
class Use:
    """What the workers of a cluster have had since it began to be counted."""

    core_hours: float = 0.0
    gib_hours: float = 0.0

    def cost(self, price: Price | None = None) -> float:
        """Return US dollars; an estimate, without storage and traffic.

        Examples
        --------
        >>> round(Use(core_hours=100, gib_hours=400).cost(PRICES["on-demand"]), 2)
        4.93
        """
        price = price or current_price()
        return self.core_hours * price.core_hour + self.gib_hours * price.gib_hour


def current_price() -> Price:
    """Return the price that HELIO_BURST_PRICE names: one of `PRICES`, or ``"core_hour,gib_hour"``."""
    setting = os.environ.get(VARIABLE, "on-demand")
    if setting in PRICES:
        return PRICES[setting]
    try:
        core_hour, gib_hour = map(float, setting.split(","))
    except ValueError as error:
        raise InputError(
            f"{VARIABLE}={setting!r} is neither a known price nor two numbers. {nearest(setting, PRICES)}"
        ) from error
    return Price(core_hour, gib_hour)


class CountUse(SchedulerPlugin):
    """Counts, on the scheduler, the seconds that workers are there."""

    name = PLUGIN

    def __init__(self) -> None:
        self._present: dict[str, tuple[float, int, float]] = {}
        self._core_seconds = 0.0
        self._gib_seconds = 0.0

    async def start(self, scheduler: Any) -> None:
        """Begin with the workers that are there already."""
        for worker in scheduler.workers:
            self.add_worker(scheduler, worker)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Note when a worker came, and its size."""
        state = scheduler.workers[worker]
        self._present[worker] = (time(), state.nthreads, state.memory_limit / 2**30)

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Add up what a worker that has gone was."""
        now = time()
        begin, cores, gib = self._present.pop(worker, (now, 0, 0.0))
        self._core_seconds += (now - begin) * cores
        self._gib_seconds += (now - begin) * gib

    def totals(self) -> tuple[float, float]:
        """Return core seconds and GiB seconds until now."""
        now = time()
        cores = sum((now - begin) * cores for begin, cores, _ in self._present.values())
        gib = sum((now - begin) * gib for begin, _, gib in self._present.values())
        return self._core_seconds + cores, self._gib_seconds + gib


def begin_to_count(client: Client) -> None:
    """Have the scheduler count from now on; once is enough."""
    try:
        client.register_plugin(CountUse(), name=PLUGIN)
    except ImportError as error:
        raise ClusterError(f"The scheduler's environment does not fit to this session: {error}.") from error


def use(client: Client) -> Use:
    """Return what a cluster has used; nothing if its scheduler does not count."""

    def totals(dask_scheduler: Any) -> tuple[float, float]:
        plugin = dask_scheduler.plugins.get(PLUGIN)
        return (0.0, 0.0) if plugin is None else plugin.totals()

    core_seconds, gib_seconds = client.run_on_scheduler(totals)
    return Use(core_seconds / 3600, gib_seconds / 3600)
