"""A real Dask gateway: the same code path as in the cloud."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client

import helio_burst
from helio_burst import readers
from helio_burst.burst import Run, map_files
from helio_burst.cluster import Cluster, list_clusters, open_cluster, stop_all
from helio_burst.cluster.gateway import RECONNECT_SECONDS, close_gateway, connect_gateway
from helio_burst.cluster.one_machine import LocalGateway, Ports
from helio_burst.cluster.targets import Target
from helio_burst.errors import BurstError, ClusterError, InputError
from tests.cluster.conftest import until

ROOT = Path(helio_burst.__file__).resolve().parents[1]


def test_a_gateway_cluster(gateway_cluster: Cluster, configured: LocalGateway) -> None:
    client = gateway_cluster.client
    assert client.submit(lambda: os.environ["SIGN"]).result() == "7"
    assert gateway_cluster.size().cores == 2
    assert gateway_cluster.bounds == (1, 2)
    failures = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 1, failures
    assert gateway_cluster.dashboard == f"{configured.address}/clusters/{gateway_cluster.name}/status"
    html = gateway_cluster._repr_mimebundle_()["text/html"]
    assert "(between 1 and 2)" in html
    assert "USD (0." in html
    assert 0 < gateway_cluster.use().core_hours < 1


def test_it_grows_with_the_work_and_shrinks_after(gateway_cluster: Cluster) -> None:
    """Adaptive scaling: nothing is lost, nothing is computed twice."""

    def work(number: int) -> tuple[int, str]:
        from time import sleep

        from distributed import get_worker

        sleep(0.5)  # the work itself; adaptive scaling goes by how long tasks take
        return number, get_worker().address

    client = gateway_cluster.client
    futures = client.map(work, range(60), pure=False)
    done = client.gather(futures)
    assert sorted(number for number, _ in done) == list(range(60))
    assert len({worker for _, worker in done}) == 2
    del futures
    until(lambda: gateway_cluster.size().workers == 1)


def test_options_that_are_not_offered_are_listed(configured: LocalGateway) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"image": "helio:1"}, r"lets nobody choose image='helio:1'. It offers: worker_cores \(1 to 16\)"),
        ({"options": {"worker_core": 2}}, "no option 'worker_core'. Nearest: worker_cores"),
        ({"cores": 64}, "refuses worker_cores=64.*<= 16.*It offers"),
        ({"memory": "2 TiB"}, r"refuses worker_memory=2048.0.*0.25 to 64"),
    ]
    for arguments, message in cases:
        with pytest.raises(InputError, match=message):
            open_cluster("gateway", **arguments)


def test_a_wrong_password(gateway: LocalGateway) -> None:
    wrong = {"gateway.auth.type": "basic", "gateway.auth.kwargs": {"username": "me", "password": "x"}}
    with dask.config.set(wrong), pytest.raises(ClusterError, match="user name or password are wrong"):
        open_cluster(gateway.address)


def test_a_wrong_proxy_address(configured: LocalGateway, ports: Ports) -> None:
    with pytest.raises(ClusterError, match=r"not its proxy.*nothing listens.*proxy_address='host:port'"):
        open_cluster("gateway", proxy_address=f"127.0.0.1:{ports.take()}")


def test_a_proxy_address_of_another_server(
    configured: LocalGateway, gateway_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helio_burst.cluster.preflight.ROUTE_SECONDS", 1.0)
    with _web_server("hello") as address, pytest.raises(ClusterError, match="address of some other server"):
        open_cluster("gateway", name=gateway_cluster.name, proxy_address=address.removeprefix("http://"))


class _web_server:  # noqa: N801  # reads as a function where it is used
    """A server that is no gateway; with a version at /hub/api it passes for a JupyterHub."""

    def __init__(self, page: str, hub: bool = False, status: int = 200) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b'{"version": "6"}' if hub and self.path == "/hub/api" else page.encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_an_address_that_answers_something_else() -> None:
    no_gateway = r"no Dask gateway at .*ends with /services/dask-gateway"
    with _web_server("<html>Welcome</html>") as address, pytest.raises(ClusterError, match=no_gateway):
        open_cluster(address)
    down = r"is down or just starting \(HTTP 503\). Try again"
    with _web_server("", status=503) as address, pytest.raises(ClusterError, match=down):
        open_cluster(address)
    a_hub = "A JupyterHub is there; its gateway is http.*/services/dask-gateway"
    with _web_server("<html></html>", hub=True) as address, pytest.raises(ClusterError, match=a_hub):
        open_cluster(address)


def test_an_address_where_nothing_answers(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"No gateway at http.*nothing listens at 127.0.0.1"):
        open_cluster(f"http://127.0.0.1:{ports.take()}")
    with pytest.raises(ClusterError, match=r"there is no host 'gateway\.invalid'"):
        open_cluster("https://gateway.invalid/services/dask-gateway", token="x")
    monkeypatch.setattr("helio_burst.cluster.preflight.HTTP_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with pytest.raises(ClusterError, match=r"no answer within 0.3 s. A firewall may"):
            open_cluster(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - begin < 20  # without a deadline it would wait for ever


def test_a_scheduler_that_does_not_start(configured: LocalGateway) -> None:
    """As with an image that cannot be pulled: what is left is stopped, and the message says what to do."""
    with pytest.raises(ClusterError, match=r"did not start: FAILED.*kubectl get events"):
        open_cluster("gateway", environment={"PYTHONHOME": "/nowhere"})


def test_a_detached_cluster_lives_on(configured: LocalGateway) -> None:
    cluster = open_cluster("gateway", workers=1, detached=True, idle="2 min")
    with cluster as client:
        assert client.submit(sum, [1, 2]).result() == 3
    listed = list_clusters().set_index("name")
    assert listed.loc[cluster.name, ["kind", "status", "detached", "here"]].tolist() == [
        "gateway",
        "running",
        True,
        False,
    ]
    assert str(listed["started"].dtype) == "datetime64[ns, UTC]"
    with open_cluster("gateway", name=cluster.name) as client:
        assert client.submit(sum, [3, 4]).result() == 7
    assert cluster.name in set(list_clusters()["name"])

    somebody = {"gateway.auth.kwargs": {"username": "somebody", "password": configured.password}}
    with dask.config.set(somebody):
        with pytest.raises(ClusterError, match=f"did not show cluster {cluster.name}.*somebody else"):
            open_cluster("gateway", name=cluster.name)
        assert list_clusters().query("not here").empty
    with pytest.raises(ClusterError, match="Cluster none not found"):
        open_cluster("gateway", name="none")
    client = connect_gateway(Target("gateway", configured.address))
    client.stop_cluster(cluster.name)
    close_gateway(client)


SESSION = """
import dask, sys
from helio_burst.cluster import open_cluster
address, user, password = sys.argv[1:]
dask.config.set({"gateway.auth.kwargs": {"username": user, "password": password}})
cluster = open_cluster(address, workers=1, environment={"HELIO_BURST_NO_CLIENT_MINUTES": "0.25"})
print(cluster.name, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def session(gateway: LocalGateway) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process with an open cluster, and the cluster's name; it ends when its input does."""
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, gateway.address, gateway.user, gateway.password],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def test_a_client_that_is_killed_leaves_nothing(configured: LocalGateway) -> None:
    with session(configured) as (process, name):
        assert name in set(list_clusters()["name"])
        process.kill()
    until(lambda: name not in set(list_clusters()["name"]))


def test_a_cluster_that_has_gone_lets_its_client_end(configured: LocalGateway) -> None:
    with session(configured) as (process, name):
        client = connect_gateway(Target("gateway", configured.address))
        client.stop_cluster(name)
        close_gateway(client)
        until(lambda: name not in set(list_clusters()["name"]))
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert "Exception ignored" not in errors


def test_a_gateway_at_its_limit(configured: LocalGateway, full: None) -> None:
    with pytest.raises(ClusterError, match=r"did not start a cluster: .*limit.*stop_all"):
        open_cluster("gateway", workers=1)


@pytest.fixture
def full(configured: LocalGateway, gateway_cluster: Cluster) -> Iterator[None]:
    """As many clusters as the gateway allows; they need not be ready."""
    client = connect_gateway(Target("gateway", configured.address))
    names = []
    while len(client.list_clusters()) < 3:
        names.append(client.submit())
    yield
    for name in names:
        client.stop_cluster(name)
    close_gateway(client)


def test_more_workers_than_the_gateway_allows(gateway_cluster: Cluster) -> None:
    gateway_cluster.scale((1, 99))
    assert any("limit of 4 workers" in note for note in gateway_cluster.notes)
    gateway_cluster.scale((1, 2))


def test_a_gateway_that_is_killed_and_started_again(
    gateway: LocalGateway, gateway_cluster: Cluster, tmp_path: Path
) -> None:
    """Scheduler and workers live on, and so does the client; its futures do not, but a ledger is left."""

    def slow(row: Any) -> int:
        from time import sleep

        sleep(0.05)  # so that the gateway dies in the middle of the work
        return int(row.datakey)

    def start() -> Run:
        files = [str(number) for number in range(200)]
        return map_files(slow, files, read=readers.row, client=client, store=str(tmp_path), wait=False)

    client = gateway_cluster.client
    run = start()
    until(lambda: run.progress.done)
    assert gateway._process is not None
    gateway._process.kill()
    gateway._process.wait()
    with pytest.raises(BurstError, match=r"is lost(.|\n)*the same call goes on from there"):
        run.result(60)
    gateway.start()
    until(lambda: client.status == "running", RECONNECT_SECONDS)
    outcome = start().result(60)
    assert outcome.progress.resumed > 0
    assert sorted(outcome.to_xarray(name="number")["number"].values) == list(range(200))
    gateway_cluster.scale((1, 2))  # the gateway knows its clusters


def test_the_package_starts_its_own_gateway(no_other_clusters: None) -> None:
    """`stop_all` ends it too, and its cluster even if the gateway has died."""
    cluster = open_cluster("gateway-local", workers=1)
    client: Client = cluster.client
    address = str(cluster.target.address)
    worker, scheduler = client.submit(os.getpid).result(), client.run_on_scheduler(os.getpid)
    assert list_clusters().set_index("name").loc[cluster.name, "kind"] == "gateway-local"
    where = address.removeprefix("http://")
    (server,) = [child for child in psutil.Process().children() if where in child.environ().values()]
    server.kill()
    assert stop_all() == [cluster.name]
    assert not psutil.pid_exists(worker)
    assert not psutil.pid_exists(scheduler)
    with pytest.raises(ClusterError, match="nothing listens"):
        open_cluster(address)


def test_a_gateway_that_dies_while_it_is_stopped(no_other_clusters: None) -> None:
    """What it could not end itself, its successor does; so it is with one that answers no more."""
    with LocalGateway() as gateway:
        auth = {"username": gateway.user, "password": gateway.password}
        with dask.config.set({"gateway.auth.type": "basic", "gateway.auth.kwargs": auth}):
            cluster = open_cluster(gateway.address, workers=1)
        client = cluster.client
        pids = [client.submit(os.getpid).result(), client.run_on_scheduler(os.getpid)]
        assert gateway._process is not None
        process = psutil.Process(gateway._process.pid)
        process.suspend()
        killer = threading.Timer(0.5, process.kill)
        killer.start()
        gateway.stop()
        killer.join()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    cluster.close()
