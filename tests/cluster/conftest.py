"""One gateway and one hub for the session of each xdist worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import dask
import dask_gateway  # noqa: F401  # so that its defaults are in the configuration before tests change that
import pytest
from distributed import Client

from helio_burst.cluster import Cluster, ending, open_cluster
from helio_burst.cluster.hub import LocalHub
from helio_burst.cluster.one_machine import LocalGateway, Ports


@pytest.fixture(autouse=True)
def _no_configured_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the person who runs the tests has configured out of them."""
    for name in ("HELIO_BURST_CLUSTER", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_PREFIX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Ports at which nobody listens while the test runs."""
    with Ports() as ports:
        yield ports


@pytest.fixture(scope="session")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway({"HELIO_BURST_MAX_CLUSTERS": "3", "HELIO_BURST_MAX_WORKERS": "4"}) as server:
        yield server


@pytest.fixture
def configured(gateway: LocalGateway) -> Iterator[LocalGateway]:
    """The gateway, as Dask's configuration names it on a hub or on a laptop that was set up for it."""
    with dask.config.set(
        {
            "gateway.address": gateway.address,
            "gateway.auth.type": "basic",
            "gateway.auth.kwargs": {"username": gateway.user, "password": gateway.password},
        }
    ):
        yield gateway


@pytest.fixture(scope="module")
def gateway_cluster(gateway: LocalGateway) -> Iterator[Cluster]:
    """A cluster of the gateway that a file's tests share; another file's find no open cluster."""
    auth = {"username": gateway.user, "password": gateway.password}
    with dask.config.set({"gateway.auth.type": "basic", "gateway.auth.kwargs": auth}):
        cluster = open_cluster(gateway.address, (1, 2), cores=2, memory="1 GiB", environment={"SIGN": 7})
    with cluster:
        yield cluster


@pytest.fixture
def gateway_client(gateway_cluster: Cluster) -> Client:
    return gateway_cluster.client


@pytest.fixture
def no_other_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the clusters that tests share from what `stop_all` stops."""
    monkeypatch.setattr(ending, "_open", [])


@pytest.fixture(scope="session")
def hub() -> Iterator[LocalHub]:
    # Also where nobody has put this Python's programs on the path.
    with LocalHub(users=["ada", "bob"], environment={"PATH": os.defpath}) as server:
        yield server


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds, looking often."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition} does not hold after {seconds} s"
        time.sleep(0.05)
