"""UTC times and half-open ranges [start, stop)."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from numbers import Number
from typing import NamedTuple

import numpy as np
import pandas as pd

from helio_burst.errors import InputError

TimeLike = str | datetime | pd.Timestamp | np.datetime64
Duration = str | timedelta | np.timedelta64

# yyyy-mm-dd or yyyy-ddd, then an optional clock, truncated anywhere; "T", " " or ":" before the clock and
# ":" or "." before the seconds are all found in published catalogs.
TIME_PATTERN = (
    r"^(\d{4})-(?:(\d\d)-(\d\d)|(\d{3}))"
    r"(?:[T: ](\d\d)(?::(\d\d)(?:[:.](\d\d)(?:\.(\d+))?)?)?)?Z?$"
)
_TRUNCATED = re.compile(r"^(\d{4})(?:-(\d\d))?Z?$")
_TIME = re.compile(TIME_PATTERN)
_NUMBER = re.compile(r"^\s*[-+]?[\d.]+\s*$")
# The whole years that nanoseconds since 1970 can hold.
_FIRST, _LAST = pd.Timestamp(1678, 1, 1, tz="UTC"), pd.Timestamp(2262, 1, 1, tz="UTC")


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
        It is not a time, or outside of the years 1678 to 2261.

    Examples
    --------
    >>> parse_time("2020-048T06")
    Timestamp('2020-02-17 06:00:00+0000', tz='UTC')
    >>> parse_time("2020")
    Timestamp('2020-01-01 00:00:00+0000', tz='UTC')
    """
    try:
        time = _parse_text(value.strip()) if isinstance(value, str) else _convert(value)
        if pd.isna(time):
            raise ValueError("it is missing")
        utc = time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
        if not _FIRST <= utc <= _LAST:
            raise pd.errors.OutOfBoundsDatetime(str(utc))
        return utc.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise InputError(
            f"{value!r} lies outside of the years 1678 to 2261, which times in nanoseconds can hold."
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{value!r} is not a time. Write UTC as yyyy-mm-ddThh:mm:ss.sssZ or yyyy-dddThh:mm:ssZ; "
            "it may be cut short anywhere, as in 2020-02 or 2020-02-17T03."
        ) from error


def _parse_text(text: str) -> pd.Timestamp:
    if match := _TRUNCATED.match(text):
        return pd.Timestamp(int(match[1]), int(match[2] or 1), 1)
    if match := _TIME.match(text):
        return _from_match(match)
    # An offset such as +02:00 is not in the catalogs' format, but people write it in arguments.
    return pd.Timestamp(datetime.fromisoformat(text))


def _convert(value: object) -> pd.Timestamp:
    if isinstance(value, Number):
        raise TypeError("a number could be a year, seconds or nanoseconds")
    return pd.Timestamp(value)  # type: ignore[arg-type]


def _from_match(match: re.Match[str]) -> pd.Timestamp:
    year, month, day, day_of_year, hour, minute, second, fraction = match.groups()
    if day_of_year is None:
        date = pd.Timestamp(int(year), int(month), int(day))
    else:
        date = pd.Timestamp(int(year), 1, 1) + pd.Timedelta(days=int(day_of_year) - 1)
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


def parse_duration(value: Duration) -> pd.Timedelta:
    """Read a length of time.

    Raises
    ------
    InputError
        It is none, or a number: pandas would take that for nanoseconds, which nobody means.

    Examples
    --------
    >>> parse_duration("97min")
    Timedelta('0 days 01:37:00')
    """
    if isinstance(value, Duration) and not (isinstance(value, str) and _NUMBER.match(value)):
        with contextlib.suppress(ValueError):
            duration = pd.Timedelta(value)
            if not pd.isna(duration):
                return duration
    raise InputError(f"{value!r} is not a length of time; write for instance '97min', '6h' or '1D'.")


def naive(times: pd.Series[pd.Timestamp] | pd.DatetimeIndex) -> np.ndarray:
    """Turn UTC times into datetime64[ns], which is what xarray takes as a coordinate."""
    index = pd.DatetimeIndex(times)
    if index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.as_unit("ns").to_numpy()
