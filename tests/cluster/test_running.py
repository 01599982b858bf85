"""A scheduler that somebody else runs, plain and with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster
from distributed.security import Security

from helio_burst.cluster import open_cluster, stop_all
from helio_burst.cluster.one_machine import Ports
from helio_burst.errors import ClusterError, InputError
from tests.cluster.conftest import until


def test_a_running_scheduler_is_left_alive(tmp_path: Path, no_other_clusters: None) -> None:
    with LocalCluster(
        n_workers=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    ) as running:
        with open_cluster(running.scheduler_address) as client:
            assert client.submit(sum, [1, 2]).result() == 3
        file = tmp_path / "scheduler.json"
        running.scheduler.scheduler_file = str(file)
        file.write_text(f'{{"address": "{running.scheduler_address}"}}')
        cluster = open_cluster(file)
        assert stop_all() == [cluster.name]
        assert cluster.closed
        assert running.scheduler.status.name == "running"
        with pytest.raises(InputError, match=r"runs already; workers cannot be chosen"):
            open_cluster(running.scheduler_address, workers=3)


def test_nothing_at_the_address(ports: Ports) -> None:
    with pytest.raises(ClusterError, match=r"No Dask scheduler at tcp://.*nothing listens.*server up"):
        open_cluster(f"tcp://127.0.0.1:{ports.take()}")
    for address in ("tcp://localhost", "tcp://localhost:port", "tls://:8786"):
        with pytest.raises(InputError, match=f"'{address}' is no address.*needs a host and a port"):
            open_cluster(address)


def test_a_scheduler_that_has_gone(no_other_clusters: None) -> None:
    """A notebook that shows the cluster is told at once; Dask itself would wait for half a minute."""
    with LocalCluster(
        n_workers=0, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp://"
    ) as running:
        cluster = open_cluster(running.scheduler_address)
        assert "Workers      0" in cluster._repr_mimebundle_()["text/plain"]
    until(lambda: cluster.client.status != "running")
    for question in (cluster.size, cluster.use):
        with pytest.raises(ClusterError, match=r"scheduler of cluster tcp.* does not answer: its client is"):
            question()
    assert "does not answer" in cluster._repr_mimebundle_()["text/html"]
    cluster.close()


@pytest.fixture(scope="module")
def tls() -> Iterator[LocalCluster]:
    """A scheduler and a worker process that talk TLS only, with a certificate of their own."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        protocol="tls://",
        security=Security.temporary(),
    ) as cluster:
        yield cluster


def tls_files(folder: Path, security: Security) -> dict[str, str]:
    """Write a certificate and its key into files; return what Dask's configuration calls them."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(security.tls_client_cert)
    key.write_text(security.tls_client_key)
    return {
        "distributed.comm.tls.ca-file": str(certificate),
        "distributed.comm.tls.client.cert": str(certificate),
        "distributed.comm.tls.client.key": str(key),
    }


def test_tls_with_the_configured_certificate(tls: LocalCluster, tmp_path: Path) -> None:
    with (
        dask.config.set(tls_files(tmp_path, tls.security)),
        open_cluster(tls.scheduler_address) as client,
    ):
        assert client.submit(sum, [1, 2]).result() == 3


def test_tls_without_the_right_certificate(tls: LocalCluster, tmp_path: Path) -> None:
    address = tls.scheduler_address

    def refused(message: str, files: dict[str, str], address: str = address) -> None:
        with dask.config.set(files), pytest.raises(ClusterError, match=message):
            open_cluster(address)

    refused(r"needs a certificate, and none is configured.*ca-file \(now None\)", {})
    files = tls_files(tmp_path, Security.temporary())
    refused("does not answer as a Dask scheduler.*certificate verify failed", files)
    missing = {**files, "distributed.comm.tls.client.key": str(tmp_path / "no.pem")}
    refused(r"cannot be used: .*No such file.*client.key \(now .*no\.pem\)", missing)
    refused("Is the protocol .tcp or tls. right", {}, address.replace("tls://", "tcp://"))
