"""The catalogs' times, a column at a time; `helio_burst.timespan.parse_time` reads single ones alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import polars as pl

from helio_burst.timespan import TIME_PATTERN

TIME = pl.Datetime("ns", "UTC")
Writing = Literal["seconds", "fractions", "any"]
# Nanoseconds since 1970 hold the years from 1678 to 2261; polars wraps others round without a word.
_FIRST, _AFTER = "1678", "2262"
_SECONDS, _FRACTIONS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.fZ"
_MATCH = "\x00match"
_FIELDS = ("year", "month", "day", "day_of_year", "hour", "minute", "second", "fraction")


def read_times(rows: pl.LazyFrame, columns: Iterable[str], writing: Writing = "any") -> pl.LazyFrame:
    """Read columns of text as UTC; what is no time, or not between 1678 and 2261, becomes null.

    Parameters
    ----------
    rows : LazyFrame
    columns : iterable of str
        Columns of String.
    writing : {"seconds", "fractions", "any"}
        Which writings are read. The first two, yyyy-mm-ddThh:mm:ssZ without and with a fraction, are several
        times quicker than "any", which is all that the specification and published catalogs have.

    Returns
    -------
    LazyFrame
        The columns being Datetime("ns", "UTC").
    """
    for column in columns:
        text = pl.col(column)
        if writing == "any":
            # As a column of its own, so that the pattern is matched once and not for each field.
            fields = text.str.extract_groups(TIME_PATTERN).struct.rename_fields(list(_FIELDS))
            rows = rows.with_columns(fields.alias(_MATCH))
            time = _by_fields()
        else:
            layout = _SECONDS if writing == "seconds" else _FRACTIONS
            time = text.str.to_datetime(layout, time_unit="ns", strict=False)
        known = text.is_between(pl.lit(_FIRST), pl.lit(_AFTER), closed="left")
        rows = rows.with_columns(pl.when(known).then(time).dt.replace_time_zone("UTC").alias(column))
    return rows.select(pl.exclude(_MATCH))


def _by_fields() -> pl.Expr:
    part = {name: pl.col(_MATCH).struct.field(name) for name in _FIELDS}
    hour, minute, second = (part[name].cast(pl.Int64).fill_null(0) for name in ("hour", "minute", "second"))
    fraction = part["fraction"].str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    date = pl.coalesce(
        pl.concat_str(part["year"], part["month"], part["day"]).str.to_date("%Y%m%d", strict=False),
        pl.concat_str(part["year"], part["day_of_year"]).str.to_date("%Y%j", strict=False),
    )
    clock = pl.duration(hours=hour, minutes=minute, seconds=second, nanoseconds=fraction, time_unit="ns")
    possible = (hour <= 24) & (minute <= 59) & (second <= 60)
    return pl.when(possible).then(date.cast(pl.Datetime("ns")) + clock)
