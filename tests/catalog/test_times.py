"""Times of a column are read as single ones are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helio_burst.catalog.times import read_iso, read_times
from helio_burst.errors import InputError
from helio_burst.timespan import parse_time


def read(texts: list[str | None]) -> list[pd.Timestamp | None]:
    column = read_times(pl.LazyFrame({"t": texts}, schema={"t": pl.String}), ["t"]).collect()["t"]
    return [
        None if value is None else pd.Timestamp(value, tz="UTC") for value in column.to_physical().to_list()
    ]


@st.composite
def written(draw: st.DrawFn) -> str:
    """A time in one of the writings that published catalogs have; some are no times at all."""
    year = draw(st.integers(1678, 2261))
    if draw(st.booleans()):
        text = f"{year:04}-{draw(st.integers(0, 13)):02}-{draw(st.integers(0, 32)):02}"
    else:
        text = f"{year:04}-{draw(st.integers(0, 367)):03}"
    clock = [
        f"{draw(st.integers(0, 25)):02}",
        f"{draw(st.integers(0, 60)):02}",
        f"{draw(st.integers(0, 61)):02}",
    ]
    parts = draw(st.integers(0, 3))
    if parts:
        text += draw(st.sampled_from("T: ")) + ":".join(clock[: min(parts, 2)])
    if parts == 3:
        text += draw(st.sampled_from(":.")) + clock[2]
        if draw(st.booleans()):
            text += "." + draw(st.text("0123456789", min_size=1, max_size=12))
    return text + draw(st.sampled_from(["Z", ""]))


@given(st.lists(written(), min_size=1, max_size=20))
@example(["1996-01-01T00:00.00Z", "2023-05-04:00:00:00Z", "2020-366T24Z", "2021-366", "2016-12-31T23:59:60Z"])
def test_a_column_is_read_as_single_times_are(texts: list[str]) -> None:
    for text, time in zip(texts, read(texts), strict=True):
        try:
            expected = parse_time(text)
        except InputError:
            expected = None
        assert time == expected, text


@given(st.lists(written(), min_size=1, max_size=3))
@example(["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123456789Z"])
@example(["2020-01-01T00:00:00+02:00"])
@example(["2020-01-01T00:00:00"])
def test_what_is_read_quickly_is_read_alike(texts: list[str]) -> None:
    try:
        quickly = read_iso(pa.chunked_array([texts], pa.large_string()))
    except pa.ArrowInvalid:
        return
    assert [pd.Timestamp(time.value, tz="UTC") for time in quickly] == read(texts)


def test_what_nanoseconds_cannot_hold_is_no_time() -> None:
    assert read(["9999-12-31T00:00:00Z", "1500-01-01", "", None, "optional ISO 8601 date"]) == [None] * 5


@pytest.mark.parametrize(
    "value", [2020, 2020.0, np.int64(3), True, None, pd.NaT, ["2020"], "", "2020-13", "soon"]
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="is not a time"):
        parse_time(value)


@pytest.mark.parametrize("value", ["0001", "1600-01-01", "9999", "9999-12-31", datetime(9999, 1, 1)])
def test_years_that_nanoseconds_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="outside of the years 1678 to 2261"):
        parse_time(value)
