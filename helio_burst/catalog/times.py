"""The catalogs' times, a column at a time; `helio_burst.timespan.parse_time` reads single ones alike."""

from __future__ import annotations

import polars as pl

from helio_burst.timespan import TIME_PATTERN

TIME = pl.Datetime("ns", "UTC")
# Nanoseconds since 1970 hold these years; polars wraps others round without a word.
_FIRST, _AFTER = "1678", "2262"
_SECONDS, _FRACTIONS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.fZ"
_FIELDS = ("year", "month", "day", "day_of_year", "hour", "minute", "second", "fraction")


def parse_times(texts: pl.Series) -> pl.Series:
    """Read times as UTC; what is no time, or before 1678 or after 2261, becomes null.

    Parameters
    ----------
    texts : Series of str
        Times as the specification and published catalogs write them, in any mixture.

    Returns
    -------
    Series of Datetime("ns", "UTC")
    """
    name = texts.name
    first = texts.drop_nulls().head(1).to_list()
    layout = _FRACTIONS if first and "." in first[0] else _SECONDS
    inside = texts.to_frame("text").select(
        pl.when(pl.col("text").is_between(pl.lit(_FIRST), pl.lit(_AFTER), closed="left")).then("text")
    )
    texts = inside.to_series()
    times = texts.str.to_datetime(layout, time_unit="ns", strict=False)
    left = times.is_null() & texts.is_not_null()
    if left.any():
        times = times.scatter(left.arg_true(), _parse_any(texts.filter(left)))
    return times.dt.replace_time_zone("UTC").alias(name)


def _parse_any(texts: pl.Series) -> pl.Series:
    """Read times of every form, field by field."""
    fields = texts.str.strip_chars().str.extract_groups(TIME_PATTERN).struct.rename_fields(list(_FIELDS))
    hour, minute, second = (pl.col(name).cast(pl.Int64).fill_null(0) for name in ("hour", "minute", "second"))
    fraction = pl.col("fraction").str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    date = pl.coalesce(
        pl.concat_str("year", "month", "day", separator="-").str.to_date("%Y-%m-%d", strict=False),
        pl.concat_str("year", "day_of_year", separator="-").str.to_date("%Y-%j", strict=False),
    )
    clock = pl.duration(hours=hour, minutes=minute, seconds=second, nanoseconds=fraction, time_unit="ns")
    possible = (hour <= 24) & (minute <= 59) & (second <= 60)
    times = fields.struct.unnest().select(pl.when(possible).then(date.cast(pl.Datetime("ns")) + clock))
    return times.to_series()
