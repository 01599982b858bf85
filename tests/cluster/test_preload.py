"""The rules that end a cluster, on a real scheduler; time is given, not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import time

import pytest
from distributed import Client, LocalCluster, Scheduler, fire_and_forget

from helio_burst.cluster import Cluster, ending
from helio_burst.cluster.opening import check_first_worker
from helio_burst.cluster.preload import Watch, clear_detached, mark_detached
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError
from tests.cluster.conftest import until


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler without workers, so that tasks stay where they are."""
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def reason(watch: Watch, later: float) -> str | None:
    """Ask twice, as time goes on: the scheduler notes idleness when it is first asked."""
    watch.reason(time())
    return watch.reason(time() + later)


def test_an_idle_cluster_ends(cluster: LocalCluster) -> None:
    with Client(cluster):
        watch = Watch(cluster.scheduler, idle=100, no_client=1e9)
        assert reason(watch, 90) is None
        assert "idle for" in str(reason(watch, 110))


def test_tasks_that_wait_are_work(cluster: LocalCluster) -> None:
    """The gateway's own rule would end a cluster whose tasks are queued."""
    with Client(cluster) as client:
        watch = Watch(cluster.scheduler, idle=100, no_client=1e9)
        future = client.submit(sum, [1, 2])
        until(lambda: cluster.scheduler.tasks)
        assert reason(watch, 1000) is None
        future.cancel()
        until(lambda: not cluster.scheduler.tasks)
        assert "idle for" in str(reason(watch, 1000))


def test_a_cluster_without_client_ends_unless_a_detached_job_runs(cluster: LocalCluster) -> None:
    watch = Watch(cluster.scheduler, idle=1e9, no_client=100)
    with Client(cluster) as client:
        # A client that is connected but silent for long is a laptop that sleeps.
        assert reason(watch, 90) is None
        assert "no client for" in str(reason(watch, 200))
        mark_detached(client, job="irradiance", store="s3://bucket/jobs/irradiance")
        fire_and_forget(client.submit(sum, [1, 2]))
        until(lambda: cluster.scheduler.tasks)
    until(lambda: set(cluster.scheduler.clients) == {"fire-and-forget"})
    assert reason(watch, 1000) is None
    with Client(cluster) as client:
        assert client.get_metadata(["helio-burst", "detached"])["job"] == "irradiance"
        clear_detached(client)
    assert "no client for" in str(reason(watch, 1000))
    whole = Watch(cluster.scheduler, idle=1e9, no_client=100, detached=True)
    assert reason(whole, 1000) is None


def test_a_laptop_that_wakes_up_keeps_its_cluster(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client slept as long as its scheduler did."""
    ended: list[str] = []

    async def end(scheduler: Scheduler, reason: str) -> None:
        ended.append(reason)

    clock = [time()]
    monkeypatch.setattr("helio_burst.cluster.preload.end", end)
    monkeypatch.setattr("helio_burst.cluster.preload.time", lambda: clock[0])
    watch = Watch(cluster.scheduler, idle=1e9, no_client=100)
    for seconds in (8 * 3600, 50, 45, 10):
        assert not ended
        clock[0] += seconds
        asyncio.run(watch.check())
    assert ended == ["no client for 105 s"]


def test_workers_that_do_not_come(cluster: LocalCluster) -> None:
    """As with no room, or an image that cannot be pulled."""
    waiting = Cluster(client=Client(cluster), target=Target("gateway"), dask_cluster=cluster, bounds=(1, 1))
    with pytest.raises(ClusterError, match=r"no worker came within 0\.2 s. Is there room"):
        check_first_worker(waiting, Request(start_timeout=0.2))
    waiting.client.close()
    ending.remove(waiting)


def test_the_preload_ends_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIO_BURST_NO_CLIENT_MINUTES", "0.005")

    async def run() -> None:
        preload = ["helio_burst.cluster.preload"]
        async with Scheduler(dashboard_address="127.0.0.1:0", preload=preload) as scheduler:
            await asyncio.wait_for(scheduler.finished(), 60)

    asyncio.run(run())
