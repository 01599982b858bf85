"""UTC times and half-open ranges [start, stop)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from helio_burst.errors import InputError

TimeLike = str | datetime | pd.Timestamp | np.datetime64

# yyyy-mm-dd or yyyy-ddd, then an optional clock, truncated anywhere; "T", " " or ":" before the clock and
# ":" or "." before the seconds are all found in published catalogs.
TIME_PATTERN = (
    r"^(\d{4})-(?:(\d\d)-(\d\d)|(\d{3}))"
    r"(?:[T: ](\d\d)(?::(\d\d)(?:[:.](\d\d)(?:\.(\d+))?)?)?)?Z?$"
)
_TRUNCATED = re.compile(r"^(\d{4})(?:-(\d\d))?Z?$")
_TIME = re.compile(TIME_PATTERN)


class Timespan(NamedTuple):
    """A half-open range of time, UTC."""

    start: pd.Timestamp
    stop: pd.Timestamp


def parse_time(value: TimeLike) -> pd.Timestamp:
    """Read one time as UTC.

    Parameters
    ----------
    value : str, datetime, Timestamp or datetime64
        Text may be truncated anywhere ("2020", "2020-02", "2020-02-17T03") and may hold a day of the year
        ("2020-048"). Times without a zone are UTC.

    Returns
    -------
    Timestamp
        With time zone UTC.

    Raises
    ------
    InputError
        The text is not a time.

    Examples
    --------
    >>> parse_time("2020-048T06")
    Timestamp('2020-02-17 06:00:00+0000', tz='UTC')
    >>> parse_time("2020")
    Timestamp('2020-01-01 00:00:00+0000', tz='UTC')
    """
    if isinstance(value, str):
        return _parse_text(value)
    time = pd.Timestamp(value)
    if pd.isna(time):
        raise InputError(f"{value!r} is not a time.")
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")


def _parse_text(text: str) -> pd.Timestamp:
    stripped = text.strip()
    try:
        if match := _TRUNCATED.match(stripped):
            return pd.Timestamp(int(match[1]), int(match[2] or 1), 1, tz="UTC")
        if match := _TIME.match(stripped):
            return _from_match(match)
        # An offset such as +02:00 is not in the catalogs' format, but people write it in arguments.
        time = pd.Timestamp(datetime.fromisoformat(stripped))
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a time. Write UTC as yyyy-mm-ddThh:mm:ss.sssZ or yyyy-dddThh:mm:ssZ; "
            "it may be cut short anywhere, as in 2020-02 or 2020-02-17T03."
        ) from error
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")


def _from_match(match: re.Match[str]) -> pd.Timestamp:
    year, month, day, day_of_year, hour, minute, second, fraction = match.groups()
    if day_of_year is None:
        date = pd.Timestamp(int(year), int(month), int(day), tz="UTC")
    else:
        date = pd.Timestamp(int(year), 1, 1, tz="UTC") + pd.Timedelta(days=int(day_of_year) - 1)
        if date.year != int(year):
            raise ValueError(f"{year} has no day {day_of_year}")
    if int(hour or 0) > 24 or int(minute or 0) > 59 or int(second or 0) > 60:
        raise ValueError("clock out of range")
    nanoseconds = int((fraction or "0")[:9].ljust(9, "0"))
    return date + pd.Timedelta(
        hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0), nanoseconds=nanoseconds
    )


def parse_timespan(start: TimeLike, stop: TimeLike) -> Timespan:
    """Read a half-open range of time.

    Raises
    ------
    InputError
        A bound is not a time, or the range is empty or the wrong way round.

    Examples
    --------
    >>> parse_timespan("2020", "2021").stop
    Timestamp('2021-01-01 00:00:00+0000', tz='UTC')
    """
    span = Timespan(parse_time(start), parse_time(stop))
    if span.start >= span.stop:
        raise InputError(
            f"The range [{span.start.isoformat()}, {span.stop.isoformat()}) is empty: "
            "start must be before stop, and stop itself is not part of the range."
        )
    return span


def naive(times: pd.Series[pd.Timestamp] | pd.DatetimeIndex) -> np.ndarray:
    """Turn UTC times into datetime64[ns], which is what xarray takes as a coordinate."""
    index = pd.DatetimeIndex(times)
    if index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.as_unit("ns").to_numpy()
