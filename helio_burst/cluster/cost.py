"""What a cluster has used and may have cost: core hours, counted by the scheduler, and the price table."""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import Any

from distributed import Client
from distributed.diagnostics.plugin import SchedulerPlugin

from helio_burst.cluster.prices import Prices, read_prices
from helio_burst.errors import ClusterError

PLUGIN = "helio-burst-use"


@dataclass(frozen=True)
class Use:
    """What the workers of a cluster have had since it began to be counted."""

    core_hours: float

    def cost(self, prices: Prices | None = None) -> str:
        """Return what that costs, as "1.23 USD"; an estimate, without storage and traffic."""
        prices = prices or read_prices()
        return f"{self.core_hours * prices.per_core_hour:.2f} {prices.currency}"


class CountUse(SchedulerPlugin):
    """Counts, on the scheduler, the seconds that the cores of workers are there."""

    name = PLUGIN

    def __init__(self) -> None:
        self._present: dict[str, tuple[float, int]] = {}
        self._core_seconds = 0.0

    async def start(self, scheduler: Any) -> None:
        """Begin with the workers that are there already."""
        for worker in scheduler.workers:
            self.add_worker(scheduler, worker)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Note when a worker came, and its cores."""
        self._present[worker] = (time(), scheduler.workers[worker].nthreads)

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Add up what a worker that has gone was."""
        now = time()
        begin, cores = self._present.pop(worker, (now, 0))
        self._core_seconds += (now - begin) * cores

    def core_seconds(self) -> float:
        """Return the total until now."""
        now = time()
        return self._core_seconds + sum((now - begin) * cores for begin, cores in self._present.values())


def begin_to_count(client: Client) -> None:
    """Have the scheduler count from now on; a second call begins anew."""
    try:
        client.register_plugin(CountUse(), name=PLUGIN)
    except ImportError as error:
        raise ClusterError(f"The scheduler's environment does not fit to this session: {error}.") from error


def use(client: Client) -> Use:
    """Return what a cluster has used; nothing if its scheduler does not count."""

    def core_seconds(dask_scheduler: Any) -> float:
        plugin = dask_scheduler.plugins.get(PLUGIN)
        return 0.0 if plugin is None else float(plugin.core_seconds())

    return Use(client.run_on_scheduler(core_seconds) / 3600)
