"""A cluster on this machine, and its end in every way that a process can end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import KilledWorker, get_client

import helio_burst
from helio_burst.cluster import Cluster, child, list_clusters, local, open_cluster
from helio_burst.cluster.ending import open_clusters
from helio_burst.cluster.handle import _close_within
from helio_burst.cluster.local import GUARD
from helio_burst.cluster.one_machine import Ports
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError
from tests.cluster.conftest import until

ROOT = Path(helio_burst.__file__).resolve().parents[1]


def test_a_local_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platformdirs.user_log_path", lambda name: tmp_path)
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)  # as where a person sits at a prompt
    cluster = open_cluster("local", workers=1, environment={"SIGN": 7})
    assert f"Cluster {cluster.name} (local, since it was asked for); dashboard: " in capsys.readouterr().err
    with pytest.raises(KilledWorker) as caught, cluster as client:  # noqa: PT012  # the whole life of it
        assert get_client() is client
        assert client.submit(lambda: os.environ["SIGN"]).result() == "7"
        assert cluster.size().workers == 1
        assert list_clusters()["name"].tolist() == [cluster.name]

        # One death more than one is proof enough; the burst engine finds the file by itself.
        client.submit(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()
    note = caught.value.__notes__[0]
    assert str(tmp_path) in note
    assert "2 workers died" in (tmp_path / cluster.name / "scheduler.log").read_text()
    assert cluster.closed
    assert not open_clusters()
    for use_again in (cluster.__enter__, lambda: cluster.scale(2)):
        with pytest.raises(ClusterError, match="is closed"):
            use_again()
    assert "closed" in cluster._repr_mimebundle_()["text/html"]
    cluster.close()  # again is no error


def test_the_usual_port_of_the_dashboard_is_taken_if_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        monkeypatch.setattr(local, "DASHBOARD_PORT", port)
        assert local._dashboard_address() == "127.0.0.1:0"
    assert local._dashboard_address() == f"127.0.0.1:{port}"


def test_a_close_that_hangs_or_fails_does_not_stop_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    import threading

    with caplog.at_level(logging.WARNING, "helio_burst.cluster"):
        _close_within(0.05, threading.Event().wait, "the thing")
        _close_within(5, lambda: 1 / 0, "the other")
    assert [record.getMessage() for record in caplog.records] == [
        "Closing the thing failed: TimeoutError: no answer within 0.05 s",
        "Closing the other failed: ZeroDivisionError: division by zero",
    ]


class Unreachable:
    """A client whose scheduler has gone."""

    status = "running"

    def close(self, timeout: float) -> None:
        raise OSError("the scheduler is gone")


def test_a_client_that_cannot_be_closed_is_left_alone() -> None:
    """Python would close it again, and wait for a minute, when it drops it."""

    client: Any = Unreachable()
    Cluster(client=client, target=Target("running")).close()
    assert client.status == "closed"


def test_what_a_kind_of_cluster_says_of_scaling_is_told() -> None:
    class Stopped:
        name = "c1"

        def scale(self, workers: int) -> None:
            raise ValueError("cluster c1 is not running")

        def close(self) -> None:
            pass

    client: Any = Unreachable()
    cluster = Cluster(client=client, target=Target("gateway"), dask_cluster=Stopped())
    with pytest.raises(ClusterError, match=r"Cluster c1 did not scale to workers=2: .* is not running"):
        cluster.scale(2)
    cluster.close()


SCRIPT = """
import os, signal, sys, time
from helio_burst.cluster import local, open_cluster

if __name__ == "__main__":
    if sys.argv[1] == "open":
        local.start_local = lambda *_: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(60)
    cluster = open_cluster("local", workers=1)
    print(*cluster.client.submit(lambda: (__import__("os").getpid(), __import__("os").getppid())).result())
    sys.stdout.flush()
    if sys.argv[1] == "with":
        with cluster:
            time.sleep(60)
    if sys.argv[1].startswith("SIG"):
        time.sleep(60)
    if sys.argv[1] == "raise":
        raise KeyError("a mistake in a notebook")
"""


def test_nothing_outlives_its_process(tmp_path: Path) -> None:
    """Not after an exception (or a plain end), Ctrl-C, SIGTERM (also while it opens), SIGHUP; all at once."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    ended = {way: 128 + getattr(signal, way) for way in ("SIGTERM", "SIGHUP")}
    ways = {"raise": 1, "with": -signal.SIGINT, "open": 128 + signal.SIGTERM, **ended}
    started = {
        way: subprocess.Popen(
            [sys.executable, str(file), way],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for way in ways
    }
    workers = []
    for way, process in started.items():
        assert process.stdout is not None
        workers += [int(pid) for pid in process.stdout.readline().split()][:1]
        if way == "with":
            process.send_signal(signal.SIGINT)
        if way in ended:
            process.send_signal(getattr(signal, way))
    for way, process in started.items():
        _, errors = process.communicate(timeout=60)
        assert process.returncode == ways[way], errors
    assert len(workers) == 4
    until(lambda: not any(psutil.pid_exists(pid) for pid in workers), 20)


def test_a_server_whose_parent_has_gone_before_it_looks() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ""])
    parent.wait()
    command = child.command("http.server")
    command[command.index(str(os.getpid()))] = str(parent.pid)
    done = subprocess.run([*command, "0"], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGTERM


def test_a_port_is_given_to_nobody_else(ports: Ports) -> None:
    address = ("127.0.0.1", ports.take())
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(address)
    with socket.create_server(address) as server, socket.create_connection(address):
        server.accept()[0].close()


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """Its worker processes run it anew, and would open clusters without end."""
    file = tmp_path / "script.py"
    file.write_text("from helio_burst.cluster import open_cluster\nopen_cluster('local', workers=1)\n")
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    first, *_, last = done.stderr.strip().splitlines()
    assert first == f"A worker process was about to open a cluster of its own. {GUARD}"
    assert last.startswith("helio_burst.errors.ClusterError: No worker process starts on this machine: ")
    assert last.endswith(GUARD)


def test_the_representation() -> None:
    cluster: Cluster = open_cluster("local", workers=1, cores=1)
    with cluster:
        bundle = cluster._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        for part in ("Workers", "1 of 1", "Cores", "Memory", cluster.name):
            assert part in bundle["text/html"]
        assert f'<a href="{cluster.dashboard}"' in bundle["text/html"]

        assert f"Dashboard    {cluster.dashboard}" in bundle["text/plain"]

        from helio_burst.cluster.view import controls, facts

        box = controls(cluster, facts(cluster))
        low, high, button, _ = box.children[1].children
        high.value = 0
        button.click()
        assert "InputError" in box.children[2].value
        low.value, high.value = 2, 2
        button.click()
        until(lambda: cluster.size().workers == 2)
        assert cluster.bounds == (2, 2)
        assert box.children[2].value == ""
