"""What a run survives, tried on real processes and a real S3 endpoint.

After each fault: results and failures are as many as files, the results are those of an undisturbed run, and
nothing is done twice beyond the batches that were in flight.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helio_burst import readers, storage
from helio_burst.burst import Sum, attach, map_files
from helio_burst.burst.ledger import find
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import BurstError
from tests.burst.breakable import BreakableCluster, FaultyProxy, Killer, tiny_disk, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
quiet = partial(map_files, progress=False, read=readers.raw)


def counted(data: bytes, log: str, seconds: float = 0.01, gate: str | None = None) -> float:
    """Note the call in a file, take some time, return a number; the last files wait for the gate."""
    import os
    import time

    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, data + b"\n")
    os.close(handle)
    time.sleep(seconds)
    deadline = time.monotonic() + 90
    while gate and data >= b"file-00590" and not os.path.exists(gate) and time.monotonic() < deadline:
        time.sleep(0.02)
    return float(sum(data)) / len(data)


def _files(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start": pd.date_range("2020-01-01", periods=count, freq="4min", tz="UTC"),
            "datakey": [f"data:,file-{i:05d}" for i in range(count)],
        }
    )


def _expected(count: int) -> list[float]:
    texts = [f"file-{i:05d}".encode() for i in range(count)]
    return [float(sum(text)) / len(text) for text in texts]


def _calls(log: Path) -> Counter[str]:
    return Counter(log.read_text().split()) if log.exists() else Counter()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[BreakableCluster]:
    made = BreakableCluster(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("store", [True, False])
def test_workers_killed_at_random_moments(cluster: BreakableCluster, tmp_path: Path, store: bool) -> None:
    count, log, gate = 600, tmp_path / "calls", tmp_path / "gate"
    with cluster.client() as client, Killer(cluster, seed=4, every=(0.5, 2.0)) as killer:
        run = map_files(
            counted,
            _files(count),
            read=readers.raw,
            client=client,
            options={"log": str(log), "seconds": 0.02, "gate": str(gate)},
            store=str(tmp_path / "store") if store else None,
            wait=False,
        )
        until(lambda: killer.kills >= 2, "two workers to be killed")
        gate.touch()
        outcome = run.result(timeout=200)
    assert outcome.failures.empty
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)
    assert set(_calls(log)) == {f"file-{i:05d}" for i in range(count)}


def test_all_workers_killed_at_once(cluster: BreakableCluster, tmp_path: Path) -> None:
    count, log = 300, tmp_path / "calls"
    with cluster.client() as client:
        run = map_files(
            counted,
            _files(count),
            read=readers.raw,
            client=client,
            options={"log": str(log), "seconds": 0.02},
            store=str(tmp_path / "store"),
            wait=False,
        )
        until(lambda: run.progress.done > 20, "some files to be done")
        for pid in cluster.worker_pids(client):
            os.kill(pid, signal.SIGKILL)
        outcome = run.result(timeout=200)
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)


def test_the_scheduler_killed(tmp_path: Path) -> None:
    count, log, store = 400, tmp_path / "calls", str(tmp_path / "store")
    call = partial(quiet, counted, _files(count), options={"log": str(log), "seconds": 0.02}, store=store)
    first = BreakableCluster(tmp_path)
    try:
        client = first.client()
        run = map_files(
            counted,
            _files(count),
            read=readers.raw,
            client=client,
            options={"log": str(log), "seconds": 0.02},
            store=store,
            wait=False,
        )
        until(lambda: run.progress.done > 50, "some files to be done")
        first.scheduler.kill()
        with pytest.raises(BurstError, match=r"is lost(.|\n)*the same call goes on from there"):
            run.result(timeout=200)
        client.close()
    finally:
        first.close()
    had = _in_ledger(store)
    second = BreakableCluster(tmp_path)
    try:
        with second.client() as client:
            outcome = call(client=client)
    finally:
        second.close()
    assert outcome.progress.resumed >= len(had) > 50
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)
    _nothing_twice(log, had)


def _in_ledger(store: str) -> set[str]:
    """Return the texts of the files that the ledger has."""
    ledger = find(store)
    keys = [key for rows, _ in ledger.read_rows(ledger.names()) for key in rows.column("datakey").to_pylist()]
    return {key.removeprefix("data:,") for key in keys}


def _nothing_twice(log: Path, had: set[str]) -> None:
    """What the ledger had at the restart was not done again; what was in flight may have been, once."""
    calls = _calls(log)
    assert {name: calls[name] for name in had} == dict.fromkeys(had, 1)
    assert max(calls.values()) <= 2


_CLIENT = """
    import sys
    from helio_burst import readers
    from helio_burst.burst import map_files
    from distributed import Client
    from tests.burst.test_faults import _files, counted
    scheduler, log, store, count = sys.argv[1:]
    client = Client(scheduler_file=scheduler)
    map_files(counted, _files(int(count)), read=readers.raw, client=client, progress=False,
              options={"log": log, "seconds": 0.02}, store=store)
"""


def _client_process(cluster: BreakableCluster, log: Path, store: str, count: int) -> subprocess.Popen[str]:
    until(cluster.file.exists, "the scheduler's file")
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_CLIENT), str(cluster.file), str(log), store, str(count)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_client_killed_and_attached_to(cluster: BreakableCluster, tmp_path: Path) -> None:
    count, log, store = 400, tmp_path / "calls", str(tmp_path / "store")
    process = _client_process(cluster, log, store, count)
    until(lambda: len(_calls(log)) > 100 and find(store).names(), "some files to be done")
    process.kill()
    process.communicate()
    with cluster.client() as client:
        had = _in_ledger(store)
        run = attach(store, client=client)
        outcome = run.result(timeout=200)
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)
    assert outcome.progress.resumed >= len(had) > 0
    _nothing_twice(log, had)


def test_two_clients_at_once(cluster: BreakableCluster, tmp_path: Path) -> None:
    count, log, store = 300, tmp_path / "calls", str(tmp_path / "store")
    clients = [_client_process(cluster, log, store, count) for _ in range(2)]
    for process in clients:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    calls = _calls(log)
    assert len(calls) == count
    assert sum(calls.values()) == count, "one drives, the other follows: nothing is done twice"
    outcome = attach(store).result(timeout=60)
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)


def poison(data: bytes) -> int:
    """Misbehave as the file says."""
    import ctypes
    import os
    import time

    if data.endswith(b"exit"):
        os._exit(3)
    if data.endswith(b"segfault"):
        ctypes.string_at(0)
    if data.endswith(b"memory"):
        hoard = []
        while True:
            hoard.append(np.ones(4_000_000))
    if data.endswith(b"sleep"):
        time.sleep(3600)
    return len(data)


@pytest.mark.parametrize("store", [True, False])
def test_files_that_kill_their_worker(cluster: BreakableCluster, tmp_path: Path, store: bool) -> None:
    files = [f"data:,{i}" for i in range(80)]
    files[11], files[12], files[40] = "data:,exit", "data:,segfault", "data:,memory"
    with cluster.client() as client:
        outcome = quiet(poison, files, client=client, store=str(tmp_path / "store") if store else None)
    failures = outcome.failures.set_index("datakey")
    assert sorted(failures.index) == ["data:,exit", "data:,memory", "data:,segfault"]
    assert failures.error.to_dict() == {
        "data:,exit": "ProcessDied",
        "data:,segfault": "ProcessDied",
        "data:,memory": "MemoryLimitExceeded",
    }
    assert failures.message["data:,exit"].endswith("ended with exit code 3.")
    assert failures.message["data:,segfault"].endswith("was killed by SIGSEGV.")
    assert "Ask for workers with more memory" in failures.message["data:,memory"]
    assert len(outcome.to_xarray().value) == 77


def test_a_file_that_hangs(cluster: BreakableCluster) -> None:
    files = [f"data:,{i}" for i in range(20)]
    files[3], files[11] = "data:,sleep", "data:,1sleep"
    with cluster.client() as client:
        outcome = quiet(poison, files, client=client, time_limit=1.0)
    assert outcome.failures["error"].tolist() == ["TimeLimitExceeded"] * 2
    assert sorted(outcome.failures["datakey"]) == ["data:,1sleep", "data:,sleep"]
    assert len(outcome.to_xarray().value) == 18


def test_merged_results_while_workers_are_killed(cluster: BreakableCluster, tmp_path: Path) -> None:
    count = 300
    with cluster.client() as client, Killer(cluster, seed=1, every=(0.5, 1.5)):
        outcome = quiet(
            counted,
            _files(count),
            client=client,
            options={"log": str(tmp_path / "calls"), "seconds": 0.02},
            store=str(tmp_path / "store"),
            combine=Sum(),
        )
    assert outcome.value == math.fsum(_expected(count))


@pytest.fixture
def bucket(s3: EmbeddedS3) -> list[str]:
    s3.create_bucket("faulty")
    keys = [f"s3://faulty/{i:03d}.bin" for i in range(60)]
    if not storage.exists(keys[-1]):
        for i, key in enumerate(keys):
            storage.write(key, bytes(range(i % 50, i % 50 + 100)) * 20)
    return keys


def test_an_s3_server_that_fails_now_and_then(
    s3: EmbeddedS3, bucket: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [float(np.frombuffer(storage.read(key), "u1").mean()) for key in bucket]
    proxy = FaultyProxy(s3.url, {"500": 0.1, "503": 0.1, "reset": 0.1, "truncate": 0.1, "slow": 0.05})
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    cluster = BreakableCluster(tmp_path)
    try:
        with cluster.client() as client:
            outcome = quiet(
                lambda data: float(np.frombuffer(data, "u1").mean()),
                bucket,
                client=client,
                store="s3://faulty/jobs",
            )
    finally:
        cluster.close()
        proxy.close()
    assert outcome.failures.empty, outcome.failures.iloc[0].message
    assert outcome.to_xarray().value.to_numpy().tolist() == expected
    assert min(proxy.spoiled[fate] for fate in ("500", "503", "reset", "truncate")) >= 1


def test_an_s3_server_that_is_down_for_a_while(
    s3: EmbeddedS3, bucket: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [float(len(storage.read(key))) for key in bucket]
    proxy = FaultyProxy(s3.url, {})
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    cluster = BreakableCluster(tmp_path)

    gate = tmp_path / "gate"

    def length(data: bytes, gate: str) -> float:
        """Wait for the gate, but for the first files."""
        import time

        deadline = time.monotonic() + 90
        while data[0] > 9 and not Path(gate).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return float(len(data))

    try:
        with cluster.client() as client:
            run = map_files(
                length,
                bucket,
                read=readers.raw,
                options={"gate": str(gate)},
                client=client,
                store="s3://faulty/down",
                wait=False,
            )
            until(lambda: run.progress.done >= 4, "some files to be done")
            proxy.is_down = True
            gate.touch()
            until(lambda: proxy.spoiled["down"] >= 5, "the run to notice")
            proxy.is_down = False
            outcome = run.result(timeout=200)
    finally:
        cluster.close()
        proxy.close()
    assert outcome.failures.empty
    assert outcome.to_xarray().value.to_numpy().tolist() == expected


def test_a_full_disk_for_the_store(cluster: BreakableCluster, tmp_path: Path) -> None:
    try:
        with tiny_disk(tmp_path / "disk", "400k") as disk, cluster.client() as client:
            # Noise does not compress, so the disk is full after some of the files.
            def noise(data: bytes) -> np.ndarray:
                return np.random.default_rng(int(data[-5:])).random(1500)

            files = _files(80)
            with pytest.raises(BurstError, match="the disk is full") as caught:
                quiet(noise, files, client=client, store=str(disk))
            assert "the same call goes on from there" in str(caught.value)
            done = len(find(str(disk)).names())
            assert done > 0
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True, capture_output=True)
            outcome = quiet(noise, files, client=client, store=str(disk))
            assert outcome.progress.resumed > 0
            assert outcome.to_xarray().value.shape == (80, 1500)
            assert outcome.to_xarray().value[7].to_numpy().tolist() == noise(b"00007").tolist()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")


def test_another_job_and_a_longer_range(client: Any, tmp_path: Path) -> None:
    log, store = tmp_path / "calls", str(tmp_path / "store")
    options = {"log": str(log), "seconds": 0}

    def scaled(factor: float) -> Any:
        return lambda data, **options: factor * counted(data, **options)

    quiet(scaled(1), _files(50), client=client, options=options, store=store)
    assert len(_calls(log)) == 50
    longer = quiet(scaled(1), _files(70), client=client, options=options, store=store)
    assert (longer.progress.resumed, sum(_calls(log).values())) == (50, 70)
    shorter = quiet(scaled(1), _files(10), client=client, options=options, store=store)
    assert (len(shorter.to_xarray().value), sum(_calls(log).values())) == (10, 70)
    other = quiet(scaled(2), _files(10), client=client, options=options, store=store)
    assert (other.progress.resumed, sum(_calls(log).values())) == (0, 80)
    assert np.array_equal(other.to_xarray().value, 2 * shorter.to_xarray().value)
    resized = _files(10).assign(filesize=[1] * 9 + [2])
    quiet(scaled(1), resized, client=client, options=options, store=store)
    regrown = resized.assign(filesize=1)
    again = quiet(scaled(1), regrown, client=client, options=options, store=store)
    assert again.progress.resumed == 9, "a file of another size is another file"


def test_an_undisturbed_and_a_resumed_run_are_identical(client: Any, tmp_path: Path) -> None:
    def value(data: bytes) -> xr.DataArray:
        return xr.DataArray(np.frombuffer(data[-4:], "u1").astype(float), dims="x", name="digits")

    whole = quiet(value, _files(40), client=client, store=str(tmp_path / "one")).to_xarray()
    quiet(value, _files(13), client=client, store=str(tmp_path / "two"))
    resumed = quiet(value, _files(40), client=client, store=str(tmp_path / "two")).to_xarray()
    xr.testing.assert_equal(whole, resumed)
