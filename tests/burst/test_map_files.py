"""`map_files` on a real cluster, with files on a real S3 endpoint."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from helio_burst import readers, storage
from helio_burst.burst import Histogram, Mean, RunStopped, Sum, attach, map_files, map_partitions, partitions
from helio_burst.burst.account import Account
from helio_burst.burst.items import as_table
from helio_burst.burst.job import Job
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.saving import save
from helio_burst.burst.sizing import MOST_ITEMS, Sizer
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import AccessDeniedError, BurstError, HelioBurstWarning, InputError

quiet = partial(map_files, progress=False)


def _file_list(count: int, prefix: str = "data:,") -> pd.DataFrame:
    starts = pd.date_range("2020-01-01", periods=count, freq="4min", tz="UTC")
    keys = [f"{prefix}{'x' * (i % 5)}{i}" for i in range(count)]
    return pd.DataFrame({"start": starts, "datakey": keys, "filesize": [len(key) - 6 for key in keys]})


@pytest.fixture
def files() -> pd.DataFrame:
    return _file_list(60)


def test_scalars_in_the_files_order_with_time_and_datakey(client: Client, files: pd.DataFrame) -> None:
    files.attrs = {"catalog": "Test", "id": "aia"}
    outcome = quiet(len, files, read=readers.raw, client=client)
    dataset = outcome.to_xarray(name="length")
    assert dataset.length.dims == ("time",)
    assert dataset.length.to_numpy().tolist() == files["filesize"].tolist()
    assert dataset.datakey.to_numpy().tolist() == files["datakey"].tolist()
    assert (dataset.time.to_numpy() == files["start"].dt.tz_localize(None).to_numpy()).all()
    assert dataset.attrs["catalog"] == "Test"
    assert dataset.attrs["id"] == "aia"
    assert dataset.attrs["function"] == "len"
    assert outcome.failures.empty
    assert list(outcome)[3] == (files["datakey"][3], files["filesize"][3])


def test_files_on_s3_and_failures_as_rows(client: Client, s3: EmbeddedS3) -> None:
    s3.create_bucket("mapped")
    keys = [f"s3://mapped/{i}.bin" for i in range(12)]
    for i, key in enumerate(keys):
        if i != 7:
            storage.write(key, bytes([i]) * (i + 1))

    def first_byte(data: bytes) -> dict[str, float]:
        if data[0] == 3:
            raise ValueError(f"cannot use {data[0]}")
        return {"first": data[0], "share": 1 / len(data)}

    outcome = quiet(first_byte, keys, read=readers.raw, client=client)
    failures = outcome.failures.set_index("datakey")
    assert sorted(failures.index) == [keys[3], keys[7]]
    assert failures.error[keys[3]] == "ValueError"
    assert failures.message[keys[3]] == "cannot use 3"
    assert 'raise ValueError(f"cannot use' in failures.traceback[keys[3]]
    assert "engine.py" not in failures.traceback[keys[3]]
    assert failures.error[keys[7]].endswith("MissingObjectError")
    assert "there is no such object" in failures.message[keys[7]]
    assert (failures.attempts == 1).all(), "a missing file and a user's error are permanent"
    assert failures.worker.str.startswith("tcp://").all()
    dataset = outcome.to_xarray()
    assert dataset.sizes == {"file": 10}
    assert dataset["first"].to_numpy().tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    causes = outcome.failures_by_cause()
    assert causes["count"].tolist() == [1, 1]
    assert "ValueError: cannot use #" in repr(outcome)
    with pytest.raises(ValueError, match="cannot use 3"):
        outcome.replay(keys[3])
    assert outcome.replay(keys[4]) == {"first": 4, "share": 0.2}
    storage.write(keys[7], b"\x07")
    again = outcome.retry_failures(client, progress=False)
    assert again.failures["datakey"].tolist() == [keys[3]]
    assert again.to_xarray().sizes == {"file": 11}


def test_workers_that_may_not_read_are_one_error(client: Client, s3: EmbeddedS3, tmp_path: Path) -> None:
    """Told before the work starts, and not by each file; one file that is missing is no reason."""
    s3.create_bucket("may-not")
    keys = [f"s3://may-not/{i}.bin" for i in range(5)]
    for key in keys[1:]:
        storage.write(key, b"x")
    length = partial(quiet, len, read=readers.raw, client=client, store=str(tmp_path))
    storage.use(s3.options.model_copy(update={"anonymous": True}))
    try:
        with pytest.raises(AccessDeniedError, match=r"may-not/\d.bin: access denied") as caught:
            length(keys)
    finally:
        storage.use(None)
    assert "A worker said so" in caught.value.__notes__[0]
    assert not list(tmp_path.rglob("shards/*"))
    outcome = length(keys)
    assert outcome.failures["datakey"].tolist() == keys[:1]


def test_arrays_become_one_variable(client: Client, files: pd.DataFrame) -> None:
    def image(data: bytes) -> xr.DataArray:
        values = np.full((2, 3), len(data), "f4")
        return xr.DataArray(
            values, dims=("y", "x"), coords={"x": [0, 1, 2], "n": len(data)}, attrs={"units": "DN"}
        )

    dataset = quiet(image, files, read=readers.raw, client=client).to_xarray(name="image")
    assert dataset.image.dims == ("time", "y", "x")
    assert dataset.image.dtype == np.float32
    assert dataset.image.attrs["units"] == "DN"
    assert dataset.image[:, 0, 0].to_numpy().tolist() == files["filesize"].tolist()
    assert dataset.n.dims == ("time",)


def test_series_with_times_of_their_own_are_joined(client: Client) -> None:
    def series(partition: Any) -> xr.Dataset:
        times = pd.date_range(partition.start, partition.stop, freq="6h", inclusive="left").tz_localize(None)
        hours = times.hour.to_numpy() + 0.0
        return xr.Dataset(
            {"hour": ("time", hours[: 4 - partition.start.day % 2])},
            {"time": times[: 4 - partition.start.day % 2]},
        )

    days = partitions("2020-01-01", "2020-01-05", freq="1D")
    outcome = map_partitions(series, days, client=client, progress=False)
    assert "partitions/s" in outcome.progress.line()
    dataset = outcome.to_xarray()
    assert dataset.sizes == {"time": 14}
    assert dataset.time.to_index().is_monotonic_increasing
    assert dataset.datakey.to_numpy()[0] == "2020-01-01/2020-01-02"


def test_different_shapes_are_shown(client: Client, files: pd.DataFrame) -> None:
    outcome = quiet(lambda data: np.zeros(1 + len(data) % 2), files, read=readers.raw, client=client)
    with pytest.raises(InputError, match="The results differ in structure") as caught:
        outcome.to_xarray()
    assert "30 files" in str(
        caught.value
    ) or "files: value {'value_dim_0': 2} float64, such as data:," in str(caught.value)


def test_merging_on_the_workers_is_exact(client: Client, files: pd.DataFrame, tmp_path: Path) -> None:
    def value(data: bytes) -> np.ndarray:
        if data.endswith(b"13"):
            raise ValueError("no")
        return np.array([0.1 * len(data), 1e17, -1e17 * (len(data) % 2)])

    kept = [len(key) - 6 for key in files["datakey"] if not key.endswith("13")]
    from fractions import Fraction

    exact = float(sum(Fraction(0.1 * n) for n in kept)) / len(kept)
    for store in (None, str(tmp_path)):
        outcome = quiet(value, files, read=readers.raw, client=client, combine=Mean(), store=store)
        assert outcome.value[0] == exact
        assert outcome.value[1] == 1e17
        assert len(outcome.failures) == 1
        with pytest.raises(InputError, match=r"outcome\.value"):
            outcome.to_xarray()
    again = quiet(value, files, read=readers.raw, client=client, combine=Mean(), store=str(tmp_path))
    assert again.progress.resumed == 60
    assert again.value[0] == exact
    counts = quiet(len, files, read=readers.raw, client=client, combine=Histogram([0, 3, 6, 9])).value
    assert int(counts.sum()) == 60
    largest = quiet(len, files, read=readers.raw, client=client, combine=max).value
    assert largest == max(files["filesize"])


def test_a_plain_list_a_current_client_and_the_display(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with client.as_current():
        outcome = map_files(len, ["data:,one", "data:,three"], read=readers.raw, progress=True)
    assert outcome.to_xarray().value.to_numpy().tolist() == [3, 5]
    assert "2/2" in capsys.readouterr().err


def test_limits_stop_a_run_and_keep_what_is_done(client: Client, files: pd.DataFrame, tmp_path: Path) -> None:
    def fails(data: bytes) -> int:
        raise RuntimeError("always")

    with pytest.raises(RunStopped, match="more than max_failures=3") as caught:
        quiet(fails, files, read=readers.raw, client=client, max_failures=3, store=str(tmp_path))
    outcome = caught.value.outcome
    assert 3 < outcome.progress.failed < 60
    assert "the same call goes on from there" in str(caught.value)
    finished = quiet(fails, files, read=readers.raw, client=client, store=str(tmp_path))
    assert finished.progress.resumed >= outcome.progress.done, "batches in flight end and count"
    assert len(finished.failures) == 60
    with pytest.raises(RunStopped, match="1 files failed, more than max_failures=0"):
        quiet(fails, files[:1], read=readers.raw, client=client, max_failures=0)
    with pytest.raises(InputError, match="all 60 files failed, the first with RuntimeError: always"):
        finished.to_xarray()


@pytest.mark.parametrize("by", ["who began it", "who joined it"])
def test_a_run_shows_partial_results_and_can_be_cancelled(client: Client, tmp_path: Path, by: str) -> None:
    gate = tmp_path / "gate"

    def waits(data: bytes, gate: str) -> int:
        import time

        if data.endswith(b"0"):
            return len(data)
        deadline = time.monotonic() + 60
        while not Path(gate).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(data)

    # So many that some have not been begun at the end, however slow this thread is.
    files = [*(f"data:,{i}0" for i in range(1, 9)), *(f"data:,{i}1" for i in range(120))]
    run = map_files(
        waits,
        files,
        read=readers.raw,
        client=client,
        options={"gate": str(gate)},
        wait=False,
        store=str(tmp_path / "s"),
    )
    _until(lambda: run.progress.done >= 1)
    assert not run.done()
    assert run.partial().value.to_numpy().tolist()[0] == 2
    with pytest.raises(TimeoutError, match="has not ended after"):
        run.result(timeout=0.1)
    canceller = run
    if by == "who joined it":
        canceller = attach(str(tmp_path / "s"), client=client)
        _until(lambda: "this one follows" in canceller.progress.note)
    canceller.cancel()
    for one in (run, canceller):
        with pytest.raises(RunStopped, match="it was cancelled"):
            one.result(timeout=60)
    gate.touch()
    finished = quiet(
        waits, files, read=readers.raw, client=client, options={"gate": str(gate)}, store=str(tmp_path / "s")
    )
    assert len(finished.to_xarray().value) == 128


def _until(condition: Any, seconds: float = 60.0) -> None:
    done = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        done.wait(0.05)
    raise AssertionError("it did not come about in time")


def test_bad_input_is_refused_before_anything_starts(files: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="files has no column 'datakey'; it has start"):
        quiet(len, files[["start"]])
    with pytest.raises(InputError, match="function=3 cannot be called"):
        quiet(3, files)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="time_limit='5 potatoes' is no time"):
        quiet(len, files, time_limit="5 potatoes")
    with pytest.raises(InputError, match="neither a function merge"):
        quiet(len, files, combine=5)
    with pytest.raises(InputError, match="exception class: number of retries"):
        quiet(len, files, retries={"ValueError": 3})  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"combine=Sum is a class; give an object of it, as Sum\(\)"):
        quiet(len, files, combine=Sum)
    with pytest.raises(InputError, match=r"options=\[1\]: give the function's keyword arguments"):
        quiet(len, files, options=[1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a list of paths or URLs; it is one text"):
        quiet(len, "s3://bucket/key")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be a pandas DataFrame"):
        quiet(len, pl.from_pandas(files))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"max_failures": -1}, "whole number, 0 or more"),
        ({"max_failures": "3"}, "max_failures='3' must be a whole number"),
        ({"max_cost": 0}, "max_cost=0 must be a number of US dollars, more than 0"),
        ({"max_cost": "5"}, "max_cost='5' must be a number"),
        ({"max_time": "5"}, "max_time='5' is no time; give seconds"),
        ({"max_time": 0}, "must be more than nothing"),
    ],
)
def test_limits_are_checked(limit: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        quiet(len, ["data:,a"], **limit)


def test_a_client_must_be_one_that_lives(client: Client) -> None:
    with pytest.raises(InputError, match="client='tcp://there:8786' is no Dask client"):
        quiet(len, ["data:,a"], client="tcp://there:8786")  # type: ignore[arg-type]
    closed = Client(client.scheduler.address, set_as_default=False)
    closed.close()
    with pytest.raises(InputError, match="is closed; open a cluster again"):
        quiet(len, ["data:,a"], client=closed)


def test_a_client_that_is_closed_meanwhile_ends_the_run(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def waits(row: Any) -> int:
        import time

        deadline = time.monotonic() + 60
        while row.datakey != "0" and not gate.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return 1

    other = Client(client.scheduler.address, set_as_default=False)
    files = pd.DataFrame({"datakey": [str(i) for i in range(50)]})
    run = map_files(waits, files, read=readers.row, client=other, store=str(tmp_path), wait=False)
    _until(lambda: run.progress.threads)
    other.close()
    gate.touch()
    with pytest.raises(BurstError, match=r"or the client was closed\.\nWhat is done is in the ledger"):
        run.result(60)


def test_a_call_from_within_a_task_says_what_to_do(client: Client) -> None:
    def calls_again(row: Any) -> int:
        return len(map_files(len, ["data:,a"], read=readers.raw))

    outcome = quiet(calls_again, ["x"], read=readers.row, client=client)
    assert "by a function that runs on the worker tcp://" in outcome.failures["message"][0]


def test_a_run_takes_the_current_client_of_its_caller(client: Client) -> None:
    with client.as_current():
        outcome = quiet(len, ["data:,a"], read=readers.raw)
    assert outcome.files["worker"][0] in client.nthreads()


def test_paths_and_sizes_that_are_not_known(client: Client, tmp_path: Path) -> None:
    names = ["ü ñ.bin", "a b+c%20.bin", "hash#1?x=[1].bin"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(bytes(number))
    outcome = quiet(len, [tmp_path / name for name in names], read=readers.raw, client=client)
    assert outcome.to_xarray().value.to_numpy().tolist() == [0, 1, 2]

    table = pd.DataFrame({"datakey": ["data:,abc", "data:,x"], "filesize": pd.array([3, None], "Int64")})
    sizes = quiet(lambda row: str(row.filesize), table, read=readers.row, client=client)
    assert [size for _, size in sizes] == ["3", "None"]
    assert quiet(len, table, read=readers.raw, client=client).failures.empty


def test_a_relative_store_is_where_the_caller_stands(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers stay where they are
    first = quiet(len, ["data:,a", "data:,bb"], read=readers.raw, client=client, store="jobs")
    assert first.progress.done == 2
    assert list((tmp_path / "jobs").rglob("shards/*.parquet"))
    monkeypatch.chdir(tmp_path.parent)
    assert attach(f"{tmp_path.name}/jobs", client=client).result(60).progress.resumed == 2


def test_time_runs_out_while_there_is_no_worker() -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(RunStopped, match=r"the limit max_time=1 s\. 0 of 2 files are done"),
    ):
        quiet(len, ["s3://bucket/a", "s3://bucket/b"], client=client, max_time=1)


def test_who_follows_shows_the_progress_of_who_drives(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "a-job")
    files = as_table([f"data:,{i}" for i in range(4)])
    drives, follows = (Account(Job(len, readers.raw), files, ledger, {}) for _ in range(2))
    drives.progress = replace(drives.progress, bytes=5_000_000, seconds=10.0, cost=0.5, threads=2)
    drives.note("running")
    follows.follow(ledger)
    assert follows.progress.bytes_per_second == 500_000
    assert follows.progress.cost == 0.5
    assert "this one follows" in follows.progress.line()
    assert len(follows.todo()) == 4
    assert follows.progress.cost == 0, "what another run has spent is not of this one"


def test_repeated_files_are_done_once_and_said(client: Client) -> None:
    with pytest.warns(HelioBurstWarning, match="1 rows of files are repeats"):
        outcome = quiet(len, ["data:,a", "data:,b", "data:,a"], read=readers.raw, client=client)
    assert len(outcome) == 2


def test_a_function_that_cannot_be_pickled_is_an_error_at_once(client: Client, files: pd.DataFrame) -> None:
    lock = threading.Lock()
    with pytest.raises(InputError, match="lock"):
        quiet(lambda data: lock, files, read=readers.raw, client=client)


def test_a_function_that_does_not_load_on_the_workers_breaks_the_run(
    client: Client, files: pd.DataFrame
) -> None:
    class Broken:
        def __reduce__(self) -> Any:
            return (_fail_to_load, ())

        def __call__(self, data: bytes) -> int:
            return 1

    with pytest.raises(BurstError, match="ModuleNotFoundError: No module named 'not_on_the_worker'"):
        quiet(Broken(), files, read=readers.raw, client=client)


def _fail_to_load() -> None:
    raise ModuleNotFoundError("No module named 'not_on_the_worker'")


def test_batches_follow_what_is_measured() -> None:
    table = as_table(pd.DataFrame({"datakey": [str(i) for i in range(100_000)]}))
    sizer = Sizer(table)
    assert sizer.cut(0, 100_000, 2) <= 4, "the first batches are small"
    sizer.measured(0, 4, 1.0)
    assert 10 <= sizer.cut(4, 100_000, 2) - 4 <= 20
    for _ in range(20):
        sizer.measured(0, 1000, 0.001)
    assert sizer.cut(0, 100_000, 2) == MOST_ITEMS
    assert sizer.cut(99_990, 100_000, 2) - 99_990 <= 3, "the last batches are small, so that all end together"
    sizes = as_table(pd.DataFrame({"datakey": ["a", "b", "c"], "filesize": [10**10, 10, 10]}))
    assert Sizer(sizes).cut(0, 3, 1) == 1


def test_many_items_are_quick(client: Client) -> None:
    count = 20_000
    files = pd.DataFrame({"datakey": [f"n{i}" for i in range(count)]})
    outcome = quiet(lambda row: len(row.datakey), files, read=readers.row, client=client)
    assert int(outcome.to_xarray().value.sum()) == int(files["datakey"].str.len().sum())


@pytest.mark.parametrize("ending", ["nc", "zarr", "parquet"])
def test_results_are_saved_with_provenance(
    client: Client, files: pd.DataFrame, s3: EmbeddedS3, tmp_path: Path, ending: str
) -> None:
    s3.create_bucket("results")
    files.attrs = {"catalog": "Test", "id": "aia", "start": "2020-01-01", "stop": "2020-01-02"}
    outcome = quiet(len, files, read=readers.raw, client=client)
    outcome.save(f"s3://results/lengths.{ending}", name="length")
    path = outcome.save(str(tmp_path / f"lengths.{ending}"), name="length")
    if ending == "parquet":
        frame = pd.read_parquet(path)
        assert frame["length"].tolist() == files["filesize"].tolist()
        import pyarrow.parquet as pq

        attrs = {k.decode(): v.decode() for k, v in pq.read_schema(path).metadata.items()}
    else:
        with xr.open_dataset(path, engine="zarr" if ending == "zarr" else None) as dataset:
            assert dataset.length.to_numpy().tolist() == files["filesize"].tolist()
            assert (dataset.time.to_numpy() == files["start"].dt.tz_localize(None).to_numpy()).all()
            attrs = dataset.attrs
    assert attrs["id"] == "aia"
    assert attrs["range_start"] == "2020-01-01"
    assert len(attrs["function_hash"]) == 16
    assert "xarray" in attrs["versions"]
    with pytest.raises(InputError, match=r"must end in one of \.nc, \.zarr, \.parquet"):
        outcome.save(str(tmp_path / "x.csv"))


def test_what_a_format_does_not_hold_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written as \.nc: complex"):
        save(xr.Dataset({"v": ("time", [1j])}), str(tmp_path / "a.nc"))
    with pytest.raises(InputError, match=r"cannot be written as \.nc: Forward slashes"):
        save(xr.Dataset({"a/b": ("time", [1])}), str(tmp_path / "b.nc"))
    assert not list(tmp_path.iterdir())


def test_relative_paths_are_those_of_the_caller(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(b"four")
    monkeypatch.chdir(tmp_path)  # the workers, which run already, are elsewhere
    outcome = map_files(len, [Path("a.bin")], read=readers.raw, client=client, progress=False)
    assert dict(outcome) == {str(tmp_path / "a.bin"): 4}
    assert outcome.replay("a.bin") == 4
    names = map_files(lambda row: row.datakey, ["a.bin"], read=readers.row, client=client, progress=False)
    assert dict(names) == {"a.bin": "a.bin"}, "what is not fetched is no path"
