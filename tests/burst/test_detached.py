"""Jobs that outlive their submitter: a process that ends, drivers that are killed, a gateway's cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from dask_gateway import Gateway
from dask_gateway.auth import BasicAuth
from distributed import Client

from helio_burst import readers
from helio_burst.burst import Sum, detached, map_files
from helio_burst.burst.ledger import find
from helio_burst.burst.mapping import account_of
from helio_burst.cluster.one_machine import LocalGateway
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import BurstError, InputError

SUBMIT = """
import json, sys
from helio_burst import readers
from helio_burst.burst import detached
import analysis

order = json.loads(sys.stdin.read())
files = order.pop("files")
job = detached.submit(analysis.measure, files, read=readers.raw, **order)
print(job.key)
"""
# The user's own modules, which no other machine has.
ANALYSIS = """
import os, time

def measure(data, calls, gate, poison=None):
    from scaling import scale
    while len(os.listdir(calls)) >= 10 and not os.path.exists(gate):
        time.sleep(0.05)
    if data.decode() == poison:
        os._exit(1)
    open(os.path.join(calls, f"{len(data)}-{time.time_ns()}"), "w").close()
    return scale(len(data))
"""
SCALING = """
def scale(length):
    return length
"""
LOCAL = {"target": "local", "workers": 1, "memory": "1 GiB"}


def until(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Wait until a condition holds, looking often."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{condition} does not hold after {seconds} s"
        time.sleep(0.1)
    return value


def urls(count: int) -> list[str]:
    return ["data:," + "x" * number for number in range(1, count + 1)]


def submit_and_leave(environment: Mapping[str, str] | None = None, **order: Any) -> str:
    """Submit from a process that has ended, and whose code is gone, when this returns; return the key."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("submit", SUBMIT), ("analysis", ANALYSIS), ("scaling", SCALING)):
            Path(folder, f"{name}.py").write_text(text)
        done = subprocess.run(
            [sys.executable, str(Path(folder, "submit.py"))],
            input=json.dumps(order),
            env=environ | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def driver_of(store: str, key: str) -> psutil.Process | None:
    """Return the process that holds the driver's lease."""
    try:
        lease = json.loads(Path(store, key, "driver.json").read_text())
        return psutil.Process(lease["pid"])
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A folder for jobs, none of whose drivers outlives its test."""
    yield str(tmp_path / "store")
    for lease in tmp_path.glob("store/*/driver.json"):
        driver = driver_of(str(tmp_path / "store"), lease.parent.name)
        if driver is not None:
            driver.terminate()
            driver.wait(60)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """Have `measure` note its calls, of which more than ten wait until there is the gate."""
    (tmp_path / "calls").mkdir()
    return {"calls": str(tmp_path / "calls"), "gate": str(tmp_path / "gate")}


def has_done(store: str, key: str, count: int) -> Callable[[], bool]:
    return lambda: detached.status(store, key).progress.done >= count


def test_a_job_goes_on_without_its_submitter_and_after_its_driver(
    store: str, options: dict[str, str]
) -> None:
    key = submit_and_leave(files=urls(60), store=store, cluster=LOCAL, options=options)
    until(has_done(store, key, 1))
    running = detached.status(store)
    assert (running.state, running.progress.total) == ("running", 60)
    driver = driver_of(store, key)
    assert driver is not None
    assert driver.ppid() != os.getpid()
    assert os.getsid(driver.pid) == driver.pid  # a session of its own: no terminal ends it
    with pytest.raises(BurstError, match="driven already"):
        detached.resume(store)

    workers = driver.children(recursive=True)
    driver.kill()
    until(lambda: detached.status(store).state == "gone")
    assert "resume goes on" in str(detached.status(store))
    partial = detached.fetch(store)
    assert partial.stopped == "gone"
    assert 1 <= partial.progress.done < 60
    until(lambda: not any(worker.is_running() for worker in workers))

    Path(options["gate"]).touch()
    job = detached.resume(store)
    outcome = job.fetch(wait=True)
    assert job.status().state == "finished"
    assert outcome.to_xarray(name="length")["length"].to_numpy().tolist() == list(range(1, 61))
    assert outcome.progress.resumed >= 1
    # Nothing twice but the few files of the batches that were in flight when the driver was killed.
    assert 60 <= len(os.listdir(options["calls"])) <= 60 + 10
    until(lambda: "Driving analysis.measure" in job.logs())
    until(lambda: driver_of(store, key) is None)

    listed = detached.list_jobs(store)
    assert listed[["job", "state", "done", "total", "failed"]].to_numpy().tolist() == [
        [key, "finished", 60, 60, 0]
    ]


def test_a_job_is_cancelled_from_elsewhere_and_resumed(
    client: Client, store: str, options: dict[str, str]
) -> None:
    target = {"target": client.scheduler.address}
    key = submit_and_leave(files=urls(40), store=store, cluster=target, options=options)
    until(has_done(store, key, 1))
    stopped = detached.cancel(store)
    assert (stopped.state, stopped.reason) == ("stopped", "it was cancelled")
    assert 1 <= stopped.progress.done < 40
    until(lambda: driver_of(store, key) is None)
    Path(options["gate"]).touch()
    assert detached.resume(store, key[:6]).fetch(wait=True).progress.done == 40


def drivers(dask_scheduler: Any) -> list[str]:
    return [name for name in dask_scheduler.plugins if name.startswith("helio-burst-driver")]


def test_a_running_scheduler_drives_a_job_and_stays(client: Client, s3: EmbeddedS3) -> None:
    s3.create_bucket("detached")
    target = {"target": client.scheduler.address}
    store = "s3://detached/jobs"
    job = detached.submit(len, urls(8), read=readers.raw, store=store, cluster=target, combine=Sum())
    outcome = job.fetch(wait=True)
    assert outcome.value == sum(range(1, 9))
    assert outcome.record["cluster"]["workers"] == 2
    until(lambda: not client.run_on_scheduler(drivers))
    assert client.submit(sum, [1, 2]).result() == 3
    assert "Done: <Outcome" in job.logs()


def test_a_cluster_that_does_not_start_breaks_the_job(tmp_path: Path) -> None:
    cluster = {"target": "local", "options": {"no_such_option": 1}}
    job = detached.submit(len, urls(2), read=readers.raw, store=str(tmp_path), cluster=cluster)
    until(lambda: not job.status().is_active)
    broken = job.status()
    assert broken.state == "broken"
    assert "no_such_option" in broken.reason
    until(lambda: "no_such_option" in job.logs())
    with pytest.raises(BurstError, match="broken"):
        job.fetch(wait=True)


def test_wrong_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for cluster, message in (
        ({"target": "gatway"}, "Unknown target"),
        ({"worker": 2}, "Nearest: workers"),
        ({"workers": 0}, "workers=0"),
        ({"detached": True}, "no argument"),
    ):
        with pytest.raises(InputError, match=message):
            detached.submit(len, urls(2), read=readers.raw, store=str(store), cluster=cluster)
    assert not store.exists()
    for look in (detached.status, detached.fetch, detached.cancel, detached.logs, detached.resume):
        with pytest.raises(InputError, match="There is no job"):
            look(str(store))
    assert detached.list_jobs(str(store)).empty


def test_a_run_of_a_notebook_is_seen_too(client: Client, tmp_path: Path) -> None:
    outcome = map_files(len, urls(3), read=readers.raw, client=client, store=str(tmp_path), progress=False)
    assert detached.status(str(tmp_path)).state == "finished"
    assert detached.logs(str(tmp_path)) == ""
    fetched = detached.fetch(str(tmp_path))
    assert fetched.to_xarray().identical(outcome.to_xarray())


def test_what_is_fetched_counts_what_there_is(client: Client, store: str) -> None:
    def breaks(data: bytes) -> int:
        raise ConnectionError("try again")

    map_files(breaks, urls(3), read=readers.raw, client=client, store=store, progress=False, retries={})
    again = account_of(find(store))
    assert len(again.todo()) == 3, "what failed for a passing reason is done again"
    again.note("running")
    fetched = detached.fetch(store)
    assert (fetched.progress.done, fetched.progress.failed, len(fetched.failures)) == (3, 3, 3)
    assert "3 failures" in repr(fetched)


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway({"HELIO_BURST_MAX_WORKERS": "2"}) as server:
        yield server


def test_a_gateway_s_cluster_outlives_its_client_and_ends_with_its_job(
    gateway: LocalGateway, store: str, options: dict[str, str]
) -> None:
    login = {
        "DASK_GATEWAY__AUTH__TYPE": "basic",
        "DASK_GATEWAY__AUTH__KWARGS": json.dumps({"username": gateway.user, "password": gateway.password}),
    }
    files = urls(60)
    key = submit_and_leave(
        login,
        files=files,
        store=store,
        cluster={"target": gateway.address, "workers": 2, "memory": "1 GiB"},
        options={**options, "poison": "x" * 20},
    )
    # Its own __del__ closes it, and fails if that has been done before.
    asked = Gateway(gateway.address, auth=BasicAuth(gateway.user, gateway.password))
    (cluster,) = asked.list_clusters()
    first = until(lambda: driver_of(store, key))
    until(has_done(store, key, 1))
    first.kill()
    second = until(lambda: (driver := driver_of(store, key)) and driver != first and driver)
    assert [report.name for report in asked.list_clusters()] == [cluster.name]
    Path(options["gate"]).touch()
    until(lambda: not asked.list_clusters())
    assert not second.is_running()
    outcome = detached.fetch(store)
    assert outcome.stopped is None
    assert outcome.failures["datakey"].tolist() == [files[19]]
    expected = [number for number in range(1, 61) if number != 20]
    assert outcome.to_xarray(name="length")["length"].to_numpy().tolist() == expected
    assert outcome.progress.resumed >= 1
