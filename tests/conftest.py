"""Fixtures that the whole test suite shares: a real S3 endpoint, a real Dask cluster, the shared data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, settings

from helio_burst.demo.server import EmbeddedS3

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


# The same examples in every run, and no failure because the machine was busy elsewhere.
settings.register_profile(
    "helio-burst", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("helio-burst")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def s3_server() -> Iterator[EmbeddedS3]:
    """One real S3 endpoint (moto server, in a process of its own) for the session; AWS_* point at it."""
    with EmbeddedS3() as server:
        yield server


@pytest.fixture
def s3(s3_server: EmbeddedS3, monkeypatch: pytest.MonkeyPatch) -> EmbeddedS3:
    """The S3 endpoint, with the environment of this test (and of processes it starts) pointing at it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(scope="session", autouse=True)
def any_dashboard_port() -> Iterator[None]:
    """No cluster of this process asks for the usual port, which other tests and people's own clusters use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helio_burst.cluster.local.DASHBOARD_PORT", 0)
        yield


@pytest.fixture(scope="session")
def client(s3_server: EmbeddedS3) -> Iterator[Client]:
    """A Dask client on a local cluster of two single-thread worker processes that can reach `s3_server`.

    It is nobody's default, so that tests of what a process finds by itself do not find it.
    """
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=":0",
        env=dict(s3_server.environment),
    ) as cluster:
        client = Client(cluster, set_as_default=False)
        yield client
        client.close()
