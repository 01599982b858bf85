"""Estimates against the runs that they foretell, and the hard stops for money and time."""

from __future__ import annotations

import re
import time
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from helio_burst import readers, storage
from helio_burst.burst import RunStopped, detached, map_files
from helio_burst.burst.estimating import _student, estimate
from helio_burst.burst.pilot import spread
from helio_burst.burst.progress import Progress
from helio_burst.cluster.prices import Prices
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import BurstError, InputError

PRICES = Prices(date=date(2026, 1, 2), per_core_hour=3600.0, per_thousand_reads=5.0, per_gigabyte_out=90.0)


def nap(data: bytes, pause: float = 0.01) -> int:
    time.sleep(pause * len(data))
    return len(data)


def fail(data: bytes) -> int:
    raise ValueError(f"no good: {data[:3]!r}")


def files(count: int) -> pd.DataFrame:
    keys = [f"data:,{'x' * (1 + number % 3)}{number:05d}" for number in range(count)]
    return pd.DataFrame({"datakey": keys, "filesize": [len(key) - len("data:,") for key in keys]})


@given(st.integers(1, 500), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_pilot_is_spread_over_the_list(count: int, sample: int, sized: bool, seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(0, 5, count).astype(float) if sized else None
    chosen = spread(count, sample, sizes)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(sample, count)
    if sample > 1:
        assert {chosen[0], chosen[-1]} == {0, count - 1}


def test_the_pilot_has_files_of_all_sizes() -> None:
    sizes = np.concatenate([np.full(500, 1.0), np.full(500, 100.0)])
    np.random.default_rng(1).shuffle(sizes)
    chosen = spread(1000, 12, sizes)
    by_size = set(chosen) - set(spread(1000, 6))
    assert sorted(sizes[list(by_size)]) == [1.0, 1.0, 1.0, 100.0, 100.0, 100.0]


def test_student() -> None:
    # The two-sided 95 % column of any printed table.
    for freedom, value in ((1, 12.706), (2, 4.303), (3, 3.182), (7, 2.365), (30, 2.042)):
        assert _student(freedom) == pytest.approx(value, rel=0.01)


def test_an_estimate_of_a_run(client: Client, tmp_path: Path) -> None:
    store = str(tmp_path)
    table = files(100)
    found = estimate(
        nap, table, read=readers.raw, client=client, store=store, workers=(1, 2, 1000), prices=PRICES
    )
    # 0.01 s a byte; the pilot cannot be faster than that.
    assert found.files == 100
    assert found.bytes == int(table["filesize"].sum())
    assert found.seconds_per_file >= 0.06
    assert found.files_per_second == 1 / found.seconds_per_file
    assert found.sampled == 8 + 2
    assert found.threads_per_worker == 1
    assert 0 <= found.uncertainty < 1
    one, two, many = found.table.itertuples()
    assert one.seconds == pytest.approx(100 * found.seconds_per_file)
    assert two.seconds == pytest.approx(one.seconds / 2)
    assert one.seconds_low < one.seconds < one.seconds_high
    assert many.seconds >= found.seconds_per_file  # no faster than its longest file
    # One dollar for a core and a second; nothing is read from a bucket.
    assert one.cost == pytest.approx(one.seconds)
    assert two.cost == pytest.approx(one.cost)
    assert many.cost == pytest.approx(1000 * many.seconds)
    text = repr(found)
    assert "100 files" in text
    assert "Prices of 2026-01-02: 3600 a core hour (USD)" in text
    assert "<table" in found._repr_html_()

    assert "pilot" in detached.status(store).reason
    outcome = map_files(nap, table, read=readers.raw, client=client, store=store, progress=False)
    assert outcome.progress.resumed == found.sampled  # the pilot's files are not done again
    assert outcome.progress.failed == 0


def test_reads_and_traffic_cost_too(client: Client, s3: EmbeddedS3) -> None:
    s3.create_bucket("priced")
    keys = [f"s3://priced/{number}" for number in range(4)]
    for key in keys:
        storage.write(key, bytes(1000))
    found = estimate(len, keys, read=readers.raw, client=client, prices=PRICES, workers=[1])
    assert found.bytes == 4000  # by the pilot, since the list does not say
    assert found.costs == pytest.approx({"reads": 4 * 5 / 1000, "traffic": 4000 / 1e9 * 90})
    assert found.table["cost"][0] == pytest.approx(found.table["seconds"][0] + sum(found.costs.values()))


def test_this_machine_costs_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELIO_BURST_PRICES", raising=False)
    found = estimate(len, files(6), read=readers.raw, client=client)
    assert found.table["cost"].tolist() == [0.0] * 4
    assert "cost nothing" in repr(found)


def test_failures_of_the_pilot(client: Client) -> None:
    with pytest.raises(BurstError, match=r"All 6 files of the pilot failed(.|\n)*ValueError: no good"):
        estimate(fail, files(6), read=readers.raw, client=client)
    table = files(6)
    table.loc[5, "datakey"] = "data:;base64,!"
    found = estimate(len, table, read=readers.raw, client=client)
    assert len(found.failures) == 1
    assert "1 files of the pilot failed" in repr(found)


def test_wrong_requests(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sample=0"):
        estimate(len, files(2), sample=0)
    with pytest.raises(InputError, match="workers=\\(0,\\)"):
        estimate(len, files(2), workers=(0,))
    with pytest.raises(InputError, match="price table"):
        estimate(len, files(2), prices=tmp_path / "none.yaml")
    map_files(len, files(2), read=readers.raw, client=client, store=str(tmp_path), progress=False)
    with pytest.raises(InputError, match="All 2 files are done"):
        estimate(len, files(2), read=readers.raw, client=client, store=str(tmp_path))


def test_max_cost_stops_and_leaves_a_ledger_to_resume(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = partial(map_files, read=readers.raw, client=client, progress=False)
    quiet(nap, files(4))  # the time that workers take for their first imports is not what is tried here
    prices = tmp_path / "prices.yaml"
    prices.write_text("date: 2026-01-02\nper_core_hour: 3600\n")  # two cores: two dollars a second
    monkeypatch.setenv("HELIO_BURST_PRICES", str(prices))
    store = str(tmp_path / "store")
    lines: list[str] = []
    monkeypatch.setattr("helio_burst.burst.run.open_display", lambda *_: _Shown(lines))
    with pytest.raises(RunStopped, match=r"max_cost=8\.00(.|\n)*goes on from there") as stopped:
        map_files(nap, files(400), read=readers.raw, client=client, store=store, max_cost=8.0)
    part = stopped.value.outcome
    assert 0 < part.progress.done < 400
    assert 8.0 <= part.progress.cost < 60.0
    # The line that people see has the spend and the time that is left.
    assert any(re.search(r"ETA \d.* · \$\d+\.\d\d", line) for line in lines), lines
    with pytest.raises(RunStopped, match="max_time=1 s") as late:
        quiet(nap, files(400), store=store, max_time="1 s")
    assert late.value.outcome.progress.resumed >= part.progress.done, "batches in flight end and count"
    assert detached.status(store).state == "stopped"
    few = quiet(nap, files(10), store=store)
    assert few.progress.done == 10
    assert few.progress.resumed > 0


class _Shown:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *error: object) -> None: ...

    def update(self, progress: Progress) -> None:
        self.lines.append(progress.line())
