"""A range of time cut into partitions, each with a margin of its neighbours' data where that is needed."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from helio_burst.errors import InputError
from helio_burst.timespan import TimeLike, parse_duration, parse_timespan


def partitions(
    start: TimeLike,
    stop: TimeLike,
    *,
    freq: str | None = None,
    number: int | None = None,
    pad: str | timedelta | None = None,
) -> pd.DataFrame:
    """Cut a range of time, by length or into a number of equal parts.

    Parameters
    ----------
    start, stop : str, datetime or Timestamp
        The range [start, stop), UTC.
    freq : str, optional
        Length of a partition, as pandas writes it ("1D", "6h", "MS" for calendar months).
    number : int, optional
        Number of partitions; one of `freq` and `number` is needed.
    pad : str or timedelta, optional
        Margin on each side; it does not reach beyond the range.

    Returns
    -------
    DataFrame
        One row a partition: start, stop, padded_start, padded_stop (UTC) and datakey, its name.

    Examples
    --------
    >>> partitions("2010-05-09", "2010-05-11", freq="1D", pad="2h")["padded_stop"].tolist()
    [Timestamp('2010-05-10 02:00:00+0000', tz='UTC'), Timestamp('2010-05-11 00:00:00+0000', tz='UTC')]
    """
    span = parse_timespan(start, stop)
    if (freq is None) == (number is None):
        raise InputError("partitions() needs one of freq, such as '1D', and number, such as 12.")
    if number is not None:
        _check_count("number", number)
        edges = pd.date_range(span.start, span.stop, periods=number + 1)
    else:
        try:
            offset = to_offset(freq)
            if offset is None or offset.n < 1:
                raise ValueError("it must be more than nothing")
            edges = pd.date_range(span.start, span.stop, freq=freq, inclusive="left")
        except ValueError as error:
            raise InputError(
                f"freq={freq!r} is no length of time that pandas knows, such as '1D', '6h' or 'MS': {error}"
            ) from error
        inner = edges[edges > span.start]
        edges = pd.DatetimeIndex([span.start, *inner, span.stop])
    return _table(edges[:-1], edges[1:], span.start, span.stop, pad)


def partitions_of_files(
    files: pd.DataFrame, *, count: int | None = None, size: int | None = None
) -> pd.DataFrame:
    """Cut a file list into partitions of so many files, or of so many bytes.

    Parameters
    ----------
    files : DataFrame
        A file list: start, stop, datakey, filesize.
    count : int, optional
        Files in a partition.
    size : int, optional
        Bytes in a partition, at most; a larger file is a partition of its own.

    Returns
    -------
    DataFrame
        As of `partitions`, with columns ``files`` (list of datakeys) and ``filesize`` (their bytes).
    """
    needed = {"start", "datakey"} | ({"filesize"} if size is not None else set())
    if missing := sorted(needed - set(getattr(files, "columns", ()))):
        raise InputError(f"files has no column {', '.join(missing)}, by which it could be cut.")
    if files.empty:
        raise InputError("The file list is empty, so there is nothing to cut.")
    ordered = files.sort_values("start", kind="stable")
    if count is not None and size is None:
        _check_count("count", count)
        group = pd.Series(range(len(ordered)), index=ordered.index) // count
    elif size is not None and count is None:
        _check_count("size", size)
        sizes = [int(value) for value in ordered["filesize"].fillna(0)]
        group = _by_size(sizes, size, ordered.index)
    else:
        raise InputError("partitions_of_files() needs one of count and size.")
    grouped = ordered.groupby(group.to_numpy(), sort=True)
    starts = grouped["start"].min()
    stops = grouped["stop"].max() if "stop" in ordered.columns else grouped["start"].max()
    table = _table(pd.DatetimeIndex(starts), pd.DatetimeIndex(stops), starts.min(), stops.max(), None)
    table["files"] = [list(keys) for keys in grouped["datakey"].agg(list)]
    table["filesize"] = grouped["filesize"].sum().to_numpy() if "filesize" in ordered.columns else 0
    # Files may begin at the same time, so the first file's name tells partitions apart.
    firsts = [keys[0].rsplit("/", 1)[-1] for keys in table["files"]]
    table["datakey"] = [f"{name} ({first})" for name, first in zip(table["datakey"], firsts, strict=True)]
    return table


def _check_count(name: str, value: int) -> None:
    if not (isinstance(value, int | np.integer) and value >= 1):
        raise InputError(f"{name}={value!r} must be a whole number, 1 or more.")


def _by_size(sizes: list[int], most: int, index: pd.Index) -> pd.Series:
    groups, group, held = [], 0, 0
    for size in sizes:
        if held and held + size > most:
            group, held = group + 1, 0
        held += size
        groups.append(group)
    return pd.Series(groups, index=index)


def _table(
    starts: pd.DatetimeIndex,
    stops: pd.DatetimeIndex,
    first: pd.Timestamp,
    last: pd.Timestamp,
    pad: str | timedelta | None,
) -> pd.DataFrame:
    margin = _margin(pad)
    names = [f"{_short(start)}/{_short(stop)}" for start, stop in zip(starts, stops, strict=True)]
    return pd.DataFrame(
        {
            "start": starts,
            "stop": stops,
            "padded_start": (starts - margin).where(starts - margin > first, first),
            "padded_stop": (stops + margin).where(stops + margin < last, last),
            "datakey": names,
        }
    )


def _margin(pad: str | timedelta | None) -> pd.Timedelta:
    try:
        margin = parse_duration(pad) if pad is not None else pd.Timedelta(0)
    except InputError as error:
        raise InputError(f"pad={error}") from error
    if margin < pd.Timedelta(0):
        raise InputError(f"pad={pad!r} must not be negative.")
    return margin


def _short(time: pd.Timestamp) -> str:
    text = time.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.removesuffix("T00:00:00.000000").removesuffix(".000000")
