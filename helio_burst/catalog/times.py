"""The catalogs' times, a column at a time; `helio_burst.timespan.parse_time` reads single ones alike."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from helio_burst.timespan import TIME_PATTERN

# The type of all times, as polars and as Arrow name it.
TIME, UTC = pl.Datetime("ns", "UTC"), pa.timestamp("ns", "UTC")
# Takes polars' texts into Arrow's plain ones, which pandas takes over as they are.
PLAIN = pl.CompatLevel.oldest()
# Nanoseconds since 1970 hold the years from 1678 to 2261; polars wraps others round without a word.
_FIRST, _AFTER = "1678", "2262"
_MATCH = "\x00match"
_FIELDS = ("year", "month", "day", "day_of_year", "hour", "minute", "second", "fraction")


def read_iso(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read texts that are all yyyy-mm-ddThh:mm:ssZ, with a fraction or without, several times quicker.

    Raises
    ------
    ArrowInvalid
        One is not; `read_times` reads every writing.
    """
    if not pc.all(pc.ends_with(texts, "Z")).as_py():  # Arrow would read other zones, too
        raise pa.ArrowInvalid("There is a time without a Z.")
    return texts.cast(UTC)


def read_times(rows: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Read columns of text, in any writing that the specification or a published catalog has, as UTC.

    What is no time, or not between 1678 and 2261, becomes null.
    """
    for column in columns:
        text = pl.col(column)
        # As a column of its own, so that the pattern is matched once and not for each field.
        fields = text.str.extract_groups(TIME_PATTERN).struct.rename_fields(list(_FIELDS))
        known = text.is_between(pl.lit(_FIRST), pl.lit(_AFTER), closed="left")
        rows = rows.with_columns(fields.alias(_MATCH))
        rows = rows.with_columns(pl.when(known).then(_by_fields()).dt.replace_time_zone("UTC").alias(column))
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
