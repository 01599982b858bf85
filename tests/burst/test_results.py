"""Shards of any order and origin make one table, in the order of the files."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from helio_burst.burst import results as results_module
from helio_burst.burst.failures import Failure
from helio_burst.burst.results import Results
from helio_burst.burst.shard import Shard, build
from helio_burst.burst.values import Packed

FILES = pa.table(
    {"datakey": pa.array([*"abcda"], pa.large_string()), "filesize": pa.array([1, 2, None, 4, 5], pa.int64())}
)


def shard(places: list[int], values: list[object], failed: tuple[int, ...] = ()) -> Shard:
    failures = {row: Failure("ValueError", f"bad {values[row]}") for row in failed}
    columns = {"value": pa.array([None if row in failed else value for row, value in enumerate(values)])}
    count = len(places)
    return build(FILES.take(places), Packed(columns=columns), failures, [1] * count, [0.5] * count, "w")


def test_rows_come_in_the_order_of_the_files() -> None:
    results = Results(FILES)
    results.add(shard([4, 2], [4, 2]))
    results.add(shard([0], [0]))
    table = results.table()
    assert table["datakey"].to_list() == [*"abcda"]
    assert table["value.value"].to_list() == [0, None, 2, None, 4]
    assert table["ok"].to_list() == [True, None, True, None, True]
    assert results.ok_per_shard() == [2, 1]


def test_a_result_goes_before_a_failure_then_the_latest_counts() -> None:
    results = Results(FILES)
    results.add(shard([0, 1, 2], [10, 11, 12], (1,)))
    results.add(shard([0, 1, 2], [20, 21, 22], (0, 1)))
    table = results.table()
    assert table["value.value"].to_list()[:3] == [10, None, 22]
    assert table["shard"].to_list()[:3] == [0, 1, 1]
    assert results.failures(table)["message"].to_list() == ["bad 21"]


def test_what_is_not_asked_for_does_not_count() -> None:
    results = Results(FILES.slice(0, 2))
    results.add(shard([1, 4], [1, 4]))
    assert results.table()["value.value"].to_list() == [None, 1]
    empty = Results(FILES.slice(0, 0))
    empty.add(shard([1], [1]))
    assert empty.table().is_empty()


def test_an_item_without_a_size_in_the_ledger_is_another_one() -> None:
    results = Results(FILES)
    rows = shard([0, 2], [0, 2]).rows
    results.add(Shard(rows.drop_columns("filesize")))
    assert results.table()["ok"].to_list() == [None, None, True, None, None]


def test_hashes_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    original = results_module._Places._hash

    def poor(self: results_module._Places, keys: pl.DataFrame) -> np.ndarray:
        return original(self, keys) % np.uint64(2 if self._seed < 2 else 2**60)

    monkeypatch.setattr(results_module._Places, "_hash", poor)
    results = Results(FILES)
    results.add(shard([3, 1, 2], [3, 1, 2]))
    assert results.table()["value.value"].to_list() == [None, 1, 2, 3, None]
