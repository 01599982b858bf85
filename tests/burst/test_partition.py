"""Cutting time and file lists."""

from __future__ import annotations

import pandas as pd
import pytest

from helio_burst.burst import partitions, partitions_of_files
from helio_burst.errors import InputError


def _utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_days_cover_the_range_without_overlap() -> None:
    table = partitions("2010-12-30T06", "2011-01-02", freq="1D", pad="97min")
    assert table["start"].tolist()[0] == _utc("2010-12-30T06")
    assert table["stop"].tolist()[-1] == _utc("2011-01-02")
    assert (table["start"].iloc[1:].to_numpy() == table["stop"].iloc[:-1].to_numpy()).all()
    assert table["padded_start"].iloc[0] == _utc("2010-12-30T06")
    assert table["padded_start"].iloc[1] == table["start"].iloc[1] - pd.Timedelta("97min")
    assert table["datakey"].is_unique


def test_calendar_months_and_equal_parts() -> None:
    months = partitions("2020-01-15", "2020-04-01", freq="MS")
    assert [start.month for start in months["start"]] == [1, 2, 3]
    assert len(partitions("2020-01-01", "2020-01-02", number=5)) == 5


def test_file_lists_are_cut_by_count_and_by_size() -> None:
    files = pd.DataFrame(
        {
            "start": pd.date_range("2020-01-01", periods=5, freq="h", tz="UTC"),
            "stop": pd.date_range("2020-01-01T01", periods=5, freq="h", tz="UTC"),
            "datakey": [f"s3://b/{i}" for i in range(5)],
            "filesize": [10, 10, 30, 10, 10],
        }
    )
    by_count = partitions_of_files(files, count=2)
    assert [len(keys) for keys in by_count["files"]] == [2, 2, 1]
    by_size = partitions_of_files(files, size=20)
    assert [len(keys) for keys in by_size["files"]] == [2, 1, 2]
    assert by_size["filesize"].tolist() == [20, 30, 20]
    assert by_size["stop"].iloc[-1] == _utc("2020-01-01T05")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "needs one of freq"),
        ({"freq": "1D", "number": 2}, "needs one of freq"),
        ({"number": 0}, "number=0 must be a whole number, 1 or more"),
        ({"number": "12"}, "must be a whole number"),
        ({"freq": "0D"}, "must be more than nothing"),
        ({"freq": "-1D"}, "must be more than nothing"),
        ({"freq": "1D", "pad": "abc"}, "pad='abc' is not a length of time"),
        ({"freq": "1D", "pad": 2}, "pad=2 is not a length of time"),
        ({"freq": "1 fortnight"}, "no length of time"),
        ({"freq": "1D", "pad": "-1h"}, "must not be negative"),
    ],
)
def test_bad_input(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        partitions("2020-01-01", "2020-02-01", **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be before stop"):
        partitions("2020-02-01", "2020-01-01", freq="1D")


@pytest.mark.parametrize(
    ("columns", "arguments", "says"),
    [
        (["start", "datakey"], {"count": 0}, "count=0 must be a whole number, 1 or more"),
        (["start", "datakey", "filesize"], {"size": -1}, "size=-1 must be a whole number"),
        (["start", "datakey"], {"size": 10}, "no column filesize"),
        (["datakey"], {"count": 2}, "no column start"),
    ],
)
def test_a_file_list_that_cannot_be_cut(columns: list[str], arguments: dict[str, int], says: str) -> None:
    start = pd.date_range("2020-01-01", periods=2, tz="UTC")
    files = pd.DataFrame({"start": start, "datakey": ["a", "b"], "filesize": [1, 2]})
    with pytest.raises(InputError, match=says):
        partitions_of_files(files[columns], **arguments)
